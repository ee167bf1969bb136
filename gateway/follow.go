package gateway

import (
	"context"
	"net/http"
	"time"

	"github.com/pushgate/pushgate/gateway/ledger"
	"github.com/pushgate/pushgate/triggers"
)

// longestLook bounds the time between two looks at a build.
const longestLook = 30 * time.Second

// look asks the server how a started build stands.
func (s *server) look(ctx context.Context, b *ledger.Build) {
	call, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	defer signal(s.started) // its next look may be due before all others
	state, err := s.trigger.State(call, request(b), b.Handle)
	now := time.Now()
	c := change(b)
	if err != nil {
		// The build runs on; only the look failed.
		e := triggers.AsError("look at "+b.Target, err)
		s.log.Warn("a look at a build failed", "build", b.ID, "error", e, "hint", e.Hint)
		if e.Status == http.StatusUnauthorized {
			s.gate.answered(e)
		}
		c.DueAt = now.Add(max(s.lookAgain(b, now), e.RetryAfter, min(10*time.Second, 10*s.followEvery)))
		s.finish(ctx, b, c)
		return
	}
	c.State, c.Reason, c.Handle = ledger.State(state.Phase), state.Why, state.Handle
	if state.URL != "" {
		c.URL = state.URL
	}
	if state.Phase.Ended() {
		c.EndedAt = now
	} else {
		c.DueAt = now.Add(s.lookAgain(b, now))
	}
	if s.finish(ctx, b, c) && c.State != b.State {
		s.log.Info("followed", "build", b.ID, "target", b.Target, "state", c.State, "delivery", b.Delivery)
	}
}

// lookAgain grows with the build's age: short builds are seen to end at once,
// long ones are not asked about in vain.
func (s *server) lookAgain(b *ledger.Build, now time.Time) time.Duration {
	return jitter(min(max(now.Sub(b.StartedAt)/20, s.followEvery), longestLook))
}
