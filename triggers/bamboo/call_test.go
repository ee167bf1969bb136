package bamboo

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptrace"
	"testing"

	"github.com/pushgate/pushgate/triggers"
)

// failing is a transport that gets as far as its steps say.
type failing struct {
	steps []string
	err   error
}

func (f failing) RoundTrip(r *http.Request) (*http.Response, error) {
	trace := httptrace.ContextClientTrace(r.Context())
	hooks := map[string]func(){
		"get":   func() { trace.GetConn("ci.invalid:80") },
		"got":   func() { trace.GotConn(httptrace.GotConnInfo{}) },
		"wrote": func() { trace.WroteHeaders() },
	}
	for _, step := range f.steps {
		hooks[step]()
	}
	return nil, f.err
}

// TestHowFarARequestGot: ambiguous is what may have reached the server.
func TestHowFarARequestGot(t *testing.T) {
	reset := errors.New("connection reset by peer")
	tests := []struct {
		name  string
		steps []string
		err   error
		want  bool
	}{
		{"no connection", []string{"get"}, reset, false},
		{"no connection in time", []string{"get"}, context.DeadlineExceeded, false},
		{"connected, broken before writing", []string{"get", "got"}, reset, false},
		{"connected, out of time while writing may have begun", []string{"get", "got"}, context.DeadlineExceeded, true},
		{"written", []string{"get", "got", "wrote"}, reset, true},
		{"a dead kept-alive connection, then none", []string{"get", "got", "wrote", "get"}, reset, false},
		{"a dead kept-alive connection, then a live one", []string{"get", "got", "wrote", "get", "got", "wrote"}, reset, true},
	}
	for _, tt := range tests {
		client := newClient(t, Options{URL: "https://ci.invalid", Token: token, Transport: failing{tt.steps, tt.err}})
		_, err := client.Start(t.Context(), triggers.Request{Target: "SHOP-API"})
		got, e := failureOf(t, err)
		if got.Ambiguous != tt.want || !got.Temporary || !got.Server {
			t.Errorf("%s: %v: %+v, want ambiguous %t", tt.name, err, got, tt.want)
		}
		if !errors.Is(e, tt.err) {
			t.Errorf("%s: %v does not wrap the cause", tt.name, err)
		}
	}
}
