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

func TestGitHub(t *testing.T) { testForge(t, rules.GitHub, "acme/shop") }

// TestGitHubCommits: a single commit lists up to 3000 files in pages; one that
// changes more leaves the list open.
func TestGitHubCommits(t *testing.T) {
	for n, complete := range map[int]bool{299: true, 300: true, 2999: true, 3000: false, 3500: false} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			c, _, r := simulated(t, rules.GitHub, "acme/shop")
			root := r.Commit(nil, "root", author, hosttest.Change{Path: "README"})
			at := r.Commit([]string{root}, "many", author, changesOf(named("f%04d", n))...)
			diff, err := c.host.changed(context.Background(), "acme/shop", root, at)
			got := files(t, diff, err)
			if diff.complete != complete || len(got) != min(n, 3000) {
				t.Errorf("complete %v (%s), %d files", diff.complete, diff.why, len(got))
			}
		})
	}
}

// TestGitHubUnrelated: there is no comparison without a common ancestor.
func TestGitHubUnrelated(t *testing.T) {
	c, _, r := simulated(t, rules.GitHub, "acme/shop")
	one := r.Commit(nil, "one", author, hosttest.Change{Path: "one"})
	two := r.Commit(nil, "two", author, hosttest.Change{Path: "two"})
	_, err := c.host.changed(context.Background(), "acme/shop", one, two)
	if e := AsError("", err); e.Status != http.StatusNotFound || e.Temporary || e.Host || !strings.Contains(e.Error(), "No common ancestor") {
		t.Errorf("%+v", e)
	}
	r.SetTag("v1", one, true)
	if _, err := c.host.commit(context.Background(), "acme/shop", r.Tag("v1")); AsError("", err).Temporary {
		t.Error(err)
	}
}

// TestGitHubRequests holds the requests to what the host documents.
func TestGitHubRequests(t *testing.T) {
	ctx := context.Background()
	before, after := hash("a"), hash("b")
	s := play(t, answers{
		"GET /api/v3/repos/acme/shop": `{"full_name":"acme/shop","default_branch":"trunk"}`,
		"GET /api/v3/repos/acme/shop/compare/" + before + "..." + after + "?page=1&per_page=1": `{"status":"ahead","merge_base_commit":{"sha":"` + before + `"},
			"total_commits":1,"files":[{"filename":"new","previous_filename":"old","status":"renamed"},{"filename":"copy","previous_filename":"origin","status":"copied"}]}`,
		"GET /api/v3/repos/acme/shop/compare/feature%2Fa%20b%23%3F%25..." + after + "?page=1&per_page=1": `{"status":"identical","merge_base_commit":{"sha":"` + before + `"},"files":[]}`,
		"GET /api/v3/repos/acme/shop/commits/bbbbbbb?page=1&per_page=1": `{"sha":"` + after + `","commit":{"message":"m",
			"author":{"name":"Ann","date":"2026-01-01T00:00:00Z"},"committer":{"date":"2026-01-02T00:00:00Z"}}}`,
		"POST /api/v3/repos/acme/shop/statuses/" + after: `{}`,
		"GET /api/v3/repos/a%3Fb%23c%252F/d":             `{"full_name":"x/y"}`,
	})
	c := ask(t, rules.GitHub, rules.API{URL: s.URL + "/api/v3/", Token: canary})
	branch, err := c.host.defaultBranch(ctx, "acme/shop")
	if branch != "trunk" || err != nil {
		t.Error(branch, err)
	}
	if h := s.headers()[0]; h.Get("Authorization") != "Bearer "+canary || h.Get("X-GitHub-Api-Version") != "2022-11-28" || h.Get("Accept") != "application/vnd.github+json" {
		t.Error(h)
	}
	same(t, "changed", "new old copy; complete; kept", tell(c.host.changed(ctx, "acme/shop", before, after)))
	same(t, "gained", "; complete; unknown", tell(c.host.gained(ctx, "acme/shop", "feature/a b#?%", after)))
	if head, err := c.host.commit(ctx, "acme/shop", "bbbbbbb"); head.ID != after || head.Time.Day() != 2 || err != nil {
		t.Error(head, err)
	}
	s.was()
	if err := c.Report(ctx, "acme/shop", after, Status{Context: "ci", State: Running, Description: "build 7", URL: "https://ci/7"}); err != nil {
		t.Error(err)
	}
	same(t, "reported", []string{"POST /api/v3/repos/acme/shop/statuses/" + after +
		` {"context":"ci","description":"running: build 7","state":"pending","target_url":"https://ci/7"}`}, sortedJSON(t, s.was()))
	if _, err := c.host.defaultBranch(ctx, "a?b#c%2F/d"); err != nil {
		t.Error(err)
	}
	s.was()
	c = ask(t, rules.GitHub, rules.API{URL: s.URL + "/api/v3", User: "ann", Password: canary})
	_, err = c.host.defaultBranch(ctx, "acme/shop")
	if user, password, _ := (&http.Request{Header: s.headers()[0]}).BasicAuth(); user != "ann" || password != canary || err != nil {
		t.Error(user, err)
	}
}
