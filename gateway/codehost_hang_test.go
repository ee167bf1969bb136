package gateway

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pushgate/pushgate/gateway/host"
	"github.com/pushgate/pushgate/gateway/host/hosttest"
	"github.com/pushgate/pushgate/gateway/ledger"
	"github.com/pushgate/pushgate/internal/simfault"
	"github.com/pushgate/pushgate/rules"
)

// TestHostHangs: while a host answers nothing, pushes that need nothing of it are
// decided, those of other sources too, and the end comes when it is asked for.
func TestHostHangs(t *testing.T) {
	hangs := make(chan struct{})
	api := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		select {
		case <-r.Context().Done():
		case <-hangs:
		}
	}))
	defer api.Close()
	defer close(hangs)
	text := strings.NewReplacer("HOST", rules.BitbucketCloud, "SIM", api.URL, "secret: hook-secret", "insecure: true", "CREDENTIALS", "token: t",
		"sources: {", "sources: {free: {host: bitbucket-cloud, insecure: true}, ").Replace(codeHostRules) +
		`- {name: any, repos: acme/any, start: {server: ci, job: "mb/main", parameters: {COMMIT: "{{.Commit}}"}}}` + "\n"
	s := setUp(t, text, func(o *Options) { o.DrainFor = 100 * time.Millisecond })
	h := host.PushHeader(rules.BitbucketCloud)
	for i := range 20 {
		if status, answer := s.sendWith("/hooks/src", h, bytes.ReplaceAll(manyRefs("acme/shop", 1), []byte("b00000"), fmt.Appendf(nil, "c%d", i))); status != http.StatusAccepted {
			t.Fatal(status, answer)
		}
	}
	for _, at := range []string{"/hooks/free", "/hooks/src"} {
		if status, answer := s.sendWith(at, h, manyRefs("acme/any", 3)); status != http.StatusAccepted {
			t.Fatal(status, answer)
		}
	}
	s.until("those that need nothing are decided, and built", func() bool {
		n := 0
		for _, p := range s.pushes() {
			switch {
			case p.DecidedAt.IsZero():
			case p.Push.Repo == "acme/any":
				n++
			case p.Push.Files.Note == "":
				t.Errorf("%s was decided without asking: %+v", p.Push.Ref, p.Push.Files)
			}
		}
		return n == 6 && !slices.ContainsFunc(s.builds(), func(b ledger.Build) bool { return b.Build.Rules[0] == "any" && b.State != ledger.Succeeded })
	})
	s.stop() // or the test never ends
}

// TestStatusesUnderFaults: a host that takes a status and breaks off is told
// again, and never an older state after a newer one, also where many builds end
// together.
func TestStatusesUnderFaults(t *testing.T) {
	const n = 60
	text := codeHostRules
	for i := range n {
		text += fmt.Sprintf(`- {name: r%d, repos: acme/shop, start: {server: ci, job: "mb/main", parameters: {MESSAGE: "%d"}}}`+"\n", i, i)
	}
	for _, name := range []string{rules.GitHub, rules.BitbucketCloud} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setUpHost(t, name, text, "token: "+hostToken, hosttest.Options{Token: hostToken})
			posts, later := 0, 0
			s.sim.Break(simfault.Fault{After: true, Drop: true, Times: 5, Match: func(r *http.Request) bool {
				if r.Method == http.MethodPost {
					posts++
				}
				return r.Method == http.MethodPost && posts%3 == 0
			}})
			s.sim.Break(simfault.Fault{Drop: true, Times: 5, Match: func(r *http.Request) bool {
				if r.Method == http.MethodPost {
					later++
				}
				return r.Method == http.MethodPost && later > n+20 && later%7 == 0
			}})
			head, _ := s.grow(s.base, 1, 1, "docs")
			s.moved("main", s.base, head, false)
			rank := map[string]int{"pending": 0, "INPROGRESS": 0, "success": 1, "SUCCESSFUL": 1}
			last := map[string]int{}
			s.until("all told", func() bool {
				at, err := s.ledger.NextStatus(t.Context(), "src")
				clear(last)
				done := 0
				for _, st := range s.sim.Statuses("acme/shop", head) {
					r, known := rank[st.State]
					if !known || r < last[st.Key] {
						t.Fatalf("%s: %s after a newer one", st.Key, st.State)
					}
					if last[st.Key] = r; r == 1 {
						done++
					}
				}
				return err == nil && at.IsZero() && done >= n
			})
			if len(last) < n {
				t.Errorf("%d contexts", len(last))
			}
		})
	}
}
