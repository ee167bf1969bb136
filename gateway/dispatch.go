package gateway

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/pushgate/pushgate/gateway/ledger"
	"github.com/pushgate/pushgate/triggers"
)

// maxAge is how long a build may wait to be started.
const maxAge = 7 * 24 * time.Hour

// backoff is how long a build rests after so many failures of its own.
func backoff(failures int) time.Duration {
	switch failures {
	case 0, 1:
		return 5 * time.Second
	case 2:
		return 30 * time.Second
	case 3:
		return 2 * time.Minute
	case 4:
		return 10 * time.Minute
	case 5:
		return 30 * time.Minute
	}
	return time.Hour
}

// rested is how long a build has rested in all after so many failures.
func rested(failures int) (d time.Duration) {
	for n := 1; n <= failures; n++ {
		d += backoff(n)
	}
	return d
}

// jitter spreads a wait by a fifth either way.
func jitter(d time.Duration) time.Duration {
	return d - d/5 + rand.N(2*d/5+1)
}

// start asks the server for one claimed build and records what came of it.
func (s *server) start(ctx context.Context, b *ledger.Build) {
	call, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	c := change(b)
	start, failed := true, (*triggers.Error)(nil)
	if b.Uncertain {
		start, failed = s.settle(call, b, &c)
	}
	if start {
		began := time.Now()
		receipt, err := s.trigger.Start(call, request(b))
		now := time.Now()
		c.Attempt = &ledger.Attempt{At: now, Took: now.Sub(began)}
		c.AbsentAt = time.Time{}
		if err != nil {
			failed = triggers.AsError("start "+b.Target, err)
			s.failed(b, failed, now, &c)
		} else {
			s.accepted(b, receipt, now, &c)
		}
	}
	ok := s.finish(ctx, b, c)
	shut, opened := s.gate.answered(failed)
	switch {
	case shut:
		s.log.Error("the server is away; its builds wait", "error", failed, "hint", failed.Hint)
	case opened:
		s.log.Info("the server answers again")
	}
	signal(s.due) // the ref's next build may go, and so may others
	if ok && failed == nil {
		signal(s.started)
	}
}

func (s *server) accepted(b *ledger.Build, r triggers.Receipt, now time.Time, c *ledger.Change) {
	c.State, c.Reason = ledger.Queued, ""
	c.Handle, c.URL, c.StartedAt = r.Handle, r.URL, now
	c.Merged = r.Outcome == triggers.Merged
	c.Notes = append(c.Notes, r.Notes...)
	c.Attempt.Outcome = string(r.Outcome)
	c.Attempt.Detail = r.Handle
	c.DueAt = now
	if r.Outcome == triggers.Triggered || r.Handle == "" || b.Build.NoFollow {
		c.State, c.DueAt, c.EndedAt = ledger.Triggered, time.Time{}, now
	}
	s.log.Info("started", "build", b.ID, "target", b.Target, "outcome", r.Outcome, "handle", r.Handle, "delivery", b.Delivery)
}

// failed says what a failed start means for the build: dead, or due again.
// What concerns the server as a whole costs the build nothing; a plain 500 is
// counted all the same, since the build itself may be what the server chokes
// on.
func (s *server) failed(b *ledger.Build, e *triggers.Error, now time.Time, c *ledger.Change) {
	c.Reason = e.Error()
	if e.Hint != "" {
		c.Reason += " (" + e.Hint + ")"
	}
	c.Uncertain = c.Uncertain || e.Ambiguous
	c.Attempt.Outcome, c.Attempt.Detail = "temporary", c.Reason
	if e.Ambiguous {
		c.Attempt.Outcome = "unknown"
	}
	age, bound := now.Sub(b.CreatedAt), maxAge
	if e.Within > 0 {
		// Counted from its first failure, not from the push: it may have
		// waited long for other reasons.
		age, bound = rested(b.Failures), e.Within
	}
	if !e.Temporary || age >= bound {
		if e.Temporary {
			c.Reason = fmt.Sprintf("given up after %s: %s", age.Round(time.Second), c.Reason)
		} else {
			c.Attempt.Outcome = "permanent"
		}
		c.State, c.EndedAt = ledger.Dead, now
		s.log.Error("the build is dead", "build", b.ID, "target", b.Target, "error", c.Reason, "delivery", b.Delivery)
		return
	}
	c.State = ledger.Due
	switch {
	case e.RetryAfter > 0:
		c.DueAt = now.Add(e.RetryAfter)
	case e.Server && e.Status != http.StatusInternalServerError:
		c.DueAt = now // the gate holds it back
	default:
		c.Failures++
		c.DueAt = now.Add(min(jitter(backoff(c.Failures)), bound-age))
	}
	s.log.Warn("a start failed and will be tried again", "build", b.ID, "target", b.Target, "error", c.Reason, "due", c.DueAt, "delivery", b.Delivery)
}
