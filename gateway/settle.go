package gateway

import (
	"context"
	"time"

	"github.com/pushgate/pushgate/gateway/ledger"
	"github.com/pushgate/pushgate/triggers"
)

// startLife is how long a start that nobody waits for any more may still make a
// build on its server.
const startLife = 20 * time.Second

// settle finds out what became of an earlier start of an uncertain build: the
// process died, or the answer was lost. It says whether a start is to be asked
// for; otherwise the change is what came of it: adopted, or due again.
//
// A build that is there is adopted. One that is provably not there is started
// after a second look that finds nothing either, once a request still on its way
// must have ended. Where it cannot be known, the server's on_uncertain decides,
// and the build stays marked.
func (s *server) settle(ctx context.Context, b *ledger.Build, c *ledger.Change) (start bool, err *triggers.Error) {
	began := time.Now()
	found, e := s.trigger.Find(ctx, request(b), b.AskedAt)
	now := time.Now()
	c.Attempt = &ledger.Attempt{At: now, Took: now.Sub(began)}
	if e != nil {
		failed := triggers.AsError("look for "+b.Target, e)
		failed.Ambiguous = true // the start still is
		s.failed(b, failed, now, c)
		return false, failed
	}
	log := s.log.With("build", b.ID, "target", b.Target, "delivery", b.Delivery)
	switch found.Presence {
	case triggers.Present:
		c.Uncertain, c.Merged, c.Reason = false, false, found.State.Why
		c.State, c.Handle, c.URL = ledger.State(found.State.Phase), found.State.Handle, found.State.URL
		c.StartedAt, c.DueAt = b.AskedAt, now
		if b.Build.NoFollow {
			c.State = ledger.Triggered // started is enough
		}
		if c.State.Ended() {
			c.EndedAt, c.DueAt = now, time.Time{}
		}
		c.Attempt.Outcome, c.Attempt.Detail = "found", "an earlier start had reached the server: "+found.State.Handle
		log.Info("an earlier start had reached the server", "handle", found.State.Handle)
	case triggers.Absent:
		if !b.AbsentAt.IsZero() && now.Sub(b.AbsentAt) >= s.startLife {
			c.Uncertain = false
			return true, nil
		}
		if c.AbsentAt.IsZero() {
			c.AbsentAt = now
		}
		c.State, c.DueAt = ledger.Due, c.AbsentAt.Add(s.startLife)
		c.Attempt.Outcome, c.Attempt.Detail = "absent", "the server does not know it; it is looked for once more before it is started again"
		c.Reason = "an earlier start did not reach the server, as far as that can be seen; a second look follows"
	default:
		if !s.holds {
			return true, nil
		}
		c.State, c.EndedAt = ledger.Dead, now
		c.Reason = "it cannot be known whether an earlier start reached the server (" + found.Why + "); on_uncertain of the server is hold: see there whether it ran"
		c.Attempt.Outcome, c.Attempt.Detail = "unknown", found.Why
		log.Error("the build is held: whether it was started cannot be known", "why", found.Why)
	}
	return false, nil
}
