package api

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/pushgate/pushgate/gateway/host/hosttest"
	"github.com/pushgate/pushgate/rules"
)

func TestGitea(t *testing.T) { testForge(t, rules.Gitea, "acme/shop") }

// TestGiteaMerges: a new branch that merged the default one names what it gained,
// and is complete only where that is proven.
func TestGiteaMerges(t *testing.T) {
	ctx := context.Background()
	c, _, r := simulated(t, rules.Gitea, "acme/shop")
	root := r.Commit(nil, "root", author, hosttest.Change{Path: "README"})
	theirs := r.Commit([]string{root}, "theirs", author, hosttest.Change{Path: "theirs"})
	r.SetBranch("main", theirs)
	ours := r.Commit([]string{root}, "ours", author, hosttest.Change{Path: "ours"})
	merge := r.Commit([]string{ours, theirs}, "updated", author)
	last := r.Commit([]string{merge}, "last", author, hosttest.Change{Path: "last"})
	same(t, "merged once", "last theirs ours; complete; unknown", tell(c.host.gained(ctx, "acme/shop", "main", last)))
	other := r.Commit([]string{root}, "other", author, hosttest.Change{Path: "other"})
	last = r.Commit([]string{last, other}, "merged a branch", author)
	diff, err := c.host.gained(ctx, "acme/shop", "main", last)
	same(t, "merged another branch", []string{"last", "other", "ours", "theirs"}, files(t, diff, err))

	lone := r.Commit(nil, "lone", author, hosttest.Change{Path: "lone"})
	diff, err = c.host.changed(ctx, "acme/shop", theirs, lone)
	if got := files(t, diff, err); diff.complete || !diff.forced || !diff.known || len(got) == 0 {
		t.Errorf("unrelated: %v %+v", got, diff)
	}
	diff, err = c.host.gained(ctx, "acme/shop", "main", lone)
	if files(t, diff, err); diff.complete {
		t.Errorf("unrelated: %+v", diff)
	}
	same(t, "nothing gained", "; complete; unknown", tell(c.host.gained(ctx, "acme/shop", "main", root)))
}

// TestGiteaRequests holds the requests to what the host's source reads.
func TestGiteaRequests(t *testing.T) {
	ctx := context.Background()
	before, after := hash("a"), hash("b")
	commits := "GET /git/api/v1/repos/acme/shop/commits?files=true&limit=50&not=" + before + "&page=1&sha=" + after + "&stat=false&verification=false"
	s := play(t, answers{
		"GET /git/api/v1/repos/acme/shop":                                         `{"full_name":"acme/shop","default_branch":"trunk"}`,
		"GET /git/api/v1/repos/acme/shop/branches/feature%2Fa%20b%23%3F%25%C3%A4": `{"name":"x","commit":{"id":"` + before + `"}}`,
		commits: answered(200, `[{"sha":"`+after+`","parents":[{"sha":"`+before+`"}],"files":[{"filename":"new","status":"added"},{"filename":"old","status":"removed"}]}]`, "X-Total-Count", "1"),
		"GET /git/api/v1/repos/acme/shop/git/commits/" + after + "?files=false&stat=false&verification=false": `{"sha":"` + after + `","commit":{"message":"m",
			"author":{"name":"Ann","email":"a@x","date":"2026-01-02T00:00:00Z"}}}`,
		"GET /git/api/v1/repos/acme/shop/commits/" + after:   `{"sha":"` + after + `","commit":{"message":"m","author":{"name":"Ann","email":"a@x","date":"2026-01-02T00:00:00Z"}}}`,
		"GET /git/api/v1/repos/acme/shop/branches":           answered(200, `[{"name":"main","commit":{"id":"`+after+`"}}]`, "X-Total-Count", "1"),
		"POST /git/api/v1/repos/acme/shop/statuses/" + after: `{}`,
		"GET /git/api/v1/repos/a%3Fb%23c%252F/d":             `{"full_name":"x/y"}`,
	})
	for _, name := range []string{rules.Gitea, rules.Forgejo, rules.Gogs} {
		c := ask(t, name, rules.API{URL: s.URL + "/git/api/v1", Token: canary})
		s.was()
		branch, err := c.host.defaultBranch(ctx, "acme/shop")
		if h := s.headers()[0]; branch != "trunk" || err != nil || h.Get("Authorization") != "token "+canary {
			t.Error(branch, err, h)
		}
		if head, err := c.host.commit(ctx, "acme/shop", after); head.ID != after || head.Author.String() != "Ann <a@x>" || head.Time.Day() != 2 || err != nil {
			t.Error(head, err)
		}
		heads, err := c.Heads(ctx, "acme/shop")
		same(t, "heads", []Head{{Branch: "main", Commit: after}}, heads)
		if err != nil {
			t.Error(err)
		}
		if _, err := c.host.defaultBranch(ctx, "a?b#c%2F/d"); err != nil {
			t.Error(err)
		}
		s.was()
		diff, err := c.host.changed(ctx, "acme/shop", before, after)
		if name == rules.Gogs {
			told := c.Report(ctx, "acme/shop", after, Status{Context: "ci", State: Success})
			_, gained := c.host.gained(ctx, "acme/shop", "main", after)
			for _, err := range []error{err, told, gained} {
				if e := AsError("", err); err == nil || e.Temporary || e.Host {
					t.Error(err)
				}
			}
			if c.Reports() || len(s.was()) > 0 {
				t.Error("Gogs was asked what it cannot")
			}
			continue
		}
		same(t, "changed", "new old; complete; kept", tell(diff, err))
		same(t, "gained", "new old; complete; unknown", tell(c.host.gained(ctx, "acme/shop", "feature/a b#?%ä", after)))
		s.was()
		if err := c.Report(ctx, "acme/shop", after, Status{Context: "ci", State: Aborted, Description: "build 7", URL: "https://ci/7"}); err != nil {
			t.Error(err)
		}
		same(t, "reported", []string{"POST /git/api/v1/repos/acme/shop/statuses/" + after +
			` {"context":"ci","description":"build 7","state":"error","target_url":"https://ci/7"}`}, sortedJSON(t, s.was()))
	}
}

// TestGiteaVersions: a version that does not know "not" is told from one that
// does, and a 500 about a commit that is not there from one that is trouble.
func TestGiteaVersions(t *testing.T) {
	ctx := context.Background()
	before, after := hash("a"), hash("b")
	commits := "GET /api/v1/repos/acme/shop/commits"
	page := `[{"sha":"` + after + `","parents":[{"sha":"` + before + `"}],"files":[]},{"sha":"` + before + `","files":[]}]`
	s := play(t, answers{commits: page})
	c := ask(t, rules.Gitea, rules.API{URL: s.URL})
	_, err := c.host.changed(ctx, "acme/shop", before, after)
	if e := AsError("", err); e.Temporary || !strings.Contains(e.Hint, "1.20") {
		t.Errorf("%+v", e)
	}
	s = play(t, answers{commits: strings.ReplaceAll(strings.Replace(page, `,{"sha":"`+before+`","files":[]}`, "", 1), `"files":[]`, `"files":null`)})
	c = ask(t, rules.Gitea, rules.API{URL: s.URL})
	if diff, err := c.host.changed(ctx, "acme/shop", before, after); diff.complete || err != nil {
		t.Errorf("%+v, %v", diff, err)
	}
	for status, temporary := range map[int]bool{404: false, 500: true} {
		s = play(t, answers{commits: 500, "GET /api/v1/repos/acme/shop/git/commits/" + before: status, "GET /api/v1/repos/acme/shop/git/commits/" + after: `{"sha":"` + after + `"}`})
		c = ask(t, rules.Gitea, rules.API{URL: s.URL})
		_, err = c.host.changed(ctx, "acme/shop", before, after)
		if e := AsError("", err); e.Temporary != temporary || e.Host != temporary {
			t.Errorf("%d: %+v", status, e)
		}
	}
}

// TestGiteaEndless: a push of more commits than are read leaves the list open.
func TestGiteaEndless(t *testing.T) {
	asked := 0
	c := served(t, rules.Gitea, rules.API{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Total-Count", "1000000")
		if r.URL.Query().Get("sha") == hash("a") {
			w.Header().Set("X-Total-Count", "0")
			fmt.Fprint(w, `[]`)
			return
		}
		fmt.Fprintf(w, `[{"sha":"b%039s","parents":[],"files":[{"filename":"f%s"}]}]`, r.URL.Query().Get("page"), r.URL.Query().Get("page"))
	}))
	diff, err := c.host.changed(context.Background(), "acme/shop", hash("a"), hash("b"))
	if got := files(t, diff, err); diff.complete || len(got) != giteaCommits/giteaPage || asked > giteaCommits/giteaPage+1 {
		t.Errorf("complete %v, %d files, %d requests", diff.complete, len(got), asked)
	}
}
