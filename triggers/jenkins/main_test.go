package jenkins

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/pushgate/pushgate/triggers"
	"github.com/pushgate/pushgate/triggers/jenkins/jenkinstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// tape remembers the requests that passed it.
type tape struct {
	next http.Handler
	mu   sync.Mutex
	seen []*http.Request
}

func (tp *tape) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	tp.mu.Lock()
	tp.seen = append(tp.seen, r.Clone(r.Context()))
	tp.mu.Unlock()
	tp.next.ServeHTTP(w, r)
}

// lines gives "METHOD uri" of all requests whose line contains part.
func (tp *tape) lines(part string) []string {
	tp.mu.Lock()
	defer tp.mu.Unlock()
	var lines []string
	for _, r := range tp.seen {
		if line := r.Method + " " + r.RequestURI; strings.Contains(line, part) {
			lines = append(lines, line)
		}
	}
	return lines
}

// header gives the values of a header in all POSTs.
func (tp *tape) header(name string) []string {
	tp.mu.Lock()
	defer tp.mu.Unlock()
	var values []string
	for _, r := range tp.seen {
		if r.Method == http.MethodPost {
			values = append(values, r.Header.Get(name))
		}
	}
	return slices.Clip(values)
}

// serve puts a handler on a real socket and a Server before it. Options but
// URL and Transport are taken from o.
func serve(t testing.TB, h http.Handler, o Options) (*Server, *tape, *httptest.Server) {
	t.Helper()
	tp := &tape{next: h}
	web := httptest.NewServer(tp)
	transport := &http.Transport{}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		web.Close()
	})
	o.URL = web.URL + o.URL
	o.Transport = transport
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s, tp, web
}

func withToken() Options    { return Options{User: "ci", Token: "t0ken-canary"} }
func withPassword() Options { return Options{User: "ci", Password: "passw0rd-canary"} }

// controller is a simulated Jenkins that knows the two users above.
func controller(o jenkinstest.Options) *jenkinstest.Controller {
	o.Users = map[string]jenkinstest.User{"ci": {Token: "t0ken-canary", Password: "passw0rd-canary"}}
	return jenkinstest.New(o)
}

func failure(t testing.TB, err error) *triggers.Error {
	t.Helper()
	e, ok := errors.AsType[*triggers.Error](err)
	if !ok {
		t.Fatalf("error %v is a %T, want a *triggers.Error", err, err)
	}
	return e
}

func declare(names ...string) []jenkinstest.Parameter {
	var list []jenkinstest.Parameter
	for _, name := range names {
		list = append(list, jenkinstest.Parameter{Name: name, Default: "default of " + name})
	}
	return list
}
