package api

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/pushgate/pushgate/rules"
)

// theOne is a commit, asked for at either Bitbucket.
var theOne = map[string]string{
	rules.BitbucketCloud:      "GET " + cloudRepo + "/commit/1",
	rules.BitbucketDataCenter: "GET /rest/api/1.0/projects/acme/repos/shop/commits/1",
}

// answered is a handler that says just this.
func answered(status int, text string, header ...string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = fmt.Fprint(w, text)
	}
}

// TestTrouble: what each way of going wrong means, without a word of secrets and
// without a request to anybody else.
func TestTrouble(t *testing.T) {
	const secret = "pa55word"
	canary := play(t, nil)
	foreign := Error{Status: 200, Temporary: true, Host: true, Reason: "not the answer of this host's API"}
	for name, c := range map[string]struct {
		say  any
		want Error
		more string // of the text
	}{
		"too many, for nobody knows how long": {429, Error{Status: 429, Temporary: true, Host: true, RetryAfter: time.Minute, Reason: "too many requests"}, ""},
		"too many, for a while": {
			answered(429, "Rate limit for this resource has been exceeded", "Retry-After", "7"),
			Error{Status: 429, Temporary: true, Host: true, RetryAfter: 7 * time.Second, Reason: "too many requests"}, "",
		},
		"refused, and the secret told": {
			answered(401, `{"error": {"message": "not `+secret+`"}, "errors": [{"message": "not cGlhOnBhNTV3b3Jk"}]}`),
			Error{Status: 401, Host: true, Credentials: true, Reason: "credentials refused"}, "not …",
		},
		"not allowed":    {403, Error{Status: 403, Credentials: true, Reason: "not allowed"}, ""},
		"gone":           {404, Error{Status: 404, Reason: "not found"}, ""},
		"away":           {503, Error{Status: 503, Temporary: true, Host: true, Reason: "the host failed"}, ""},
		"away for a bit": {answered(503, "", "Retry-After", "30"), Error{Status: 503, Temporary: true, Host: true, RetryAfter: 30 * time.Second, Reason: "the host failed"}, ""},
		"redirected": {
			answered(302, "", "Location", strings.Replace(canary.URL, "://", "://u:"+secret+"@", 1)+"/x?token="+secret),
			Error{Status: 302, Host: true, Reason: "redirected"}, canary.URL + "/x",
		},
		"a page":         {answered(200, "<!doctype html><title>Sign in</title>", "Content-Type", "text/html"), foreign, ""},
		"a page, if not": {answered(200, `{"hash": "1", "id": "1"}`, "Content-Type", "text/html"), foreign, ""},
		"cut short":      {answered(200, `{"hash": "1", "id": "1"`), foreign, ""},
		"broken off":     {answered(200, `{`, "Content-Length", "100"), Error{Temporary: true, Host: true, Reason: "no connection, or it broke"}, ""},
		"huge": {func(w http.ResponseWriter, _ *http.Request) {
			for range 40 {
				_, _ = fmt.Fprint(w, strings.Repeat(" ", 1<<20))
			}
		}, Error{Reason: "the answer is longer than 33554432 bytes"}, ""},
	} {
		for hostName, at := range theOne {
			t.Run(hostName+" "+name, func(t *testing.T) {
				s := play(t, answers{at: c.say})
				_, err := ask(t, hostName, rules.API{URL: s.URL, User: "pia", Password: secret}).host.commit(t.Context(), "acme/shop", "1")
				e := AsError("", err)
				if diff := cmp.Diff(c.want, *e, cmpopts.IgnoreFields(Error{}, "Op", "Hint", "Err")); diff != "" {
					t.Error(diff)
				}
				if text := fmt.Sprintf("%v %+v", err, *e); !strings.Contains(text, c.more) || strings.Contains(text, secret) || strings.Contains(text, "cGlhOnBh") {
					t.Error(text)
				}
				if n := len(s.was()); n != 1 {
					t.Errorf("asked %d times", n)
				}
			})
		}
	}
	same(t, "asked of another host", 0, len(canary.was()))
}

// TestLinksAway: a list that goes on elsewhere is an error, and nobody there is
// asked.
func TestLinksAway(t *testing.T) {
	canary := play(t, nil)
	for _, link := range []string{
		canary.URL + cloudRepo + "/refs/branches?page=2", "HOST/elsewhere?page=2", "HOST.example.com/api/2.0/x", "//" + canary.URL[7:] + "/api/2.0/x",
		"http://u:p@" + canary.URL[7:] + "/api/2.0/x", "/api/2.0/x", "://", "HOST/api/2.0/../../x", "HOST/api/2.0/%2e%2e/x", "HOST/apiary/2.0/x",
	} {
		page := `{"pagelen": 1, "values": [{"new": {"path": "a"}}], "next": "` + link + `"}`
		s := play(t, answers{"GET /api" + cloudRepo + "/refs/branches": page, "GET /api" + cloudRepo + "/diffstat/2..1": page})
		c := ask(t, rules.BitbucketCloud, rules.API{URL: s.URL + "/api/2.0", Token: "tok"})
		_, headsErr := c.Heads(t.Context(), "acme/shop")
		_, filesErr := c.host.changed(t.Context(), "acme/shop", "1", "2")
		for _, err := range []error{headsErr, filesErr} {
			if err == nil || AsError("", err).Temporary || AsError("", err).Status != 0 {
				t.Errorf("%s: %v", link, err)
			}
		}
		same(t, link, 2, len(s.was()))
	}
	same(t, "asked of another host", 0, len(canary.was()))
}

// TestNames: a name fills one segment, or the call ends here.
func TestNames(t *testing.T) {
	for name, escaped := range map[string]string{
		"a b": "a%20b", "ä": "%C3%A4", "50%": "50%25", "a?b#c%2F": "a%3Fb%23c%252F", "~pia": "~pia", "a+b&c=d;e": "a+b&c=d%3Be", "x..y": "x..y", "{1}": "%7B1%7D",
		"": "-", ".": "-", "..": "-", "a/../b": "-", "a\\b": "-", "a\r\nb": "-", "a\x00b": "-", "a/b": "-", "%2e%2e": "%252e%252e",
	} {
		for hostName, prefix := range map[string]string{rules.BitbucketCloud: "/2.0/repositories/", rules.BitbucketDataCenter: "/rest/api/1.0/projects/"} {
			s := play(t, nil)
			c := ask(t, hostName, rules.API{URL: s.URL})
			for _, repo := range []string{name + "/shop", "acme/" + name} {
				_, _ = c.host.commit(t.Context(), repo, "1")
			}
			asked := s.was()
			if escaped == "-" {
				same(t, hostName+" "+name, []string(nil), asked)
				continue
			}
			for _, line := range asked {
				if !strings.HasPrefix(line, "GET "+prefix+escaped+"/") && !strings.Contains(line, "/"+escaped+"/commit") {
					t.Errorf("%s: %q asks %q", hostName, name, line)
				}
			}
			same(t, hostName+" "+name, 2, len(asked))
		}
	}
	s := play(t, nil)
	c := ask(t, rules.BitbucketCloud, rules.API{URL: s.URL})
	for _, branch := range []string{"", "..", "a/../b", "a//b", "/a"} {
		if _, err := c.host.gained(t.Context(), "acme/shop", branch, "1"); err == nil || AsError("", err).Temporary {
			t.Errorf("%q: %v", branch, err)
		}
	}
	same(t, "asked", 0, len(s.was()))
}

// An issuer hands out OAuth tokens and knows the last one.
type issuer struct {
	mu      sync.Mutex
	issued  int
	expired bool // the last one is refused
	never   bool // all are
	refuse  int  // the status of requests for a token; 0: they are granted
}

func (i *issuer) token(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if id, secret, _ := r.BasicAuth(); i.refuse != 0 || id != "id" || secret != "cl1ent" {
		w.WriteHeader(max(i.refuse, 400))
		_, _ = fmt.Fprint(w, `{"error_description": "Invalid OAuth client credentials cl1ent", "error": "unauthorized_client"}`)
		return
	}
	i.issued, i.expired = i.issued+1, false
	_, _ = fmt.Fprintf(w, `{"access_token": "t0ken-%d", "expires_in": 7200}`, i.issued)
}

func (i *issuer) commit(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.expired || i.never || r.Header.Get("Authorization") != fmt.Sprintf("Bearer t0ken-%d", i.issued) {
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = fmt.Fprintf(w, `{"error": {"message": "Token is invalid: %s"}}`, r.Header.Get("Authorization"))
		return
	}
	_, _ = fmt.Fprint(w, `{"hash": "1"}`)
}

func TestOAuth(t *testing.T) {
	i := &issuer{}
	s := play(t, answers{theOne[rules.BitbucketCloud]: i.commit, "POST /site/oauth2/access_token": i.token})
	c := ask(t, rules.BitbucketPost, rules.API{URL: s.URL + "/2.0", ClientID: "id", ClientSecret: "cl1ent"})
	get := func() *Error {
		t.Helper()
		_, err := c.host.commit(t.Context(), "acme/shop", "1")
		if err == nil {
			return nil
		}
		for _, secret := range []string{"cl1ent", "t0ken", "aWQ6Y2wxZW50"} {
			if strings.Contains(fmt.Sprintf("%v %+v", err, *AsError("", err)), secret) {
				t.Errorf("tells %s: %v", secret, err)
			}
		}
		return AsError("", err)
	}
	wants := func(what string, asked ...string) {
		t.Helper()
		got := s.was()
		for i := range got {
			got[i], _, _ = strings.Cut(strings.TrimPrefix(got[i], "GET "+cloudRepo+"/"), "?")
			got[i], _, _ = strings.Cut(got[i], " grant_type=client_credentials")
		}
		same(t, what, asked, got)
	}
	const token = "POST /site/oauth2/access_token"
	for range 2 {
		if err := get(); err != nil {
			t.Error(err)
		}
	}
	wants("one token for two", token, "commit/1", "commit/1")
	i.expired = true
	if err := get(); err != nil {
		t.Error(err)
	}
	wants("another token, another try", "commit/1", token, "commit/1")
	i.expired, i.refuse = true, 401
	if err := get(); err == nil || !err.Credentials || !err.Host || err.Temporary || err.Reason != "the client is refused" {
		t.Errorf("%+v", err)
	}
	wants("no token", "commit/1", token)
	i.refuse = 429
	if err := get(); err == nil || err.Credentials || !err.Temporary || err.RetryAfter != time.Minute {
		t.Errorf("%+v", err)
	}
	i.refuse = 0
	s.was()
	if err := get(); err != nil {
		t.Error(err)
	}
	i.never = true
	s.was()
	if err := get(); err == nil || !err.Credentials || err.Reason != "credentials refused" {
		t.Errorf("%+v", err)
	}
	wants("a token that was just given is not replaced twice", "commit/1", token, "commit/1")
}

// TestGivenUp: nothing more is asked once the context ended.
func TestGivenUp(t *testing.T) {
	for _, hostName := range []string{rules.BitbucketCloud, rules.BitbucketDataCenter} {
		for name, call := range map[string]func(*Client, context.Context) error{
			"changed": func(c *Client, ctx context.Context) error {
				_, err := c.host.changed(ctx, "acme/shop", "1", "2")
				return err
			},
			"gained": func(c *Client, ctx context.Context) error {
				_, err := c.host.gained(ctx, "acme/shop", "main", "2")
				return err
			},
			"commit": func(c *Client, ctx context.Context) error {
				_, err := c.host.commit(ctx, "acme/shop", "1")
				return err
			},
			"default branch": func(c *Client, ctx context.Context) error {
				_, err := c.host.defaultBranch(ctx, "acme/shop")
				return err
			},
			"heads":  func(c *Client, ctx context.Context) error { _, err := c.Heads(ctx, "acme/shop"); return err },
			"report": func(c *Client, ctx context.Context) error { return c.Report(ctx, "acme/shop", "1", Status{}) },
		} {
			ctx, cancel := context.WithCancel(t.Context())
			asked := 0
			server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				asked++
				_, _ = io.Copy(io.Discard, r.Body)
				cancel()
				<-r.Context().Done()
			}))
			c := ask(t, hostName, rules.API{URL: server.URL})
			for range 2 {
				if e := AsError("", call(c, ctx)); e.Reason != "given up before the answer came" || !e.Temporary || e.Host {
					t.Errorf("%s %s: %+v", hostName, name, e)
				}
			}
			server.Close()
			same(t, hostName+" "+name, 1, asked)
		}
	}
}
