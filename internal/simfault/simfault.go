// Package simfault is how simulated servers go wrong: an answer that comes late,
// or with another status, or never. The simulations of servers embed a [Faults]
// and hand their requests to [Serve].
package simfault

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// A Fault is trouble for the requests that it matches. Exactly one of Hang,
// Drop and Status says what the client sees; with none of them the request is
// answered after Delay as if nothing were.
type Fault struct {
	// Match picks requests; nil picks all.
	Match func(*http.Request) bool
	// Times is how many requests it holds for; 0 is all, until [Faults.Heal].
	Times int
	// After has the request carried out before the trouble shows: what it asked
	// for is done, and nobody hears of it.
	After bool
	// Delay passes first; it ends early when the client goes away.
	Delay time.Duration

	// Hang gives no answer until the client goes away.
	Hang bool
	// Drop breaks the connection. The handler panics with http.ErrAbortHandler,
	// which net/http's server takes as that; a test without it must, too.
	Drop bool
	// Status answers with Header and Body, as HTML where the body looks like it
	// and Header says nothing.
	Status int
	Header http.Header
	Body   string

	left int
}

// Faults are the faults of a server, none to begin with. They may be used by
// several goroutines at once.
type Faults struct {
	mu     sync.Mutex
	faults []*Fault
	down   bool
}

// Break adds a fault. The oldest that matches a request has it.
func (f *Faults) Break(fault Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fault.left = fault.Times
	f.faults = append(f.faults, &fault)
}

// Heal takes all faults away.
func (f *Faults) Heal() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = nil
}

// Down has every request answered with 503 and a page, as a server that starts
// up does; Down(false) ends that.
func (f *Faults) Down(down bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.down = down
}

// Serve answers a request whose body was read: by down while the server is
// down, in the way of a fault that matches it, else by up.
func Serve(f *Faults, w http.ResponseWriter, r *http.Request, up, down http.Handler) {
	fault, isDown := f.take(r)
	switch {
	case isDown:
		down.ServeHTTP(w, r)
	case fault != nil:
		fault.serve(w, r, up)
	default:
		up.ServeHTTP(w, r)
	}
}

// take gives a copy of the fault for r, counted; nil for none.
func (f *Faults) take(r *http.Request) (fault *Fault, down bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.down {
		return nil, true
	}
	i := slices.IndexFunc(f.faults, func(f *Fault) bool { return f.Match == nil || f.Match(r) })
	if i < 0 {
		return nil, false
	}
	found := f.faults[i]
	if found.Times > 0 {
		if found.left--; found.left == 0 {
			f.faults = slices.Delete(f.faults, i, i+1)
		}
	}
	taken := *found
	return &taken, false
}

func (f *Fault) serve(w http.ResponseWriter, r *http.Request, next http.Handler) {
	if f.Delay > 0 {
		t := time.NewTimer(f.Delay)
		defer t.Stop()
		select {
		case <-t.C:
		case <-r.Context().Done():
			panic(http.ErrAbortHandler)
		}
	}
	visible := f.Hang || f.Drop || f.Status != 0
	if !visible {
		next.ServeHTTP(w, r)
		return
	}
	if f.After {
		next.ServeHTTP(unheard{}, r)
	}
	if f.Hang {
		<-r.Context().Done()
	}
	if f.Hang || f.Drop {
		panic(http.ErrAbortHandler)
	}
	for name, values := range f.Header {
		w.Header()[name] = values
	}
	if w.Header().Get("Content-Type") == "" {
		kind := "application/json"
		if strings.HasPrefix(strings.TrimSpace(f.Body), "<") {
			kind = "text/html; charset=utf-8"
		}
		w.Header().Set("Content-Type", kind)
	}
	w.WriteHeader(f.Status)
	_, _ = w.Write([]byte(f.Body))
}

// unheard is a response that nobody reads. (net/http/httptest has one, but
// brings a flag into every program that imports it.)
type unheard struct{}

func (unheard) Header() http.Header         { return http.Header{} }
func (unheard) Write(p []byte) (int, error) { return len(p), nil }
func (unheard) WriteHeader(int)             {}
