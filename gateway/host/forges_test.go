package host

import (
	"strings"
	"testing"

	"github.com/pushgate/pushgate/rules"
)

// giteaBody is a push of Gitea, Forgejo or Gogs; commits are given oldest first
// and sent newest first.
func giteaBody(ref string, before, after int, commits []m, more ...any) m {
	user := m{"login": "pia", "username": "pia", "full_name": "Pia P.", "email": "pia@example.com"}
	b := m{
		"ref": ref, "before": sha(before), "after": sha(after), "compare_url": "https://gitea.test/acme/shop/compare/x...y",
		"commits": newestFirst(commits), "total_commits": len(commits), "head_commit": nil,
		"repository": m{"id": 7, "full_name": "acme/shop", "html_url": "https://gitea.test/acme/shop", "default_branch": "main"},
		"pusher":     user, "sender": user,
	}
	if n := len(commits); n > 0 {
		b["head_commit"] = commits[n-1]
	}
	return with(b, more...)
}

// gogsBody lacks what Gogs does not send.
func gogsBody(ref string, before, after int, commits []m, more ...any) m {
	return with(without(giteaBody(ref, before, after, commits), "head_commit", "total_commits"), more...)
}

// gone is what comes when a ref was created or deleted.
func gone(kind, ref string, more ...any) m {
	b := without(giteaBody("", 0, 0, nil), "before", "after", "commits", "total_commits", "head_commit", "pusher", "compare_url")
	return with(with(b, "ref", ref, "ref_type", kind, "pusher_type", "user"), more...)
}

func TestGiteaAndForgejo(t *testing.T) {
	const main, tag = "refs/heads/main", "refs/tags/v1"
	for _, hostName := range []string{rules.Gitea, rules.Forgejo} {
		created, deleted := []string{"X-Gitea-Event", "create"}, []string{"X-Gitea-Event", "delete"}
		check(t, hostName, []row{
			{name: "moved", body: giteaBody(main, 1, 2, chain(2, 2)), want: "push branch main 1→2; 2; f2 complete"},
			{name: "Forgejo's own header", header: []string{"X-Gitea-Event", "", "X-Forgejo-Event", "push"}, body: giteaBody(main, 1, 2, chain(2, 2)), want: "push branch main 1→2; 2; f2 complete"},
			{name: "its header comes before that of Gogs", header: []string{"X-Gogs-Event", "issues", "X-GitHub-Event", "issues"}, body: giteaBody(main, 1, 2, chain(2, 2)), want: "push branch main 1→2; 2; f2 complete"},
			{name: "merge", body: giteaBody(main, 1, 4, []m{listed(2, "a"), listed(3, "b"), listed(4)}), want: "push branch main 1→4; 2 3 4; b a complete"},
			{name: "created with commits", body: giteaBody(main, 0, 3, chain(2, 3)), want: "create branch main →3; 2 3; f3 f2 partial"},
			{name: "created without", body: giteaBody(main, 0, 2, nil, "head_commit", listed(2, "a")), want: "create branch main →2; 2; unknown"},
			{name: "forced back", body: giteaBody(main, 2, 1, nil, "head_commit", listed(1, "a")), want: "push branch main 2→1; 1; unknown"},
			{name: "deleted, as a push", body: giteaBody(main, 2, 0, nil), want: "delete branch main 2→; ; complete"},
			{name: "tag created", body: giteaBody(tag, 0, 2, nil, "head_commit", listed(2)), want: "create tag v1 →2; 2; unknown"},
			{name: "annotated tag", body: giteaBody(tag, 0, 99, nil, "head_commit", listed(2)), want: "create tag v1 →2; 2; unknown"},
			{name: "tag deleted", body: giteaBody(tag, 2, 0, nil), want: "delete tag v1 2→; ; complete"},
			{name: "below the cap", body: giteaBody(main, 1, 5, chain(2, 5)), want: "push branch main 1→5; 2 3 4 5; f5 f4 f3 f2 complete"},
			{name: "at the cap", body: giteaBody(main, 1, 6, chain(2, 6)), want: "push branch main 1→6; 2 3 4 5 6; f6 f5 f4 f3 f2 complete"},
			{name: "above the cap", body: giteaBody(main, 1, 8, chain(4, 8), "total_commits", 7), want: "push branch main 1→8; 4 5 6 7 8; f8 f7 f6 f5 f4 partial"},
			{name: "new branch, total capped at 10", body: giteaBody(main, 0, 20, chain(16, 20), "total_commits", 10), want: "create branch main →20; 16 17 18 19 20; f20 f19 f18 f17 f16 partial"},
			{name: "a higher cap of the host", body: giteaBody(main, 1, 12, chain(2, 12)), want: "push branch main 1→12; 3 4 5 6 7 8 9 10 11 12; 11 files complete"},
			{name: "no total, below the cap", body: without(giteaBody(main, 1, 5, chain(2, 5)), "total_commits"), want: "push branch main 1→5; 2 3 4 5; f5 f4 f3 f2 complete"},
			{name: "no total, at the cap", body: without(giteaBody(main, 1, 6, chain(2, 6)), "total_commits"), want: "push branch main 1→6; 2 3 4 5 6; f6 f5 f4 f3 f2 partial"},
			{name: "no lists of files", body: giteaBody(main, 1, 2, bare(listed(2))), want: "push branch main 1→2; 2; unknown"},
			{name: "branch's delete", header: deleted, body: gone("branch", "a/b"), want: "delete branch a/b →; ; complete"},
			{name: "branch's delete, long name", header: deleted, body: gone("branch", "refs/heads/a/b"), want: "delete branch a/b →; ; complete"},
			{name: "tag's delete", header: deleted, body: gone("tag", "v1"), want: "ignored"},
			{name: "delete of something else", header: deleted, body: gone("thing", "v1"), want: "ignored"},
			{name: "delete without a name", header: deleted, body: gone("branch", ""), want: "ignored"},
			{name: "branch's create", header: created, body: gone("branch", "a", "sha", sha(2)), want: "ignored"},
			{name: "tag's create", header: created, body: gone("tag", "v1", "sha", sha(2)), want: "ignored"},
			{name: "test delivery", body: giteaBody(main, 2, 2, chain(2, 2)), want: "ignored"},
			{name: "notes", body: giteaBody("refs/notes/commits", 1, 2, nil), want: "ignored"},
			{name: "pull request", header: []string{"X-Gitea-Event", "pull_request"}, body: m{}, want: "ignored"},
			{name: "no event", header: []string{"X-Gitea-Event", ""}, body: giteaBody(main, 1, 2, nil), want: "400"},
			{name: "GitHub's event alone", header: []string{"X-Gitea-Event", "", "X-GitHub-Event", "push"}, body: giteaBody(main, 1, 2, nil), want: "400"},
			{name: "no repository", body: without(giteaBody(main, 1, 2, nil), "repository"), want: "400"},
			{name: "no repository, deleted", header: deleted, body: without(gone("branch", "a"), "repository"), want: "400"},
			{name: "no commit at all", body: giteaBody(main, 0, 0, nil), want: "400"},
			{name: "neither before nor after", body: without(giteaBody(main, 1, 2, nil), "before", "after"), want: "400"},
		})
		whole(t, hostName, giteaBody(main, 1, 2, chain(2, 2)), giteaWhole)
	}
}

var giteaWhole = rules.Push{
	Kind: rules.Branch, Ref: "main", Event: rules.Pushed, Before: sha(1), After: sha(2),
	Pusher: rules.Person{Name: "pia", Email: "pia@example.com"}, DefaultBranch: "main",
	Files:      rules.Files{Completeness: rules.Complete, Paths: []string{"f2"}},
	CommitURL:  "https://gitea.test/acme/shop/commit/" + sha(2),
	CompareURL: "https://gitea.test/acme/shop/compare/x...y",
}

func TestGogs(t *testing.T) {
	const main = "refs/heads/main"
	created, deleted := []string{"X-Gogs-Event", "create"}, []string{"X-Gogs-Event", "delete"}
	gitea := func(event string) []string { return []string{"X-Gogs-Event", event, "X-Gitea-Event", event} }
	check(t, rules.Gogs, []row{
		{name: "moved", body: gogsBody(main, 1, 2, chain(2, 2)), want: "push branch main 1→2; 2; f2 complete"},
		{name: "below the cap", body: gogsBody(main, 1, 5, chain(2, 5)), want: "push branch main 1→5; 2 3 4 5; f5 f4 f3 f2 complete"},
		{name: "at the cap", body: gogsBody(main, 1, 6, chain(2, 6)), want: "push branch main 1→6; 2 3 4 5 6; f6 f5 f4 f3 f2 partial"},
		{name: "created", body: gogsBody(main, 0, 2, chain(2, 2)), want: "create branch main →2; 2; f2 partial"},
		{name: "moved without commits", body: gogsBody(main, 2, 1, nil), want: "push branch main 2→1; ; unknown"},
		{name: "null lists of files", body: gogsBody(main, 1, 2, []m{with(listed(2), "added", nil, "removed", nil, "modified", nil)}), want: "push branch main 1→2; 2; unknown"},
		{name: "branch's create", header: created, body: gone("branch", "a", "sha", sha(2)), want: "ignored"},
		{name: "branch's delete", header: deleted, body: gone("branch", "a"), want: "delete branch a →; ; complete"},
		{name: "tag's create, no push beside it", header: created, body: gone("tag", "v1", "sha", sha(2)), want: "create tag v1 →2; ; unknown"},
		{name: "tag's delete, no push beside it", header: deleted, body: gone("tag", "v1"), want: "delete tag v1 →; ; complete"},
		{name: "tag's create without its commit", header: created, body: gone("tag", "v1"), want: "400"},
		{name: "Gitea as Gogs, tag's create", header: gitea("create"), body: gone("tag", "v1", "sha", sha(2)), want: "ignored"},
		{name: "Gitea as Gogs, tag's delete", header: gitea("delete"), body: gone("tag", "v1"), want: "ignored"},
		{name: "Gitea as Gogs, tag", header: gitea("push"), body: giteaBody("refs/tags/v1", 0, 2, nil, "head_commit", listed(2)), want: "create tag v1 →2; 2; unknown"},
		{name: "notes", body: gogsBody("refs/notes/commits", 1, 2, nil), want: "ignored"},
		{name: "release", header: []string{"X-Gogs-Event", "release"}, body: m{}, want: "ignored"},
		{name: "no event", header: []string{"X-Gogs-Event", ""}, body: gogsBody(main, 1, 2, nil), want: "400"},
		{name: "Gitea's event alone", header: []string{"X-Gogs-Event", "", "X-Gitea-Event", "push"}, body: gogsBody(main, 1, 2, nil), want: "400"},
		{name: "no commit at all", body: gogsBody(main, 0, 0, nil), want: "400"},
	})
	whole(t, rules.Gogs, gogsBody(main, 1, 2, chain(2, 2)), giteaWhole)
}

// good is a host's ordinary push and what it is read as.
func good(hostName string) m {
	switch hostName {
	case rules.GitHub:
		return githubBody("refs/heads/main", 1, 2, chain(2, 2))
	case rules.GitLab:
		return gitlabBody("refs/heads/main", 1, 2, chain(2, 2))
	case rules.Gitea, rules.Forgejo:
		return giteaBody("refs/heads/main", 1, 2, chain(2, 2))
	case rules.Gogs:
		return gogsBody("refs/heads/main", 1, 2, chain(2, 2))
	case rules.BitbucketCloud:
		return cloudBody(cloudMove("branch", "main", 1, 2, 2, 2))
	case rules.BitbucketDataCenter:
		return dcBody(2, 2, dcMove("refs/heads/main", 1, 2))
	}
	panic("no host " + hostName)
}

var signing = []string{rules.BitbucketCloud, rules.BitbucketDataCenter, rules.GitHub, rules.GitLab, rules.Gitea, rules.Forgejo, rules.Gogs}

// TestKeys: a delivery is a repeat of another when id and body are the same.
func TestKeys(t *testing.T) {
	id := map[string]string{
		rules.BitbucketCloud: "X-Request-UUID", rules.BitbucketDataCenter: "X-Request-Id", rules.GitHub: "X-GitHub-Delivery",
		rules.GitLab: "Idempotency-Key", rules.Gitea: "X-Gitea-Delivery", rules.Forgejo: "X-Gitea-Delivery", rules.Gogs: "X-Gogs-Delivery",
	}
	for _, hostName := range signing {
		key := func(value, body string) string {
			d, err := Parse(rules.Source{Name: "s", Host: hostName}, headers(hostName, id[hostName], value), []byte(body))
			if err != nil {
				t.Fatal(err)
			}
			return d.Key
		}
		body := string(mustJSON(t, good(hostName)))
		first, again := key("a", body), key("a", body)
		keys := map[string]bool{first: true, key("b", body): true, key("", body): true, key("a", body+" "): true}
		if len(keys) != 4 || first != again || keys[""] {
			t.Errorf("%s: %v", hostName, keys)
		}
	}
	for _, header := range []string{"X-Gitlab-Event-UUID", "Idempotency-Key"} {
		d, err := Parse(rules.Source{Host: rules.GitLab}, headers(rules.GitLab, header, "the-id"), mustJSON(t, good(rules.GitLab)))
		if err != nil || !strings.HasPrefix(d.Key, "the-id/") {
			t.Errorf("%s: %+v %v", header, d, err)
		}
	}
}
