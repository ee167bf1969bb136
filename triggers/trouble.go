package triggers

import (
	"net/http"
	"sync"

	"golang.org/x/sync/errgroup"
)

// AtOnce is how many requests that belong together are under way at once.
const AtOnce = 4

// Each does n things, AtOnce of them together, and returns when all are done.
func Each(n int, do func(i int)) {
	var g errgroup.Group
	g.SetLimit(AtOnce)
	for i := range n {
		g.Go(func() error {
			do(i)
			return nil
		})
	}
	_ = g.Wait()
}

// A Trouble ends a batch of requests on what every other one would meet too. The
// zero value has seen none.
type Trouble struct {
	mu         sync.Mutex
	unanswered int // requests so far
	over       *Error
}

// Met notes the error of one request; all says that it would meet the others too,
// whatever it is.
func (t *Trouble) Met(e *Error, all bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e.Status == 0 && e.Server {
		t.unanswered++
	}
	switch e.Status {
	case http.StatusUnauthorized, http.StatusTooManyRequests, http.StatusServiceUnavailable:
		all = true
	}
	if t.over == nil && (all || t.unanswered > 1 || e.RetryAfter > 0) {
		t.over = e
	}
}

// Over is what ended the batch; nil where it goes on.
func (t *Trouble) Over() *Error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.over
}
