package gateway

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/pushgate/pushgate/gateway/ledger"
	"github.com/pushgate/pushgate/triggers"
)

const (
	// longestLook bounds the time between two looks at a build.
	longestLook = 30 * time.Second
	// maxFinishes bounds how many looks are recorded at once; the ledger commits
	// them together.
	maxFinishes = 64
)

// look asks the server how started builds stand, all together.
func (s *server) look(ctx context.Context, builds *[]ledger.Build) {
	call, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	defer signal(s.started) // their next look may be due before all others
	list := make([]triggers.Followed, len(*builds))
	for i := range *builds {
		b := &(*builds)[i]
		list[i] = triggers.Followed{Request: request(b), Handle: b.Handle}
	}
	looked := s.trigger.States(call, list)
	var wg sync.WaitGroup
	defer wg.Wait()
	free := make(chan struct{}, maxFinishes)
	for i := range looked {
		free <- struct{}{}
		wg.Go(func() {
			defer func() { <-free }()
			s.looked(ctx, &(*builds)[i], looked[i])
		})
	}
}

// looked records what a look at a build found.
func (s *server) looked(ctx context.Context, b *ledger.Build, l triggers.Looked) {
	now := time.Now()
	c := change(b)
	if l.Err != nil {
		// The build runs on; only the look failed.
		e := triggers.AsError("look at "+b.Target, l.Err)
		s.log.Warn("a look at a build failed", "build", b.ID, "error", e, "hint", e.Hint)
		if e.Status == http.StatusUnauthorized {
			s.gate.answered(e)
		}
		c.DueAt = now.Add(max(s.lookAgain(b, now), e.RetryAfter, min(10*time.Second, 10*s.followEvery)))
		s.finish(ctx, b, c)
		return
	}
	c.State, c.Reason, c.Handle = ledger.State(l.State.Phase), l.State.Why, l.State.Handle
	if l.State.URL != "" {
		c.URL = l.State.URL
	}
	if l.State.Phase.Ended() {
		c.EndedAt = now
	} else {
		c.DueAt = now.Add(s.lookAgain(b, now))
	}
	if s.finish(ctx, b, c) && c.State != b.State {
		s.log.Info("followed", "build", b.ID, "target", b.Target, "state", c.State, "delivery", b.Delivery)
		if l.State.Phase.Ended() {
			signal(s.due) // the server may take another one
		}
	}
}

// lookAgain grows with the build's age: short builds are seen to end at once,
// long ones are not asked about in vain.
func (s *server) lookAgain(b *ledger.Build, now time.Time) time.Duration {
	return jitter(min(max(now.Sub(b.StartedAt)/20, s.followEvery), longestLook))
}
