package bambootest

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// A Fault is trouble for the requests that it matches. Exactly one of Hang,
// Drop and Status says what the client sees; with none of them the request is
// answered after Delay as if nothing were.
type Fault struct {
	// Match picks requests; nil picks all.
	Match func(*http.Request) bool
	// Times is how many requests it holds for; 0 is all, until [Server.Heal].
	Times int
	// After has the request carried out before the trouble shows: the build is
	// queued, and nobody hears of it.
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

// Queueing matches the POST that queues a build, for Fault.Match.
func Queueing(r *http.Request) bool {
	return r.Method == http.MethodPost && strings.Contains(r.URL.Path, "/queue/")
}

// Break adds a fault. The oldest that matches a request has it.
func (s *Server) Break(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f.left = f.Times
	s.faults = append(s.faults, &f)
}

// Heal takes all faults away.
func (s *Server) Heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// Down has every request answered with 503 and a page, as a Bamboo that starts
// up does; Down(false) ends that. Builds go on by the clock.
func (s *Server) Down(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
}

func (s *Server) isDown() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.down
}

// takeFault gives a copy of the fault for r, counted; nil for none.
func (s *Server) takeFault(r *http.Request) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.faults, func(f *Fault) bool { return f.Match == nil || f.Match(r) })
	if i < 0 {
		return nil
	}
	f := s.faults[i]
	if f.Times > 0 {
		if f.left--; f.left == 0 {
			s.faults = slices.Delete(s.faults, i, i+1)
		}
	}
	found := *f
	return &found
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
