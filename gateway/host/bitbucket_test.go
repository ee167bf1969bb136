package host

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pushgate/pushgate/rules"
)

func cloudListed(n int) m {
	return m{"hash": sha(n), "message": fmt.Sprintf("change %d\n\nwhy %d", n, n), "date": "2026-01-02T03:04:05+02:00",
		"author": m{"raw": "Ann <ann@example.com>", "user": m{"nickname": "ann"}}}
}

// cloudMove is one change, its commits newest first; before or after 0 is null.
func cloudMove(kind, name string, before, after, first, last int, more ...any) m {
	c := m{"old": nil, "new": nil, "created": before == 0, "closed": after == 0, "forced": false, "truncated": false, "commits": []m{}}
	if before != 0 {
		c["old"] = m{"type": kind, "name": name, "target": cloudListed(before)}
	}
	if after != 0 {
		c["new"] = m{"type": kind, "name": name, "target": cloudListed(after)}
	}
	var commits []m
	for n := last; n >= first; n-- {
		commits = append(commits, cloudListed(n))
	}
	c["commits"] = commits
	return with(c, more...)
}

func cloudBody(changes ...m) m {
	return m{
		"push":       m{"changes": changes},
		"repository": m{"full_name": "acme/shop", "links": m{"html": m{"href": "https://bitbucket.test/acme/shop"}}, "mainbranch": m{"name": "main"}},
		"actor":      m{"display_name": "Pia P.", "nickname": "pia"},
	}
}

func TestBitbucketCloud(t *testing.T) {
	none := []m{}
	check(t, rules.BitbucketCloud, []row{
		{name: "moved", body: cloudBody(cloudMove("branch", "main", 1, 3, 2, 3)), want: "push branch main 1→3; 2 3; unknown"},
		{name: "created", body: cloudBody(cloudMove("branch", "a/b", 0, 2, 2, 2)), want: "create branch a/b →2; 2; unknown"},
		{name: "created at a known commit", body: cloudBody(cloudMove("branch", "a", 0, 2, 1, 0)), want: "create branch a →2; 2; unknown"},
		{name: "forced", body: cloudBody(cloudMove("branch", "main", 1, 2, 2, 2, "forced", true)), want: "force branch main 1→2; 2; unknown"},
		{name: "deleted", body: cloudBody(cloudMove("branch", "main", 2, 0, 1, 0)), want: "delete branch main 2→; ; complete"},
		{name: "tag created", body: cloudBody(without(cloudMove("tag", "v1", 0, 2, 1, 0), "commits")), want: "create tag v1 →2; 2; unknown"},
		{name: "annotated tag", body: cloudBody(cloudMove("annotated_tag", "v1", 0, 2, 1, 0)), want: "create tag v1 →2; 2; unknown"},
		{name: "tag moved", body: cloudBody(cloudMove("tag", "v1", 1, 2, 1, 0, "forced", true)), want: "force tag v1 1→2; 2; unknown"},
		{name: "tag deleted", body: cloudBody(cloudMove("tag", "v1", 2, 0, 1, 0)), want: "delete tag v1 2→; ; complete"},
		{name: "Mercurial", body: cloudBody(cloudMove("named_branch", "default", 1, 2, 2, 2)), want: "push branch default 1→2; 2; unknown"},
		{name: "below the cap", body: cloudBody(cloudMove("branch", "main", 1, 5, 2, 5)), want: "push branch main 1→5; 2 3 4 5; unknown"},
		{name: "at the cap", body: cloudBody(cloudMove("branch", "main", 1, 6, 2, 6)), want: "push branch main 1→6; 2 3 4 5 6; unknown"},
		{name: "above the cap", body: cloudBody(cloudMove("branch", "main", 1, 9, 5, 9, "truncated", true)), want: "push branch main 1→9; 5 6 7 8 9; unknown"},
		{name: "several refs", body: cloudBody(cloudMove("branch", "a", 1, 2, 2, 2), cloudMove("tag", "v1", 0, 3, 1, 0), cloudMove("branch", "b", 4, 0, 1, 0)),
			want: "push branch a 1→2; 2; unknown | create tag v1 →3; 3; unknown | delete branch b 4→; ; complete"},
		{name: "no refs", body: cloudBody(), want: "note"},
		{name: "null changes", body: with(cloudBody(), "push", m{"changes": nil}), want: "note"},
		{name: "a null change", body: with(cloudBody(), "push", m{"changes": []any{nil}}), want: "note"},
		{name: "neither branch nor tag", body: cloudBody(cloudMove("bookmark", "x", 1, 2, 2, 2)), want: "note"},
		{name: "no main branch, no actor", body: with(cloudBody(cloudMove("branch", "main", 1, 2, 2, 2)), "actor", nil), want: "push branch main 1→2; 2; unknown"},
		{name: "a ref without its commit", body: cloudBody(cloudMove("branch", "main", 1, 2, 2, 2, "new", m{"type": "branch", "name": "main"})), want: "400"},
		{name: "a ref without its old commit", body: cloudBody(cloudMove("branch", "main", 1, 2, 2, 2, "old", m{"type": "branch", "name": "main"})), want: "400"},
		{name: "no push", body: without(cloudBody(), "push"), want: "400"},
		{name: "no repository", body: without(cloudBody(), "repository"), want: "400"},
		{name: "no owner", body: with(cloudBody(), "repository", m{"full_name": "shop"}), want: "400"},
		{name: "another event", header: []string{"X-Event-Key", "pullrequest:created"}, body: m{}, want: "ignored"},
		{name: "no event", header: []string{"X-Event-Key", ""}, body: cloudBody(), want: "400"},
		{name: "Data Center's event", header: []string{"X-Event-Key", "repo:refs_changed"}, body: none, want: "ignored"},
	})
	whole(t, rules.BitbucketCloud, cloudBody(cloudMove("branch", "main", 1, 2, 2, 2)), rules.Push{
		Kind: rules.Branch, Ref: "main", Event: rules.Pushed, Before: sha(1), After: sha(2),
		Pusher: rules.Person{Name: "pia"}, DefaultBranch: "main", Files: rules.Files{Completeness: rules.Unknown, Paths: []string{}},
		CommitURL:  "https://bitbucket.test/acme/shop/commits/" + sha(2),
		CompareURL: "https://bitbucket.test/acme/shop/branches/compare/" + sha(2) + ".." + sha(1),
	})
}

func dcListed(n int) m {
	return m{"id": sha(n), "message": fmt.Sprintf("change %d\n\nwhy %d", n, n), "committerTimestamp": 1767315845000,
		"author": m{"name": "Ann", "emailAddress": "ann@example.com"}}
}

func dcMove(ref string, before, after int) m {
	kind := "UPDATE"
	switch {
	case before == 0:
		kind = "ADD"
	case after == 0:
		kind = "DELETE"
	}
	return m{"ref": m{"id": ref}, "refId": ref, "fromHash": sha(before), "toHash": sha(after), "type": kind}
}

// dcBody lists commits first to last, newest first, and the last as what the
// ref points to.
func dcBody(first, last int, changes ...m) m {
	b := m{
		"eventKey": "repo:refs_changed", "changes": changes, "actor": m{"name": "pia", "displayName": "Pia P.", "emailAddress": "pia@example.com"},
		"repository": m{"slug": "shop", "name": "The Shop", "project": m{"key": "acme"}},
	}
	var commits []m
	for n := last; n >= first; n-- {
		commits = append(commits, dcListed(n))
	}
	if commits != nil {
		b["commits"], b["toCommit"] = commits, dcListed(last)
	}
	return b
}

func TestBitbucketDataCenter(t *testing.T) {
	const main, tag = "refs/heads/main", "refs/tags/v1"
	plugin := []string{"X-Event-Key", "repo:push"}
	check(t, rules.BitbucketDataCenter, []row{
		{name: "moved", body: dcBody(2, 3, dcMove(main, 1, 3)), want: "push branch main 1→3; 2 3; unknown"},
		{name: "older, without commits", body: dcBody(1, 0, dcMove(main, 1, 3)), want: "push branch main 1→3; ; unknown"},
		{name: "only ref", body: dcBody(2, 2, without(dcMove(main, 1, 2), "refId")), want: "push branch main 1→2; 2; unknown"},
		{name: "only refId", body: dcBody(2, 2, without(dcMove(main, 1, 2), "ref")), want: "push branch main 1→2; 2; unknown"},
		{name: "created", body: dcBody(2, 2, dcMove("refs/heads/a/b", 0, 2)), want: "create branch a/b →2; 2; unknown"},
		{name: "created at a known commit", body: with(dcBody(1, 0, dcMove(main, 0, 2)), "commits", []m{}, "toCommit", dcListed(2)), want: "create branch main →2; 2; unknown"},
		{name: "deleted", body: dcBody(1, 0, dcMove(main, 2, 0)), want: "delete branch main 2→; ; complete"},
		{name: "tag created", body: dcBody(1, 0, dcMove(tag, 0, 2)), want: "create tag v1 →2; ; unknown"},
		{name: "annotated tag", body: with(dcBody(1, 0, dcMove(tag, 0, 99)), "toCommit", dcListed(2)), want: "create tag v1 →2; 2; unknown"},
		{name: "tag deleted", body: dcBody(1, 0, dcMove(tag, 2, 0)), want: "delete tag v1 2→; ; complete"},
		{name: "below the cap", body: dcBody(2, 5, dcMove(main, 1, 5)), want: "push branch main 1→5; 2 3 4 5; unknown"},
		{name: "at the cap", body: dcBody(2, 6, dcMove(main, 1, 6)), want: "push branch main 1→6; 2 3 4 5 6; unknown"},
		{name: "above the cap", body: dcBody(5, 9, dcMove(main, 1, 9)), want: "push branch main 1→9; 5 6 7 8 9; unknown"},
		{name: "several refs", body: dcBody(2, 2, dcMove("refs/heads/a", 1, 2), dcMove(tag, 0, 3), dcMove("refs/heads/b", 4, 0)),
			want: "push branch a 1→2; ; unknown | create tag v1 →3; ; unknown | delete branch b 4→; ; complete"},
		{name: "an empty toCommit", body: with(dcBody(2, 2, dcMove(main, 1, 2)), "toCommit", m{}), want: "push branch main 1→2; 2; unknown"},
		{name: "notes", body: dcBody(1, 0, dcMove("refs/notes/commits", 1, 2)), want: "note"},
		{name: "no refs", body: dcBody(1, 0), want: "note"},
		{name: "the plugin's push", header: plugin, body: with(without(dcBody(1, 0), "changes"), "push", m{"changes": []m{cloudMove("branch", "main", 1, 2, 2, 2)}}), want: "push branch main 1→2; 2; unknown"},
		{name: "the plugin's push without a commit", header: plugin, body: with(dcBody(1, 0), "push", m{"changes": []m{{"new": m{"type": "branch", "name": "x"}}}}), want: "400"},
		{name: "no commit at all", body: dcBody(1, 0, dcMove(main, 0, 0)), want: "400"},
		{name: "ping", header: []string{"X-Event-Key", "diagnostics:ping"}, body: m{"test": true}, want: "ignored"},
		{name: "another event", header: []string{"X-Event-Key", "pr:opened"}, body: m{}, want: "ignored"},
		{name: "no event", header: []string{"X-Event-Key", ""}, body: dcBody(1, 0), want: "400"},
		{name: "no repository", body: without(dcBody(1, 0), "repository"), want: "400"},
		{name: "no project", body: with(dcBody(1, 0), "repository", m{"slug": "shop"}), want: "400"},
	})
	want := rules.Push{
		Kind: rules.Branch, Ref: "main", Event: rules.Pushed, Before: sha(1), After: sha(2),
		Pusher: rules.Person{Name: "pia", Email: "pia@example.com"}, Files: rules.Files{Completeness: rules.Unknown, Paths: []string{}},
	}
	whole(t, rules.BitbucketDataCenter, dcBody(2, 2, dcMove(main, 1, 2)), want)
	later := with(dcListed(2), "committerTimestamp", "2026-01-02T01:04:05Z")
	whole(t, rules.BitbucketDataCenter, with(dcBody(1, 0, dcMove(main, 1, 2)), "commits", []m{later}), want)
}

// TestTimes: what is no time is none, and every time can be written as JSON.
func TestTimes(t *testing.T) {
	for text, want := range map[string]string{
		"2026-01-02T03:04:05+02:00": "2026-01-02T01:04:05Z", "2026-01-02T03:04:05.5Z": "2026-01-02T03:04:05.5Z",
		"9999-12-31T23:59:59-23:00": "0001-01-01T00:00:00Z", "0000-01-01T00:00:00+23:00": "0001-01-01T00:00:00Z",
		"": "0001-01-01T00:00:00Z", "yesterday": "0001-01-01T00:00:00Z", "2026-01-02": "0001-01-01T00:00:00Z",
		"1767315845000": "2026-01-02T01:04:05Z", "9223372036854775807": "0001-01-01T00:00:00Z", "1e3": "0001-01-01T00:00:00Z",
	} {
		got, err := TimeOf(text).MarshalText()
		if err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("%s: %s", text, diff)
		}
	}
	for _, stamp := range []any{1e300, -1, 0.5, 9223372036854775807, "x", nil, true, []int{1}, m{"a": 1}} {
		body := dcBody(1, 0, dcMove("refs/heads/main", 1, 2))
		body["commits"] = []m{with(dcListed(2), "committerTimestamp", stamp)}
		if got := told(t, rules.BitbucketDataCenter, headers(rules.BitbucketDataCenter), mustJSON(t, body)); got != "push branch main 1→2; 2; unknown" {
			t.Errorf("%v: %s", stamp, got)
		}
	}
}
