package gateway

import (
	"net/http"
	"sync"
	"time"

	"github.com/pushgate/pushgate/triggers"
)

// A gate holds back starts on a server that failed as a whole. While it is
// shut nothing passes; after its time one start at a time probes the server,
// and the first answer opens the gate. Refused credentials shut it for good:
// trying them again may lock the account, so only a reload, which makes new
// gates, helps. The zero gate has yet to see an answer: it lets one start probe.
type gate struct {
	mu       sync.Mutex
	proven   bool      // the server has answered
	failures int       // in a row
	until    time.Time // shut until then
	forever  bool
	probing  bool
}

const (
	gateShortest = 2 * time.Second
	gateLongest  = time.Minute
)

// pass says how many of n starts may be asked for.
func (g *gate) pass(now time.Time, n int) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.forever:
		return 0
	case g.failures == 0 && g.proven:
		return n
	case g.probing || now.Before(g.until):
		return 0
	}
	g.probing = true
	return 1
}

// locked says that the gate is shut for good.
func (g *gate) locked() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.forever
}

// unused takes back a pass for which there was no build.
func (g *gate) unused() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.probing = false
}

// wait is how long the gate stays shut.
func (g *gate) wait(now time.Time) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.forever:
		return idlePoll
	case g.failures == 0:
		return 0
	}
	return g.until.Sub(now)
}

// answered tells the gate how a start went; it reports whether that changed
// anything.
func (g *gate) answered(e *triggers.Error) (shut, opened bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.forever {
		return false, false
	}
	if e == nil || !e.Server {
		opened = g.failures > 0
		g.proven, g.failures, g.probing = true, 0, false
		return false, opened
	}
	if g.failures > 0 && !g.probing && e.Status != http.StatusUnauthorized {
		return false, false // asked for before the gate shut: no news
	}
	shut = g.failures == 0
	d := min(gateShortest<<min(g.failures, 10), gateLongest)
	g.failures++
	g.probing = false
	g.forever = e.Status == http.StatusUnauthorized
	g.until = time.Now().Add(max(jitter(d), e.RetryAfter))
	return shut, false
}
