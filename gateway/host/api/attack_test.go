package api

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/pushgate/pushgate/rules"
)

// comparingHosts are those that tell what changed.
var comparingHosts = []string{rules.BitbucketCloud, rules.BitbucketDataCenter, rules.GitHub, rules.GitLab, rules.Gitea}

var everything = rules.Lacks{Files: true, Head: true, DefaultBranch: true, Force: true}

func pushOf(before, after, branch string) rules.Push {
	return rules.Push{Repo: "acme/shop", Kind: rules.Branch, Ref: "topic", Event: rules.Pushed, Before: before, After: after, DefaultBranch: branch}
}

// TestNoHash: nobody is asked about a commit that may be something else: a range,
// a branch, an option, another place.
func TestNoHash(t *testing.T) {
	good := hash("a1")
	for _, hostName := range append(comparingHosts, rules.Gogs) {
		s := play(t, nil)
		c := ask(t, hostName, rules.API{URL: s.URL, Token: canary})
		for _, id := range []string{
			"HEAD", "HEAD..x", "main", "--help", "-p", "../x", "..", ".", "a...b", good + "..." + good, good + ".." + good, good + "^", good + "~1", good + ":x", "@", "@{-1}",
			"refs/heads/main", "%2e%2e", good + "?x=y", good + "#", good + "\r\nX: y", good + "\x00", good + "/files", "abc", "beef", strings.Repeat("a", 100_000),
			good + "\u202e", "０123456789abcdef", " " + good,
		} {
			for _, p := range []rules.Push{pushOf("", id, ""), pushOf("", id, "main"), pushOf(good, id, "main"), pushOf(id, good, "main")} {
				if _, err := c.Complete(t.Context(), p, everything); err == nil || AsError("", err).Temporary || AsError("", err).Host {
					t.Errorf("%s: %q: %v", hostName, id, err)
				}
			}
			if id != "abc" && id != "beef" {
				if err := c.Report(t.Context(), "acme/shop", id, Status{Context: "x", State: Success}); err == nil || AsError("", err).Temporary {
					t.Errorf("%s: report for %q: %v", hostName, id, err)
				}
			}
		}
		same(t, hostName, 0, len(s.was()))
		for _, branch := range []string{"..", "a..b", "a...b", "x:main", "main~5", "main^", "@", "@{-1}", "a b\nc", "a\x00b", "a*", "a?", "[a", strings.Repeat("b", 100_000), `a\b`, "\x7f"} {
			if _, err := c.Complete(t.Context(), pushOf("", good, branch), rules.Lacks{Files: true}); err == nil || AsError("", err).Temporary {
				t.Errorf("%s: default branch %.20q: %v", hostName, branch, err)
			}
		}
		same(t, hostName, 0, len(s.was()))
	}
}

// TestOtherCommit: the head of a push is the commit that was asked for.
func TestOtherCommit(t *testing.T) {
	for _, hostName := range append(comparingHosts, rules.Gogs) {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			id := hash("c3")
			_, _ = fmt.Fprintf(w, `{"hash":%[1]q,"id":%[1]q,"sha":%[1]q,"message":"evil"}`, id)
		}))
		p, err := ask(t, hostName, rules.API{URL: s.URL}).Complete(t.Context(), pushOf("", hash("a1"), "main"), rules.Lacks{Head: true})
		if err == nil || len(p.Commits) != 0 {
			t.Errorf("%s: %v, %v", hostName, p.Commits, err)
		}
		s.Close()
	}
}

// TestOAuthAnswers: what is no token is used for nothing and not kept, and the
// client's secret goes nowhere else.
func TestOAuthAnswers(t *testing.T) {
	elsewhere := play(t, nil)
	for name, say := range map[string]any{
		"another kind":  `{"access_token":"t0ken","token_type":"mac","expires_in":7200}`,
		"control":       `{"access_token":"t0ken\r\nX-Evil: 1","token_type":"bearer"}`,
		"a space":       `{"access_token":"t0ken x"}`,
		"bidi":          `{"access_token":"t0ken\u202e"}`,
		"huge":          `{"access_token":"` + strings.Repeat("t", 1<<20) + `"}`,
		"no text":       `{"access_token":7}`,
		"null":          `{"access_token":null}`,
		"a list":        `{"access_token":["t0ken"]}`,
		"no object":     `"t0ken"`,
		"twice":         `{"access_token":"t0ken","access_token":"other"}`,
		"a page":        answered(200, "<html>", "Content-Type", "text/html"),
		"redirected":    answered(307, "", "Location", elsewhere.URL+"/site/oauth2/access_token"),
		"for good":      answered(308, "", "Location", "//"+elsewhere.URL[7:]),
		"refused":       answered(400, `{"error":"cl1ent"}`),
		"never expires": `{"access_token":"","expires_in":-9223372036854775808}`,
	} {
		t.Run(name, func(t *testing.T) {
			says := answers{theOne[rules.BitbucketCloud]: `{"hash": "1"}`, "POST /site/oauth2/access_token": say}
			s := play(t, says)
			c := ask(t, rules.BitbucketCloud, rules.API{URL: s.URL, ClientID: "id", ClientSecret: "cl1ent"})
			_, err := c.host.commit(t.Context(), "acme/shop", "1")
			if err == nil || strings.Contains(err.Error(), "cl1ent") || strings.Contains(err.Error(), "t0ken") {
				t.Errorf("%v", err)
			}
			same(t, "asked", []string{"POST /site/oauth2/access_token grant_type=client_credentials"}, s.was())
			s.mu.Lock()
			says["POST /site/oauth2/access_token"] = `{"access_token":"t0ken","token_type":"Bearer","expires_in":7200}`
			s.mu.Unlock()
			if _, err := c.host.commit(t.Context(), "acme/shop", "1"); err != nil {
				t.Error("a bad token is kept:", err)
			}
		})
	}
	same(t, "asked elsewhere", 0, len(elsewhere.was()))
	for base, want := range map[string]string{
		"https://api.bitbucket.org":     "https://bitbucket.org/site/oauth2/access_token",
		"https://api.bitbucket.org/2.0": "https://bitbucket.org/site/oauth2/access_token",
		"https://api.example.com":       "https://api.example.com/site/oauth2/access_token",
		"http://127.0.0.1:8080/x/2.0":   "http://127.0.0.1:8080/x/site/oauth2/access_token",
	} {
		same(t, base, want, tokenAddress(base))
	}
}

// TestLateRefusal: a token is as secret after its successor came.
func TestLateRefusal(t *testing.T) {
	n := 0
	s := play(t, answers{
		"POST /site/oauth2/access_token": func(w http.ResponseWriter, _ *http.Request) {
			n++
			_, _ = fmt.Fprintf(w, `{"access_token":"t0ken-%d","expires_in":7200}`, n)
		},
		theOne[rules.BitbucketCloud]: answered(401, `{"error":{"message":"t0ken-1 and t0ken-2 are no good"}}`),
	})
	c := ask(t, rules.BitbucketCloud, rules.API{URL: s.URL, ClientID: "id", ClientSecret: "cl1ent"})
	if _, err := c.host.commit(t.Context(), "acme/shop", "1"); err == nil || strings.Contains(err.Error(), "t0ken") {
		t.Error(err)
	}
}

// TestMarkedLinks: whatever addresses an answer holds, just the configured host
// is asked, below the configured address.
func TestMarkedLinks(t *testing.T) {
	elsewhere := play(t, nil)
	away := elsewhere.URL
	links := []string{
		away + "/x", "//" + away[7:] + "/x", "http://u:p@" + away[7:], "HOST/api/../../x", "HOST/api/%2e%2e/%2e%2e/x", "HOST/api%2f..%2f..%2fx", "HOST/apix", "HOST@" + away[7:] + "/api/x",
		`HOST\\@` + away[7:], "ftp://" + away[7:], "HOST:1/api/x", "javascript:alert(1)", "file:///etc/passwd", "\\u0000", "HOST/api/x#" + away, "HOST/api/..;/x",
	}
	for _, hostName := range append(comparingHosts, rules.Gogs) {
		for _, link := range links {
			var s *scene
			reply := func(w http.ResponseWriter, r *http.Request) {
				link := strings.ReplaceAll(link, "HOST", s.URL)
				for _, h := range []string{"Link", "Location", "Content-Location", "Refresh"} {
					text := link
					if h == "Link" {
						text = "<" + link + `>; rel="next"`
					}
					w.Header().Set(h, strings.ReplaceAll(text, "\\u0000", ""))
				}
				list := strings.HasSuffix(r.URL.Path, "branches") && hostName != rules.BitbucketCloud && hostName != rules.BitbucketDataCenter || strings.HasSuffix(r.URL.Path, "commits")
				doc := `{"id":"` + hash("a") + `","sha":"` + hash("a") + `","hash":"` + hash("a") + `","name":"b","full_name":"x/y","path_with_namespace":"x/y","pagelen":1,"url":"LINK","links":{"self":{"href":"LINK"},"next":{"href":"LINK"}},"diff_url":"LINK","clone_url":"LINK","_links":{"self":"LINK"},"next":"LINK","nextPageStart":"LINK",
					"values":[{"new":{"path":"x","links":{"self":{"href":"LINK"}}}}],"status":"ahead","total_commits":1,"base_commit":{"sha":"` + hash("a") + `"},"merge_base_commit":{"sha":"` + hash("a") + `"},"files":[{"filename":"x","raw_url":"LINK","contents_url":"LINK"}],"diffs":[],"commits":[]}`
				if list {
					doc = "[" + doc + "]"
				}
				_, _ = io.WriteString(w, strings.ReplaceAll(doc, "LINK", link))
			}
			s = play(t, nil)
			s.Config.Handler = record(s, reply)
			c := ask(t, hostName, rules.API{URL: s.URL + "/api", Token: canary})
			for _, call := range asks(c) {
				_ = call(t.Context())
			}
			for _, line := range s.was() {
				_, at, _ := strings.Cut(line, " ")
				at, _, _ = strings.Cut(at, "?")
				if !strings.HasPrefix(at, "/api/") || climbs(at) {
					t.Errorf("%s: %s asked %q", hostName, link, line)
				}
			}
		}
	}
	same(t, "asked elsewhere", []string(nil), elsewhere.was())
}

func record(s *scene, h http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.asked = append(s.asked, r.Method+" "+r.RequestURI)
		s.mu.Unlock()
		h(w, r)
	})
}

// TestWaits: however a host puts it, it is left alone for a while, and for no
// more than an hour.
func TestWaits(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	for _, h := range []map[string]string{
		{"Retry-After": "-1"}, {"Retry-After": "-9223372036854775807"}, {"Retry-After": "-18446744073"}, {"Retry-After": "9223372036854775807"}, {"Retry-After": "0"},
		{"Retry-After": "Thu, 01 Jan 1970 00:00:00 GMT"}, {"Retry-After": "Fri, 31 Dec 9999 23:59:59 GMT"}, {"Retry-After": "soon"}, {"Retry-After": "1e9"},
		{"X-RateLimit-Reset": fmt.Sprint(now.UnixMilli() + 5000)}, {"X-RateLimit-Reset": "-1", "X-RateLimit-Remaining": "0"}, {"X-RateLimit-Reset": fmt.Sprint(math.MaxInt64)},
		{"X-RateLimit-Reset": fmt.Sprint(math.MinInt64)}, {"RateLimit-Reset": "3"}, {"RateLimit-Reset": fmt.Sprint(now.UnixNano())},
	} {
		header := http.Header{}
		for k, v := range h {
			header.Set(k, v)
		}
		if wait, is := limited(429, header, "", now); !is || wait < time.Second || wait > time.Hour {
			t.Errorf("%v: %s, %v", h, wait, is)
		}
	}
	for _, text := range []string{"-9223372036854775807", "-18446744074", "-1"} {
		c := &caller{base: "http://x"}
		if e := c.judge(&call{}, 503, http.Header{"Retry-After": {text}}, nil); e.RetryAfter != 0 {
			t.Errorf("%s: %s", text, e.RetryAfter)
		}
	}
}

// TestHostileStatus: a context of any length is one that the host takes, and two
// stay two; nothing else of a status leads astray.
func TestHostileStatus(t *testing.T) {
	one, two := strings.Repeat("c", 100_000)+"1", strings.Repeat("c", 100_000)+"2"
	if a, b := contextOf(one, 255), contextOf(two, 255); a == b || a != contextOf(one, 255) || len([]rune(a)) != 256 && len([]rune(a)) > 255 {
		t.Errorf("%q, %q", a, b)
	}
	for _, hostName := range comparingHosts {
		var bodies []string
		c := served(t, hostName, rules.API{Token: canary}, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			bodies = append(bodies, string(body))
		}))
		for _, context := range []string{one, two, "a\r\nb", "\xff", "pushgate/x/\u202e", ""} {
			if err := c.Report(t.Context(), "acme/shop", hash("a"), Status{Context: context, State: Success, Description: strings.Repeat("d", 100_000), URL: "javascript:alert(1)"}); err != nil {
				t.Errorf("%s: %v", hostName, err)
			}
		}
		seen := map[string]bool{}
		for _, body := range bodies {
			if len(body) > 1200 || strings.Contains(body, "javascript:") || seen[body] {
				t.Errorf("%s: %d bytes: %.300s", hostName, len(body), body)
			}
			seen[body] = true
		}
	}
}

// TestNothingTold: no error and no line of the log, at any level, has the
// credentials, whatever the host repeats of them.
func TestNothingTold(t *testing.T) {
	for _, hostName := range append(comparingHosts, rules.Gogs) {
		for _, credentials := range []rules.API{
			{Token: "c4nary-secret"}, {User: "ann", Password: "c4nary-secret"}, {ClientID: "ann", ClientSecret: "c4nary-secret"},
		} {
			if credentials.ClientID != "" && hostName != rules.BitbucketCloud {
				continue
			}
			for _, status := range []int{200, 301, 302, 400, 401, 403, 404, 409, 422, 429, 500, 555} {
				var log bytes.Buffer
				server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					auth := r.Header.Get("Authorization") + r.Header.Get("Private-Token")
					if strings.HasSuffix(r.URL.Path, "access_token") && status != 400 {
						_, _ = io.WriteString(w, `{"access_token":"c4nary-issued"}`)
						return
					}
					w.Header().Set("Location", "http://ann:c4nary-secret@127.0.0.1:1/"+url.PathEscape(auth)+"?t=c4nary-secret")
					w.Header().Set("Retry-After", auth)
					w.WriteHeader(status)
					text, _ := json.Marshal(map[string]any{"message": auth + " c4nary-secret c4\u200bnary-\u200bsecret", "error": map[string]any{"message": auth}, "errors": []any{auth}})
					_, _ = w.Write(text)
				}))
				credentials.URL = server.URL
				transport := &http.Transport{}
				c, err := New(Options{Host: hostName, API: credentials, Transport: transport, Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
				if err != nil {
					t.Fatal(err)
				}
				for what, call := range asks(c) {
					err := call(context.Background())
					text := fmt.Sprintf("%v %+v %s", err, err, log.String())
					if strings.Contains(text, "c4nary") || strings.Contains(text, "YW5uOmM0") {
						t.Errorf("%s %s %d: %s", hostName, what, status, text)
					}
				}
				transport.CloseIdleConnections()
				server.Close()
			}
		}
	}
}
