package bamboo

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/pushgate/pushgate/triggers"
	"github.com/pushgate/pushgate/triggers/bamboo/bambootest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const token = "canary-token-7f3a"

// site is a simulated Bamboo behind a real socket, with a client for it.
type site struct {
	*bambootest.Server
	http   *httptest.Server
	client *Server
}

func newSite(t *testing.T, o bambootest.Options) *site {
	t.Helper()
	if o.Tokens == nil && o.Users == nil {
		o.Tokens = map[string]bambootest.Permission{token: bambootest.Trigger}
	}
	sim := bambootest.New(o)
	web := httptest.NewServer(sim)
	t.Cleanup(web.Close)
	return &site{Server: sim, http: web, client: newClient(t, Options{URL: web.URL + o.ContextPath, Token: token})}
}

// newClient has connections of its own, closed with the test.
func newClient(t *testing.T, o Options) *Server {
	t.Helper()
	if o.Transport == nil {
		transport := &http.Transport{}
		t.Cleanup(transport.CloseIdleConnections)
		o.Transport = transport
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// serving gives a client of a server that answers anything with handler.
func serving(t *testing.T, handler http.HandlerFunc) *Server {
	t.Helper()
	web := httptest.NewServer(handler)
	t.Cleanup(web.Close)
	return newClient(t, Options{URL: web.URL, Token: token, Timeout: 10 * time.Second})
}

// failure is the part of an error that callers decide by.
type failure struct {
	Status                       int
	Temporary, Server, Ambiguous bool
	RetryAfter, Within           time.Duration
}

func failureOf(t *testing.T, err error) (failure, *triggers.Error) {
	t.Helper()
	e, ok := errors.AsType[*triggers.Error](err)
	if !ok {
		t.Fatalf("error is %T %v, want a *triggers.Error", err, err)
	}
	return failure{e.Status, e.Temporary, e.Server, e.Ambiguous, e.RetryAfter, e.Within}, e
}
