package api

import (
	"context"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/pushgate/pushgate/rules"
)

// A tape keeps the requests and answers all of them alike.
type tape struct {
	asked  []*url.URL
	status int
	header http.Header
	body   string
}

func (t *tape) RoundTrip(r *http.Request) (*http.Response, error) {
	t.asked = append(t.asked, r.URL)
	return &http.Response{StatusCode: t.status, ProtoMajor: 1, Header: t.header, Body: io.NopCloser(strings.NewReader(t.body)), ContentLength: int64(len(t.body)), Request: r}, nil
}

// tellAll makes every call that a push can lead to.
func tellAll(c *Client, repo, branch, before, after string) (complete bool) {
	ctx := context.Background()
	for _, p := range []rules.Push{
		{Event: rules.Pushed, Before: before},
		{Event: rules.Created, DefaultBranch: branch},
		{Event: rules.Created},
	} {
		p.Repo, p.Kind, p.Ref, p.After = repo, rules.Branch, "topic", after
		p, _ = c.Complete(ctx, p, everything)
		complete = complete || p.Files.Completeness == rules.Complete
	}
	_ = c.Report(ctx, repo, after, Status{Context: branch, State: Failure, Description: branch, URL: branch})
	_, _ = c.Heads(ctx, repo)
	return complete
}

func taped(tb testing.TB, n uint8, t *tape) *Client {
	c, err := New(Options{Host: append(comparingHosts, rules.Gogs)[int(n)%6], API: rules.API{URL: "https://host.example/sub", Token: canary}, Transport: t})
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// FuzzAddress: whatever a push says, each request goes to a resource that an
// honest push could ask for: as many segments, and just those of its own names in
// them.
func FuzzAddress(f *testing.F) {
	good := hash("a1")
	for n := range uint8(6) {
		for _, name := range []string{
			"main", "..", "a/../../x", "%2e%2e", "?x=y", "#", "a\r\nb", "a\x00b", "\u202e", "refs/heads/..", "a...b", "a;b", "--help", `a\..\b`, "{x}", "//host/x", "a/b", "..;",
		} {
			f.Add(n, "acme/shop", name, good, good)
			f.Add(n, "acme/"+name, "main", good, good)
			f.Add(n, "acme/shop", "main", good, name)
			f.Add(n, name+"/shop", "main", name, good)
		}
	}
	f.Fuzz(func(t *testing.T, n uint8, repo, branch, before, after string) {
		honest := &tape{status: 404}
		tellAll(taped(t, n, honest), "acme/shop", "main", good, hash("b2"))
		if repo == "" || strings.Count(repo, "/") > 1 && n%6 != 3 {
			repo = "acme/shop" // those are refused, see TestHostileNames
		}
		asked := &tape{status: 404}
		tellAll(taped(t, n, asked), repo, branch, before, after)
		owner, name, _ := strings.Cut(repo, "/")
		own := []string{repo, owner, name, branch, after, before, before + "..." + after, branch + "..." + after, before + ".." + after, after + ".." + before}
		for _, u := range asked.asked {
			if u.Scheme != "https" || u.Host != "host.example" || u.User != nil || u.Fragment != "" {
				t.Fatalf("asks %s", u)
			}
			fits := func(h *url.URL) bool {
				want, got := strings.Split(h.EscapedPath(), "/"), strings.Split(u.EscapedPath(), "/")
				if len(want) != len(got) || !slices.Equal(keysOf(h), keysOf(u)) {
					return false
				}
				for i := range got {
					text, err := url.PathUnescape(got[i])
					if err != nil || text == "." || text == ".." || strings.ContainsAny(text, "\x00\r\n\\") {
						return false
					}
					if text != want[i] && !slices.Contains(own, text) {
						return false
					}
				}
				return true
			}
			if !slices.ContainsFunc(honest.asked, fits) {
				t.Fatalf("repository %q, branch %q, %q to %q: asks %s", repo, branch, before, after, u)
			}
		}
	})
}

func keysOf(u *url.URL) []string { return slices.Sorted(maps.Keys(u.Query())) }

// FuzzAnswers: whatever a host answers, nothing panics, nobody else is asked, and
// what is an error says nothing of the credentials.
func FuzzAnswers(f *testing.F) {
	good := hash("a1")
	for _, body := range []string{
		`null`, `[]`, `{}`, `{"pagelen":1,"values":[{"status":"renamed","old":{"path":"a"},"new":{"path":"b"}}],"next":"https://host.example/sub/2.0/repositories/acme/shop/x?page=2"}`,
		`{"values":[{"type":"MOVE","path":{"toString":"a"},"srcPath":{"components":["a"]},"id":"` + good + `","parents":[{"id":"x"}]}],"isLastPage":false,"nextPageStart":1}`,
		`{"status":"diverged","total_commits":2,"base_commit":{"sha":"a"},"merge_base_commit":{"sha":"b"},"files":[{"filename":"x","previous_filename":"y","status":"renamed"}],"commits":[{"sha":"a","parents":[{"sha":"b"}]}]}`,
		`{"compare_timeout":true,"diffs":[{"old_path":"a","new_path":"b"}],"commits":[{"id":"` + good + `","parent_ids":["x"]}],"id":"` + good + `"}`,
		`[{"sha":"` + good + `","parents":[{"sha":"b"},{"sha":"c"}],"files":[{"filename":"x"}],"name":"b","commit":{"id":"` + good + `","sha":"` + good + `"}}]`,
		`{"hash":"` + good + `","full_name":"a/b","path_with_namespace":"a/b","default_branch":"..","mainbranch":{"name":"a...b"},"displayId":"x","message":"` + canary + `"}`,
	} {
		for n := range uint8(6) {
			f.Add(n, uint16(200), `<https://evil.example/>; rel="next"`, "1", body)
			f.Add(n, uint16(403), "x", "-1", body)
		}
	}
	f.Fuzz(func(t *testing.T, n uint8, status uint16, link, number, body string) {
		says := &tape{status: 200 + int(status)%400, body: body, header: http.Header{
			"Link": {link}, "X-Total-Count": {number}, "X-Next-Page": {link}, "Retry-After": {number}, "X-Ratelimit-Reset": {number}, "X-Ratelimit-Remaining": {"0"}, "Location": {link},
		}}
		c := taped(t, n, says)
		tellAll(c, "acme/shop", "main", good, hash("b2"))
		for _, u := range says.asked {
			if u.Host != "host.example" || !strings.HasPrefix(u.EscapedPath(), "/sub/") || climbs(u.EscapedPath()) {
				t.Fatalf("asks %s", u)
			}
		}
		if _, err := c.Heads(t.Context(), "acme/shop"); err != nil && strings.Contains(err.Error(), canary) {
			t.Fatal(err)
		}
		e := c.judgeOf(says)
		if e.RetryAfter < 0 || e.RetryAfter > 3600e9 || strings.Contains(e.Error(), canary) {
			t.Fatalf("%+v", e)
		}
	})
}

// judgeOf is the error of an answer.
func (c *Client) judgeOf(t *tape) *Error {
	var on *caller
	switch h := c.host.(type) {
	case *bitbucketCloud:
		on = h.caller
	case *bitbucketDC:
		on = h.caller
	case *github:
		on = h.caller
	case *gitlab:
		on = h.caller
	case *gitea:
		on = h.caller
	case gogs:
		on = h.caller
	}
	return on.judge(&call{op: "ask"}, t.status, t.header, []byte(t.body))
}
