package gateway

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pushgate/pushgate/gateway/host/api"
	"github.com/pushgate/pushgate/gateway/host/hosttest"
	"github.com/pushgate/pushgate/gateway/ledger"
	"github.com/pushgate/pushgate/rules"
)

// branches sends a push for each of n new branches, without waiting for what comes
// of them.
func (s *codeHostStage) branches(n int, name string) {
	s.t.Helper()
	head, _ := s.grow(s.base, 30, 1, name)
	for i := range n {
		branch := name + string(rune('a'+i%26)) + string(rune('a'+i/26))
		s.repo.SetBranch(branch, head)
		h, body := s.sim.Webhook("acme/shop", "refs/heads/"+branch, "", head, false, hostSecret)
		if status, answer := s.sendWith("/hooks/src", h, body); status != http.StatusAccepted {
			s.t.Fatalf("%d %s", status, answer)
		}
	}
}

// notes gives why the lists of files of all pushes are not complete.
func (s *codeHostStage) notes() []string {
	s.t.Helper()
	list, err := s.ledger.Deliveries(s.t.Context(), ledger.Filter{Limit: 100})
	if err != nil {
		s.t.Fatal(err)
	}
	var out []string
	for i := range list {
		pushes, err := s.ledger.Pushes(s.t.Context(), &list[i])
		if err != nil || len(pushes) != 1 || pushes[0].State != ledger.PushDecided {
			s.t.Fatalf("%+v, %v", pushes, err)
		}
		out = append(out, pushes[0].Push.Files.Note)
	}
	return out
}

// TestRest: a host that limits the rate for long, or refuses the credentials, is
// left alone. Pushes that come by then, or wait for it, are decided at once, and
// say why.
func TestRest(t *testing.T) {
	for _, c := range []struct {
		name, note string
		fault      hosttest.Fault
	}{
		{"limited", "too many requests", hosttest.Fault{Delay: 300 * time.Millisecond, Status: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"3000"}}}},
		{"refused", "credentials refused", hosttest.Fault{Delay: 300 * time.Millisecond, Status: http.StatusUnauthorized}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := setUpHost(t, rules.GitHub, codeHostRules, "token: "+hostToken, hosttest.Options{Token: hostToken})
			s.sim.Break(c.fault)
			began := time.Now()
			s.branches(20, "flood")
			s.until("all decided", func() bool {
				deliveries, _, err := s.ledger.Unfinished(t.Context())
				return err == nil && deliveries == 0
			})
			if took := time.Since(began); took > 8*time.Second {
				t.Errorf("decided after %s", took)
			}
			// Those under way when the first answer came, of lookups and statuses.
			if n := len(s.sim.Requests()); n > maxAsked+maxTold {
				t.Errorf("%d requests", n)
			}
			if i := slices.IndexFunc(s.notes(), func(n string) bool { return !strings.Contains(n, c.note) }); i >= 0 {
				t.Errorf("note %q", s.notes()[i])
			}
			before := len(s.sim.Requests())
			s.branches(1, "later")
			s.until("decided", func() bool {
				deliveries, _, err := s.ledger.Unfinished(t.Context())
				return err == nil && deliveries == 0
			})
			if n := len(s.sim.Requests()); n != before || !strings.Contains(s.notes()[0], "not asked for now: "+c.note) {
				t.Errorf("%d more requests, note %q", n-before, s.notes()[0])
			}
			// A reload ends it.
			s.sim.Heal()
			if err := s.gateway.SetRules(t.Context(), s.gateway.Rules()); err != nil {
				t.Fatal(err)
			}
			s.branches(1, "healed")
			s.until("decided", func() bool {
				deliveries, _, err := s.ledger.Unfinished(t.Context())
				return err == nil && deliveries == 0
			})
			if note := s.notes()[0]; note != "" {
				t.Errorf("after a reload: %q", note)
			}
		})
	}
}

// TestRestKeepsTheLongest: a shorter rest does not end a longer one.
func TestRestKeepsTheLongest(t *testing.T) {
	s := setUpHost(t, rules.GitHub, codeHostRules, "token: "+hostToken, hosttest.Options{Token: hostToken})
	h := s.gateway.codeHost("src")
	h.rest(t.Context(), &api.Error{Host: true, Temporary: true, RetryAfter: time.Hour})
	h.rest(t.Context(), &api.Error{Host: true, Temporary: true, RetryAfter: time.Minute})
	h.rest(t.Context(), &api.Error{Host: true, Temporary: true})
	if got := h.rests(); got < 59*time.Minute {
		t.Errorf("rests %s", got)
	}
}

// TestHostFails: a host that is away is not asked as fast as it refuses.
func TestHostFails(t *testing.T) {
	s := setUpHost(t, rules.GitHub, codeHostRules, "token: "+hostToken, hosttest.Options{Token: hostToken})
	s.sim.Down(true)
	began := time.Now()
	s.branches(30, "flood")
	s.until("all decided", func() bool {
		deliveries, _, err := s.ledger.Unfinished(t.Context())
		return err == nil && deliveries == 0
	})
	if n, most := len(s.sim.Requests()), (maxAsked+maxTold)*(2+int(time.Since(began)/failRest)); n > most {
		t.Errorf("%d requests in %s, %d at most", n, time.Since(began), most)
	}
}

// TestYoungStatus: a commit that the host does not know yet is told of again.
func TestYoungStatus(t *testing.T) {
	s := setUpHost(t, rules.GitHub, codeHostRules, "token: "+hostToken, hosttest.Options{Token: hostToken})
	s.sim.Break(hosttest.Fault{Match: func(r *http.Request) bool { return r.Method == http.MethodPost }, Times: 100, Status: http.StatusUnprocessableEntity})
	head, _ := s.grow(s.base, 1, 1, "docs")
	s.moved("main", s.base, head, false)
	s.until("a status was refused", func() bool {
		for _, r := range s.sim.Requests() {
			if strings.HasPrefix(r, "POST") {
				return true
			}
		}
		return false
	})
	s.until("it is due again", func() bool {
		at, err := s.ledger.NextStatus(t.Context(), "src")
		return err == nil && at.After(time.Now())
	})
}

// TestDrain: a host that hangs does not keep a gateway from ending in its time, and
// what was asked is asked again after.
func TestDrain(t *testing.T) {
	s := setUpHost(t, rules.GitHub, codeHostRules, "token: "+hostToken, hosttest.Options{Token: hostToken}, func(o *Options) { o.DrainFor = 200 * time.Millisecond })
	s.sim.Break(hosttest.Fault{Hang: true})
	s.branches(10, "hang")
	s.until("it is asked", func() bool { return len(s.sim.Requests()) >= maxAsked })
	began := time.Now()
	s.stop()
	if took := time.Since(began); took < 200*time.Millisecond || took > 2*time.Second {
		t.Errorf("ended after %s", took)
	}
	deliveries, _, err := s.ledger.Unfinished(t.Context())
	if err != nil || deliveries != 10 {
		t.Errorf("%d pushes wait, %v", deliveries, err)
	}
	if at, err := s.ledger.NextLookup(t.Context(), "src"); err != nil || at.IsZero() {
		t.Errorf("nothing is asked again, %v", err)
	}
}
