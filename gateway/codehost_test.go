package gateway

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pushgate/pushgate/gateway/host/hosttest"
	"github.com/pushgate/pushgate/gateway/ledger"
	"github.com/pushgate/pushgate/rules"
	"github.com/pushgate/pushgate/triggers/jenkins/jenkinstest"
)

// A codeHostStage is a gateway with a simulated code host beside its simulated
// servers.
type codeHostStage struct {
	*stage
	sim  *hosttest.Server
	repo *hosttest.Repo
	base string // the commit that main is at
	host string
}

const (
	hostSecret = "hook-secret"
	hostToken  = "api-token"
)

// The rules ask for what changed below api and below web.
const codeHostRules = `
sources: {src: {host: HOST, secret: hook-secret, api: {url: "SIM", CREDENTIALS}}}
servers: {ci: {jenkins: JENKINS, user: u, token: t}}
rules:
- {name: api, repos: acme/shop, paths: ["api/**"], start: {server: ci, job: "mb/{{.Branch}}", parameters: {COMMIT: "{{.Commit}}", MESSAGE: "api"}}}
- {name: web, repos: acme/shop, paths: ["web/**"], unknown_files: skip, start: {server: ci, job: "mb/{{.Branch}}", parameters: {COMMIT: "{{.Commit}}", MESSAGE: "web"}, report: {skipped: true}}}
`

func codeHosts() []string {
	return []string{rules.BitbucketCloud, rules.BitbucketDataCenter, rules.GitHub, rules.GitLab, rules.Gitea}
}

func setUpHost(t *testing.T, name, text, credentials string, o hosttest.Options, tune ...func(*Options)) *codeHostStage {
	t.Helper()
	o.Host = name
	s := &codeHostStage{sim: hosttest.New(o), host: name}
	server := httptest.NewServer(s.sim)
	t.Cleanup(server.Close)
	s.repo = s.sim.AddRepo("acme/shop", "main")
	s.base = s.repo.Commit(nil, "first", "Ann <ann@example.com>",
		hosttest.Change{Path: "README.md"}, hosttest.Change{Path: "api/old"}, hosttest.Change{Path: "web/old"})
	s.repo.SetBranch("main", s.base)
	s.stage = setUp(t, strings.NewReplacer("HOST", name, "SIM", server.URL, "CREDENTIALS", credentials).Replace(text), func(o *Options) {
		for _, t := range tune {
			t(o)
		}
	})
	return s
}

// grow adds commits of files on top of one and gives the newest, and all files.
func (s *codeHostStage) grow(on string, commits, files int, folder string) (head string, names []string) {
	for c := range commits {
		var changes []hosttest.Change
		for f := range files {
			name := fmt.Sprintf("%s/%02d/%03d", folder, c, f)
			names = append(names, name)
			changes = append(changes, hosttest.Change{Path: name})
		}
		on = s.repo.Commit([]string{on}, fmt.Sprint("commit ", c), "Ann <ann@example.com>", changes...)
	}
	slices.Sort(names)
	return on, names
}

// moved sends what the host would send for a move of a branch, and gives the
// push as it was decided.
func (s *codeHostStage) moved(branch, before, after string, forced bool) ledger.Push {
	s.t.Helper()
	if after != "" {
		s.repo.SetBranch(branch, after)
	}
	h, body := s.sim.Webhook("acme/shop", "refs/heads/"+branch, before, after, forced, hostSecret)
	status, answer := s.sendWith("/hooks/src", h, body)
	if status != http.StatusAccepted {
		s.t.Fatalf("%s: %d %s", s.host, status, answer)
	}
	s.settle()
	list, err := s.ledger.Deliveries(s.t.Context(), ledger.Filter{Limit: 1})
	if err != nil || len(list) != 1 {
		s.t.Fatal(err)
	}
	pushes, err := s.ledger.Pushes(s.t.Context(), &list[0])
	if err != nil || len(pushes) != 1 {
		s.t.Fatalf("%d pushes, %v", len(pushes), err)
	}
	return pushes[0]
}

// paths gives the files of a push that are in no list of others.
func sorted(p ledger.Push) []string {
	return slices.Sorted(slices.Values(p.Push.Files.Paths))
}

// TestChangedFiles: 2,000 files over 40 commits are told as they are by every
// host, whatever its webhook leaves out: moved, as a new branch, and with what a
// forced push drops. Just the builds whose paths changed are started.
func TestChangedFiles(t *testing.T) {
	for _, name := range codeHosts() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setUpHost(t, name, codeHostRules, "token: "+hostToken, hosttest.Options{Token: hostToken})
			head, names := s.grow(s.base, 40, 50, "api")
			p := s.moved("main", s.base, head, false)
			if diff := cmp.Diff(names, sorted(p)); diff != "" || p.Push.Files.Completeness != rules.Complete {
				t.Errorf("moved: %s %q (-want +got):\n%.500s", p.Push.Files.Completeness, p.Push.Files.Note, diff)
			}
			if diff := cmp.Diff([]string{"api"}, p.Matched); diff != "" {
				t.Errorf("moved, matched (-want +got):\n%s", diff)
			}

			// main goes on; dev is what left it before.
			dev, names := s.grow(head, 40, 50, "web")
			next, _ := s.grow(head, 1, 1, "docs")
			s.repo.SetBranch("main", next)
			p = s.moved("dev", "", dev, false)
			if diff := cmp.Diff(names, sorted(p)); diff != "" || p.Push.Files.Completeness != rules.Complete {
				t.Errorf("new branch: %s %q (-want +got):\n%.500s", p.Push.Files.Completeness, p.Push.Files.Note, diff)
			}
			if diff := cmp.Diff([]string{"web"}, p.Matched); diff != "" {
				t.Errorf("new branch, matched (-want +got):\n%s", diff)
			}

			// What only the dropped commits had comes back as a change.
			short, docs := s.grow(head, 1, 1, "docs/late")
			p = s.moved("dev", dev, short, true)
			if diff := cmp.Diff(slices.Sorted(slices.Values(append(docs, names...))), sorted(p)); diff != "" || p.Push.Files.Completeness != rules.Complete || p.Push.Event != rules.Forced {
				t.Errorf("forced: %s %s %q (-want +got):\n%.500s", p.Push.Event, p.Push.Files.Completeness, p.Push.Files.Note, diff)
			}
			t.Logf("%s: %d requests", name, len(s.sim.Requests()))
		})
	}
}

// TestHostAway: a push waits for an API that is away no longer than its time, its
// ref alone; then unknown_files decides, and the decision says why.
func TestHostAway(t *testing.T) {
	for _, name := range codeHosts() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setUpHost(t, name, codeHostRules, "token: "+hostToken, hosttest.Options{Token: hostToken})
			s.sim.Down(true)
			head, _ := s.grow(s.base, 30, 1, "docs")
			s.repo.SetBranch("dev", head)
			p := s.moved("dev", "", head, false)
			if p.Push.Files.Completeness == rules.Complete {
				t.Fatalf("files %s", p.Push.Files.Completeness)
			}
			e := s.gateway.Rules().Decide(&p.Push, p.Owed).Explain()
			for _, v := range e.Rules {
				last := v.Checks[len(v.Checks)-1]
				if v.Matched != (v.Name == "api") || last.Field != "paths" || !strings.Contains(last.Note, "503") || !strings.Contains(last.Note, "unknown_files: ") {
					t.Errorf("rule %s: matched %v, %+v", v.Name, v.Matched, last)
				}
			}
			t.Logf("%s: %s", name, e.Rules[0].Checks[len(e.Rules[0].Checks)-1].Note)
		})
	}
}

// TestHostRefuses: credentials that are refused keep nothing waiting.
func TestHostRefuses(t *testing.T) {
	for _, name := range codeHosts() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setUpHost(t, name, codeHostRules, "token: wrong-token", hosttest.Options{Token: hostToken})
			head, _ := s.grow(s.base, 30, 1, "docs")
			s.repo.SetBranch("dev", head)
			p := s.moved("dev", "", head, false)
			if diff := cmp.Diff([]string{"api"}, p.Matched); diff != "" || !strings.Contains(p.Push.Files.Note, "credentials") || strings.Contains(p.Push.Files.Note, "wrong-token") {
				t.Errorf("%q (-want +got):\n%s", p.Push.Files.Note, diff)
			}
		})
	}
}

// TestStatusesOnHost: a build's states come to its commit in their order, and a
// rule that need not be waited for says so.
func TestStatusesOnHost(t *testing.T) {
	want := map[string][3]string{ // of a build that succeeds: first, last; of one skipped
		rules.BitbucketCloud:      {"INPROGRESS", "SUCCESSFUL", "SUCCESSFUL"},
		rules.BitbucketDataCenter: {"INPROGRESS", "SUCCESSFUL", "SUCCESSFUL"},
		rules.GitHub:              {"pending", "success", "success"},
		rules.GitLab:              {"pending", "success", "success"},
		rules.Gitea:               {"pending", "success", "success"},
	}
	for _, name := range codeHosts() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setUpHost(t, name, codeHostRules, "token: "+hostToken, hosttest.Options{Token: hostToken})
			head, _ := s.grow(s.base, 1, 1, "api")
			// The server is away until the host knows that a build waits.
			s.jenkins.Fail(func(*http.Request) *jenkinstest.Fault {
				if len(s.sim.Statuses("acme/shop", head)) > 1 {
					return nil
				}
				return &jenkinstest.Fault{Status: http.StatusServiceUnavailable}
			})
			s.moved("main", s.base, head, false)
			s.until("all statuses told", func() bool {
				at, err := s.ledger.NextStatus(s.t.Context(), "src")
				told := s.sim.Statuses("acme/shop", head)
				return err == nil && at.IsZero() && slices.ContainsFunc(told, func(st hosttest.Status) bool {
					return st.State == want[name][1] && !strings.Contains(st.Description, "skipped")
				})
			})
			byName := map[string][]string{}
			for _, st := range s.sim.Statuses("acme/shop", head) {
				context := st.Key
				if st.Name != "" {
					context = st.Name
				}
				byName[context] = append(byName[context], st.State)
				if st.URL == "" || st.Description == "" {
					t.Errorf("%+v", st)
				}
			}
			built, skipped := byName["pushgate/api/ci/mb/main"], byName["pushgate/web/ci/mb/main"]
			// That it runs is left out where it ends before that is told.
			if len(built) < 2 || len(built) > 3 || built[0] != want[name][0] || built[len(built)-1] != want[name][1] || slices.ContainsFunc(built[:len(built)-1], func(state string) bool { return state == want[name][1] }) {
				t.Errorf("built: %q of %v", built, byName)
			}
			if diff := cmp.Diff([]string{want[name][2]}, skipped); diff != "" {
				t.Errorf("skipped (-want +got):\n%s", diff)
			}
		})
	}
}
