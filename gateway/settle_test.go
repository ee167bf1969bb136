package gateway

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pushgate/pushgate/gateway/ledger"
	"github.com/pushgate/pushgate/triggers/jenkins/jenkinstest"
)

const settleRules = `
sources: {hook: {host: bitbucket-post, token: secret}, other: {host: bitbucket-post, token: other-secret}}
servers: {ci: {jenkins: JENKINS, user: u, token: t MORE}}
rules:
- {name: api, repos: acme/shop, start: {server: ci, job: "mb/{{.Branch}}", parameters: {COMMIT: "{{.Commit}}", MESSAGE: m}}}
`

// starts matches the requests that start a build.
func starts(r *http.Request) bool {
	return r.Method == http.MethodPost && strings.HasSuffix(strings.TrimSuffix(r.URL.Path, "/"), "/buildWithParameters")
}

// outcomes are those of a build's tries to start it.
func (s *stage) outcomes(b *ledger.Build) []string {
	s.t.Helper()
	list, err := s.ledger.Attempts(s.t.Context(), b)
	if err != nil {
		s.t.Fatal(err)
	}
	var out []string
	for _, a := range list {
		out = append(out, a.Outcome)
	}
	return out
}

// TestSettle: after a start whose answer was lost the server is asked before
// anything is started again.
func TestSettle(t *testing.T) {
	for _, c := range []struct {
		name, more string // of the server
		fault      jenkinstest.Fault
		undeclared bool
		state      ledger.State
		uncertain  bool
		started    int
		outcomes   []string
		unfollowed bool
	}{
		{"it had reached the server", "", jenkinstest.Fault{Carry: true, Drop: true}, false, ledger.Succeeded, false, 1, []string{"unknown", "found"}, false},
		{"it had, and is not followed", "", jenkinstest.Fault{Carry: true, Drop: true}, false, ledger.Triggered, false, 1, []string{"unknown", "found"}, true},
		{"it had not", "", jenkinstest.Fault{Drop: true}, false, ledger.Succeeded, false, 1, []string{"unknown", "absent", "started"}, false},
		{"nobody can know", "", jenkinstest.Fault{Carry: true, Drop: true}, true, ledger.Succeeded, true, 2, []string{"unknown", "started"}, false},
		{"nobody can know, and it is held", ", on_uncertain: hold", jenkinstest.Fault{Carry: true, Drop: true}, true, ledger.Dead, true, 1, []string{"unknown", "unknown"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			text := strings.Replace(settleRules, " MORE", c.more, 1)
			if c.unfollowed {
				text = strings.Replace(text, "parameters:", "follow: false, parameters:", 1)
			}
			s := setUp(t, text, func(o *Options) { o.StartLife = 300 * time.Millisecond })
			if c.undeclared {
				s.jenkins.AddJob("mb/main", jenkinstest.Job{Parameters: []jenkinstest.Parameter{{Name: "COMMIT"}, {Name: "MESSAGE"}}})
			}
			broken := false
			s.jenkins.Fail(func(r *http.Request) *jenkinstest.Fault {
				if broken || !starts(r) {
					return nil
				}
				broken = true
				return &c.fault
			})
			s.push(payload("main", "a1a1a1a1a1a1", "b2b2b2b2b2b2", "x", "m"))
			s.settle()
			b := s.builds()
			if len(b) != 1 || b[0].State != c.state || b[0].Uncertain != c.uncertain {
				t.Fatalf("builds %+v", b)
			}
			if n := len(s.jenkins.Started()); n != c.started {
				t.Errorf("%d started on the server, want %d", n, c.started)
			}
			if diff := cmp.Diff(c.outcomes, s.outcomes(&b[0])); diff != "" {
				t.Errorf("tries (-want +got):\n%s", diff)
			}
		})
	}
}

// TestMaxConcurrent: with a limit all builds get their turn. That it is kept, the
// ledger's tests say.
func TestMaxConcurrent(t *testing.T) {
	s := setUp(t, strings.Replace(settleRules, " MORE", ", max_concurrent: 2", 1), nil)
	for i := range 12 {
		s.jenkins.AddJob(fmt.Sprintf("mb/b%d", i), jenkinstest.Job{Parameters: []jenkinstest.Parameter{{Name: "COMMIT"}, {Name: "MESSAGE"}, {Name: "PUSHGATE_BUILD"}}, BuildTime: 60 * time.Millisecond})
		s.push(payload(fmt.Sprintf("b%d", i), "a1a1a1a1a1a1", "b2b2b2b2b2b2", "x", "m"))
	}
	s.settle()
	if n := len(s.jenkins.Started()); n != 12 {
		t.Errorf("%d started", n)
	}
}
