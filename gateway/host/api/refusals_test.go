package api

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/pushgate/pushgate/rules"
)

// forges are the hosts of the table below, with the addresses that are configured
// for them.
var forges = map[string]string{rules.GitHub: "/api/v3", rules.GitLab: "/api/v4", rules.Gitea: "/api/v1", rules.Forgejo: "/api/v1", rules.Gogs: "/api/v1"}

// TestRefusals: what each answer means is the same for all hosts, and no error
// tells a secret.
func TestRefusals(t *testing.T) {
	reset := fmt.Sprint(time.Now().Add(10 * time.Minute).Unix())
	for _, tt := range []struct {
		name   string
		status int
		header map[string]string
		body   string
		want   Error
		wait   time.Duration
	}{
		{name: "gone", status: 404, body: `{"message":"Not Found ` + canary + `"}`, want: Error{Status: 404}},
		{name: "wrong credentials", status: 401, body: `{"message":"Bad credentials"}`, want: Error{Status: 401, Host: true, Credentials: true}},
		{name: "not allowed", status: 403, header: map[string]string{"X-RateLimit-Remaining": "4999", "X-RateLimit-Reset": reset}, want: Error{Status: 403, Credentials: true}},
		{name: "used up", status: 403, header: map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset}, want: Error{Status: 403, Temporary: true, Host: true}, wait: 10 * time.Minute},
		{name: "slower", status: 403, header: map[string]string{"Retry-After": "17", "X-RateLimit-Remaining": "4000"}, want: Error{Status: 403, Temporary: true, Host: true}, wait: 17 * time.Second},
		{name: "slower, in words", status: 403, header: map[string]string{"X-RateLimit-Remaining": "4000", "X-RateLimit-Reset": reset}, body: `{"message":"You have exceeded a secondary rate limit."}`, want: Error{Status: 403, Temporary: true, Host: true}, wait: time.Minute},
		{name: "too many", status: 429, header: map[string]string{"RateLimit-Remaining": "0", "RateLimit-Reset": reset}, want: Error{Status: 429, Temporary: true, Host: true}, wait: 10 * time.Minute},
		{name: "too many, of another kind", status: 429, header: map[string]string{"X-RateLimit-Remaining": "12", "X-RateLimit-Reset": reset}, want: Error{Status: 429, Temporary: true, Host: true}, wait: time.Minute},
		{name: "broken", status: 502, header: map[string]string{"Content-Type": "text/html"}, body: "<html>" + canary, want: Error{Status: 502, Temporary: true, Host: true}},
		{name: "a login page", status: 200, header: map[string]string{"Content-Type": "text/html"}, body: "<!DOCTYPE html><p>Sign in " + canary, want: Error{Status: 200, Temporary: true, Host: true}},
		{name: "another program", status: 200, body: `{"hello":"world"}`, want: Error{Status: 200, Temporary: true, Host: true}},
		{name: "moved", status: 301, header: map[string]string{"Location": "BASE/repositories/1"}, want: Error{Status: 301}},
		{name: "not here", status: 302, header: map[string]string{"Location": "/user/login"}, want: Error{Status: 302, Host: true}},
	} {
		for name, base := range forges {
			t.Run(name+" "+tt.name, func(t *testing.T) {
				c := served(t, name, rules.API{URL: base, Token: canary}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Content-Type", "application/json")
					for k, v := range tt.header {
						w.Header().Set(k, strings.Replace(v, "BASE", "http://"+r.Host+base, 1))
					}
					w.WriteHeader(tt.status)
					_, _ = w.Write([]byte(tt.body))
				}))
				for what, ask := range asks(c) {
					if name == rules.Gogs && (what == "changed" || what == "gained" || what == "report") {
						continue // never sent
					}
					if what == "report" && tt.status == 200 || what == "heads" && tt.name == "another program" {
						continue // nothing is read; and no branches are an answer
					}
					err := ask(context.Background())
					e := AsError("", err)
					if e.Status != tt.want.Status || e.Temporary != tt.want.Temporary || e.Host != tt.want.Host || e.Credentials != tt.want.Credentials {
						t.Errorf("%s: %+v", what, e)
					}
					if e.RetryAfter > tt.wait || e.RetryAfter < tt.wait-5*time.Second {
						t.Errorf("%s: wait %s", what, e.RetryAfter)
					}
					if text := fmt.Sprintf("%v %s %s", err, e.Reason, e.Hint); strings.Contains(text, canary) {
						t.Errorf("%s: %s", what, text)
					}
				}
			})
		}
	}
}

// asks are all calls of a client.
func asks(c *Client) map[string]func(context.Context) error {
	one, two := strings.Repeat("a", 40), strings.Repeat("b", 40)
	return map[string]func(context.Context) error{
		"changed":       func(ctx context.Context) error { _, err := c.host.changed(ctx, "acme/shop", one, two); return err },
		"gained":        func(ctx context.Context) error { _, err := c.host.gained(ctx, "acme/shop", "main", two); return err },
		"commit":        func(ctx context.Context) error { _, err := c.host.commit(ctx, "acme/shop", one); return err },
		"defaultBranch": func(ctx context.Context) error { _, err := c.host.defaultBranch(ctx, "acme/shop"); return err },
		"heads":         func(ctx context.Context) error { _, err := c.host.heads(ctx, "acme/shop"); return err },
		"report": func(ctx context.Context) error {
			return c.Report(ctx, "acme/shop", one, Status{Context: "ci", State: Success})
		},
	}
}

// TestRedirects: another host than the configured one never sees a request.
func TestRedirects(t *testing.T) {
	for name, base := range forges {
		t.Run(name, func(t *testing.T) {
			other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				t.Errorf("asked %s %s with %v", r.Method, r.URL, r.Header)
			}))
			defer other.Close()
			c := served(t, name, rules.API{URL: base, Token: canary}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, other.URL+r.URL.Path, http.StatusTemporaryRedirect)
			}))
			for what, ask := range asks(c) {
				if name == rules.Gogs && (what == "changed" || what == "gained" || what == "report") {
					continue // never sent
				}
				if e := AsError("", ask(context.Background())); e.Status != 307 || !e.Host || e.Temporary {
					t.Errorf("%s: %+v", what, e)
				}
			}
		})
	}
}

// TestElsewhere: a list that goes on at another host is read on at this one.
func TestElsewhere(t *testing.T) {
	for name, base := range forges {
		if name == rules.Gogs {
			continue // has no pages
		}
		t.Run(name, func(t *testing.T) {
			asked := 0
			c := served(t, name, rules.API{URL: base, Token: canary}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked++
				w.Header().Set("Content-Type", "application/json")
				w.Header().Set("Link", `<https://elsewhere.example/x?page=2>; rel="next"`)
				fmt.Fprintf(w, `[{"name":"b%s","commit":{"sha":"1","id":"1"}}]`, r.URL.Query().Get("page"))
			}))
			if _, err := c.Heads(context.Background(), "acme/shop"); err == nil || AsError("", err).Temporary || asked != maxPages {
				t.Errorf("%v after %d pages", err, asked)
			}
			asked = 0
			c = served(t, name, rules.API{URL: base, Token: canary}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked++
				w.Header().Set("Content-Type", "application/json")
				w.Header().Set("Link", `<https://elsewhere.example/x?page=2>; rel="next"`)
				fmt.Fprint(w, `[{"name":"b","commit":{"sha":"1","id":"1"}}]`)
			}))
			if _, err := c.Heads(context.Background(), "acme/shop"); err == nil || asked != 2 {
				t.Errorf("a page that repeats: %v after %d pages", err, asked)
			}
		})
	}
}

// TestHostileNames: a name never climbs, and nothing is sent for one that would.
func TestHostileNames(t *testing.T) {
	for name, base := range forges {
		c := served(t, name, rules.API{URL: base, Token: canary}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			t.Errorf("%s: asked %s", name, r.URL.RequestURI())
			w.WriteHeader(http.StatusTeapot)
		}))
		for _, repo := range []string{"..", "a/..", "../b", "a/../b", "a/.", "/", "", "a//b", `a/b\..`, "a/b\x00", "a/b\r\nX: y"} {
			if _, err := c.host.defaultBranch(context.Background(), repo); err == nil || AsError("", err).Temporary {
				t.Errorf("%s: %q: %v", name, repo, err)
			}
			if err := c.Report(context.Background(), "a/b", "../../x", Status{Context: "c", State: Success}); err == nil {
				t.Errorf("%s: a climbing commit", name)
			}
		}
	}
}
