package api

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	"github.com/pushgate/pushgate/gateway/host/hosttest"
	"github.com/pushgate/pushgate/rules"
)

func TestGitLab(t *testing.T) { testForge(t, rules.GitLab, "group/sub group/shop") }

// TestGitLabCommits: one commit that changes more than a comparison lists leaves
// the list open.
func TestGitLabCommits(t *testing.T) {
	for n, complete := range map[int]bool{1000: true, 1001: false} {
		c, _, r := simulated(t, rules.GitLab, "acme/shop")
		root := r.Commit(nil, "root", author, hosttest.Change{Path: "README"})
		at := r.Commit([]string{root}, "many", author, changesOf(named("f%04d", n))...)
		diff, err := c.host.changed(context.Background(), "acme/shop", root, at)
		got := files(t, diff, err)
		if diff.complete != complete || len(got) != 1000 {
			t.Errorf("%d: complete %v (%s), %d files", n, diff.complete, diff.why, len(got))
		}
	}
}

// TestGitLabUnrelated: without a common ancestor two trees are compared still.
func TestGitLabUnrelated(t *testing.T) {
	c, _, r := simulated(t, rules.GitLab, "acme/shop")
	one := r.Commit(nil, "one", author, hosttest.Change{Path: "one"})
	two := r.Commit(nil, "two", author, hosttest.Change{Path: "two"})
	many := r.Commit(nil, "many", author, changesOf(named("f%04d", 1200))...)
	diff, err := c.host.changed(context.Background(), "acme/shop", one, two)
	if got := files(t, diff, err); fmt.Sprint(got) != "[one two]" || !diff.complete || !diff.forced || !diff.known {
		t.Errorf("%v, %+v", got, diff)
	}
	diff, err = c.host.changed(context.Background(), "acme/shop", one, many)
	if files(t, diff, err); diff.complete || !diff.forced {
		t.Errorf("%+v", diff)
	}
	_, err = c.host.changed(context.Background(), "acme/shop", hash("dead"), two)
	if e := AsError("", err); e.Status != http.StatusNotFound || e.Temporary {
		t.Errorf("%+v", e)
	}
}

// TestGitLabRequests holds the requests to what the host documents.
func TestGitLabRequests(t *testing.T) {
	ctx := context.Background()
	before, after := hash("a"), hash("b")
	project := "/git/api/v4/projects/group%2Fsub%2Fshop%3Fa%23b%252F"
	repo := "group/sub/shop?a#b%2F"
	s := play(t, answers{
		"GET " + project: `{"path_with_namespace":"x","default_branch":null}`,
		"GET " + project + "/repository/compare?from=" + before + "&straight=true&to=" + after:                   `{"commits":[],"diffs":[{"old_path":"old","new_path":"new"}],"compare_timeout":false}`,
		"GET " + project + "/repository/compare?from=feature%2Fa+b%23%3F%25%C3%A4%26&straight=false&to=" + after: `{"commits":[],"diffs":[],"compare_timeout":false}`,
		"GET " + project + "/repository/merge_base?refs%5B%5D=" + before + "&refs%5B%5D=" + after:                `{"id":"` + before + `"}`,
		"GET " + project + "/repository/commits/bbbbbbb?stats=false":                                             `{"id":"` + after + `","message":"m","author_name":"Ann","author_email":"a@x","committed_date":"2026-01-02T00:00:00.000+02:00"}`,
		"GET " + project + "/repository/branches?page=1&per_page=100":                                            `[]`,
		"POST " + project + "/statuses/" + after:                                                                 `{}`,
		"POST " + project + "/statuses/" + before: func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusConflict)
			_, _ = w.Write([]byte(`{"message":"Another update to this commit status is in progress"}`))
		},
	})
	for _, base := range []string{"/git", "/git/api/v4"} {
		c := ask(t, rules.GitLab, rules.API{URL: s.URL + base, Token: canary})
		branch, err := c.host.defaultBranch(ctx, repo)
		if h := s.headers()[0]; branch != "" || err != nil || h.Get("PRIVATE-TOKEN") != canary || h.Get("Authorization") != "" {
			t.Error(branch, err, h)
		}
		same(t, "changed", "old new; complete; kept", tell(c.host.changed(ctx, repo, before, after)))
		same(t, "gained", "; complete; unknown", tell(c.host.gained(ctx, repo, "feature/a b#?%ä&", after)))
		if head, err := c.host.commit(ctx, repo, "bbbbbbb"); head.ID != after || head.Author.Name != "Ann" || head.Time.Hour() != 22 || err != nil {
			t.Error(head, err)
		}
		if heads, err := c.Heads(ctx, repo); len(heads) != 0 || err != nil {
			t.Error(heads, err)
		}
		s.was()
		if err := c.Report(ctx, repo, after, Status{Context: "ci", State: Aborted, Description: "build\n7"}); err != nil {
			t.Error(err)
		}
		same(t, "reported", []string{"POST " + project + "/statuses/" + after + ` {"context":"ci","description":"build 7","state":"canceled"}`}, sortedJSON(t, s.was()))
		if err := c.Report(ctx, repo, before, Status{Context: "ci", State: Running}); !AsError("", err).Temporary || AsError("", err).Host {
			t.Error(err)
		}
		s.was()
	}
}

// TestGitLabTransitions: what is there already is told.
func TestGitLabTransitions(t *testing.T) {
	for _, tt := range []struct {
		state State
		words string
		told  bool
	}{
		{Pending, `Cannot transition status via :enqueue from :pending (Reason(s): Status cannot transition via \"enqueue\")`, true},
		{Pending, `Cannot transition status via :enqueue from :running`, true},
		{Running, `Cannot transition status via :run from :running`, true},
		{Success, `Cannot transition status via :success from :success`, true},
		{Failure, `Cannot transition status via :drop from :failed`, true},
		{Running, `Cannot transition status via :run from :success`, false},
		{Success, `Cannot transition status via :success from :failed`, false},
		{Success, `target_url is blocked`, false},
	} {
		s := play(t, answers{"POST /api/v4/projects/a%2Fb/statuses/c": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprintf(w, `{"message":"%s"}`, tt.words)
		}})
		c := ask(t, rules.GitLab, rules.API{URL: s.URL, Token: canary})
		err := c.Report(context.Background(), "a/b", "c", Status{Context: "ci", State: tt.state})
		if tt.told != (err == nil) || AsError("", err).Temporary && err != nil {
			t.Errorf("%s, %s: %v", tt.state, tt.words, err)
		}
	}
}
