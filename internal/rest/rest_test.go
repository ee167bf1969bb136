package rest

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-resty/resty/v2"
)

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"":                              0,
		"0":                             0,
		"-5":                            0,
		"-9223372036854775807":          0,
		"-18446744073":                  0,
		"30":                            30 * time.Second,
		"99999999999":                   MaxRetryAfter,
		"99999999999999999999999":       0,
		"soon":                          0,
		"5.5":                           0,
		"Sun, 01 Mar 2026 12:01:00 GMT": time.Minute,
		"Sun, 01 Mar 2026 11:00:00 GMT": 0,
		"Sun, 01 Mar 2099 12:00:00 GMT": MaxRetryAfter,
	} {
		if got := RetryAfter(value, now); got != want {
			t.Errorf("RetryAfter(%q) = %s, want %s", value, got, want)
		}
	}
}

func TestCleaner(t *testing.T) {
	c := Cleaner{"pa55", ""}
	got := c.Text("pa55 \u202eevil\u2066 " + strings.Repeat("ü", 10000))
	if n := len([]rune(got)); n != maxWords+1 || !strings.HasPrefix(got, "… evil ü") {
		t.Errorf("%d characters: %.60q", n, got)
	}
	if got := (Cleaner{"two  words"}).Text("x two  words"); got != "x …" {
		t.Errorf("a secret of two words: %q", got)
	}
	if got := c.Text("p\u200ba5\x005"); got != "…" {
		t.Errorf("a secret in pieces: %q", got)
	}
	if err := c.Cause(errors.New("dial pa55\nfailed")); err.Error() != "dial … failed" {
		t.Errorf("%q", err)
	}
	if err := c.Destination("https://u:pw@example.com/login?session=1#x"); err.Error() != `to "https://example.com/login"` {
		t.Errorf("%q", err)
	}
}

// TestClient: credentials follow no redirect, answers are bounded, nothing is
// sent twice.
func TestClient(t *testing.T) {
	strayed, asked := 0, 0
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { strayed++ }))
	defer other.Close()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		switch r.URL.Path {
		case "/away":
			http.Redirect(w, r, other.URL, http.StatusFound)
		case "/long":
			w.Write(make([]byte, 2000))
		default:
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	defer server.Close()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	c := NewClient(Options{Transport: transport, MaxAnswer: 1000}).SetAuthToken("token")
	if resp, err := c.R().Get(server.URL + "/away"); err != nil || resp.StatusCode() != http.StatusFound || strayed != 0 {
		t.Errorf("redirected: %v, %d followed", err, strayed)
	}
	if _, err := c.R().Get(server.URL + "/long"); !errors.Is(err, resty.ErrResponseBodyTooLarge) {
		t.Errorf("a long answer: %v", err)
	}
	asked = 0
	if resp, err := c.R().Get(server.URL + "/broken"); err != nil || resp.StatusCode() != 500 || asked != 1 {
		t.Errorf("broken: %v, asked %d times", err, asked)
	}
}
