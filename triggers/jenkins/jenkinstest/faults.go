package jenkinstest

import (
	"bytes"
	"maps"
	"net/http"
	"time"
)

// A Fault is how one request goes wrong. Its parts happen in this order.
type Fault struct {
	// Carry carries the request out first; its answer is given in the end,
	// unless something else is.
	Carry bool
	// Delay holds the answer back.
	Delay time.Duration
	// Hang waits until the caller is gone.
	Hang bool
	// Drop breaks the connection without an answer, by panicking with
	// [http.ErrAbortHandler] as the http package wants it.
	Drop bool
	// Status, Header and Body are answered; with Status 0 the request is
	// answered as if nothing was wrong.
	Status int
	Header http.Header
	Body   string
}

// Fail sets what may go wrong: f sees every request, and nil from it means
// that nothing does. A nil f ends all faults. f must not read the body and may
// be called from several goroutines at once.
func (c *Controller) Fail(f func(*http.Request) *Fault) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fault = f
}

// fail plays a fault, and says whether it answered the request.
func (f *Fault) fail(w http.ResponseWriter, r *http.Request, carry func(http.ResponseWriter)) bool {
	done := kept{header: http.Header{}, status: http.StatusOK}
	if f.Carry {
		carry(&done)
	}
	if f.Delay > 0 {
		timer := time.NewTimer(f.Delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
		}
	}
	if f.Hang {
		<-r.Context().Done()
	}
	if f.Drop || f.Hang {
		panic(http.ErrAbortHandler)
	}
	if f.Status != 0 {
		done = kept{header: f.Header, status: f.Status}
		done.body.WriteString(f.Body)
	} else if !f.Carry {
		return false
	}
	maps.Copy(w.Header(), done.header)
	w.WriteHeader(done.status)
	_, _ = w.Write(done.body.Bytes())
	return true
}

// kept is a ResponseWriter for an answer that is given later or never.
type kept struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (k *kept) Header() http.Header         { return k.header }
func (k *kept) Write(p []byte) (int, error) { return k.body.Write(p) }
func (k *kept) WriteHeader(status int)      { k.status = status }
