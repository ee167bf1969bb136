package gateway

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pushgate/pushgate/gateway/host/hosttest"
	"github.com/pushgate/pushgate/rules"
)

// TestLostWebhook: what a push changed whose webhook was lost is built with the next
// one of its ref; where the host cannot tell, the next is decided by its own word.
func TestLostWebhook(t *testing.T) {
	for _, name := range codeHosts() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setUpHost(t, name, codeHostRules, "token: "+hostToken, hosttest.Options{Token: hostToken})
			first, _ := s.grow(s.base, 1, 1, "docs")
			s.moved("main", s.base, first, false)
			lost, names := s.grow(first, 2, 3, "web")
			next, docs := s.grow(lost, 1, 1, "docs/next")
			p := s.moved("main", lost, next, false)
			want := slices.Sorted(slices.Values(append(docs, names...)))
			if diff := cmp.Diff(want, sorted(p)); diff != "" || !p.Gap || p.Push.Files.Completeness != rules.Complete || p.Push.Before != lost || p.Push.Event != rules.Pushed {
				t.Errorf("gap %v, %s from %s, %s (-want +got):\n%s", p.Gap, p.Push.Event, p.Push.Before, p.Push.Files.Completeness, diff)
			}
			if diff := cmp.Diff([]string{"web"}, p.Matched); diff != "" {
				t.Errorf("matched (-want +got):\n%s", diff)
			}
			s.sim.Down(true)
			lost, _ = s.grow(next, 1, 1, "web/again")
			next, _ = s.grow(lost, 1, 1, "web/last")
			if p = s.moved("main", lost, next, false); !p.Gap || p.Push.Before != lost {
				t.Errorf("with the host away: %+v", p)
			}
			// One that is in order is not asked about from elsewhere.
			s.sim.Down(false)
			more, docs := s.grow(next, 1, 1, "docs/more")
			if p = s.moved("main", next, more, false); p.Gap || cmp.Diff(docs, sorted(p)) != "" {
				t.Errorf("in order: gap %v, files %q", p.Gap, p.Push.Files.Paths)
			}
		})
	}
}
