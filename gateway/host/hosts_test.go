package host

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pushgate/pushgate/rules"
)

type m = map[string]any

// sha is the nth commit; the zeroth is none.
func sha(n int) string { return fmt.Sprintf("%040d", n) }

// with is a body with some of its fields changed.
func with(base m, fields ...any) m {
	out := m{}
	for k, v := range base {
		out[k] = v
	}
	for i := 0; i < len(fields); i += 2 {
		out[fields[i].(string)] = fields[i+1]
	}
	return out
}

func without(base m, names ...string) m {
	out := with(base)
	for _, n := range names {
		delete(out, n)
	}
	return out
}

// listed is a commit as GitHub, GitLab, Gitea and Gogs list it: "+f" was added,
// "-f" removed, "f" modified.
func listed(n int, files ...string) m {
	lists := map[byte][]string{'+': {}, '-': {}, ' ': {}}
	for _, f := range files {
		switch f[0] {
		case '+', '-':
			lists[f[0]] = append(lists[f[0]], f[1:])
		default:
			lists[' '] = append(lists[' '], f)
		}
	}
	return m{
		"id": sha(n), "message": fmt.Sprintf("change %d\n\nwhy %d", n, n), "timestamp": "2026-01-02T03:04:05+02:00",
		"author": m{"name": "Ann", "email": "ann@example.com", "username": "ann"}, "distinct": true,
		"added": lists['+'], "removed": lists['-'], "modified": lists[' '],
	}
}

// chain is the commits from first to last, each with a file of its own.
func chain(first, last int) []m {
	list := []m{}
	for n := first; n <= last; n++ {
		list = append(list, listed(n, fmt.Sprintf("f%d", n)))
	}
	return list
}

func newestFirst(commits []m) []m {
	list := []m{}
	for i := len(commits) - 1; i >= 0; i-- {
		list = append(list, commits[i])
	}
	return list
}

// bare is commits without lists of files.
func bare(commits ...m) []m {
	list := []m{}
	for _, c := range commits {
		list = append(list, without(c, "added", "removed", "modified"))
	}
	return list
}

func mustJSON(t testing.TB, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// headers is those of a push with some changed: name, value, …; "" takes away.
func headers(hostName string, changed ...string) http.Header {
	h := PushHeader(hostName)
	for i := 0; i < len(changed); i += 2 {
		h.Del(changed[i])
		if changed[i+1] != "" {
			h.Set(changed[i], changed[i+1])
		}
	}
	return h
}

// short form of a commit: its number.
func number(commit string) string { return strings.TrimLeft(commit, "0") }

// told says in one line what was read: "ignored", "note", the status of a
// refusal, or each push as "event kind ref before→after; commits; files
// completeness".
func told(t *testing.T, hostName string, h http.Header, body []byte) string {
	t.Helper()
	d, err := Parse(rules.Source{Name: "s", Host: hostName, Insecure: true}, h, body)
	if r, refused := errors.AsType[*Refusal](err); refused {
		if r.Hint == "" || r.Reason == "" || strings.ContainsAny(r.Reason+r.Hint, "\r\n") {
			t.Errorf("a poor refusal: %+v", r)
		}
		return fmt.Sprint(r.Status)
	}
	switch {
	case err != nil:
		t.Fatal(err)
	case d.Ignored != "":
		if len(d.Pushes) > 0 || d.Note != "" {
			t.Errorf("ignored and yet %+v", d)
		}
		return "ignored"
	case d.Repo != "acme/shop":
		t.Errorf("repository %q", d.Repo)
	case len(d.Pushes) == 0 && d.Note != "":
		return "note"
	}
	var lines []string
	for _, p := range d.Pushes {
		if p.Source != "s" || p.Repo != d.Repo || p.Files.Paths == nil {
			t.Errorf("%+v", p)
		}
		var commits []string
		for i, c := range p.Commits {
			commits = append(commits, number(c.ID))
			whole := strings.Contains(c.Message, "\n")
			if last := i == len(p.Commits)-1; whole != last {
				t.Errorf("message of commit %d of %d: %q", i+1, len(p.Commits), c.Message)
			}
		}
		files := strings.Join(p.Files.Paths, " ")
		if n := len(p.Files.Paths); n > 8 {
			files = fmt.Sprint(n, " files")
		}
		lines = append(lines, fmt.Sprintf("%s %s %s %s→%s; %s; %s", p.Event, p.Kind, p.Ref, number(p.Before), number(p.After),
			strings.Join(commits, " "), strings.TrimSpace(files+" "+string(p.Files.Completeness))))
	}
	return strings.Join(lines, " | ")
}

// A row is one body and what it must be read as.
type row struct {
	name   string
	header []string
	body   any
	want   string
}

func check(t *testing.T, hostName string, rows []row) {
	t.Helper()
	for _, r := range rows {
		if got := told(t, hostName, headers(hostName, r.header...), mustJSON(t, r.body)); got != r.want {
			t.Errorf("%s, %s:\n got %s\nwant %s", hostName, r.name, got, r.want)
		}
	}
}

// whole compares a push of one commit in all its parts.
func whole(t *testing.T, hostName string, body any, want rules.Push) {
	t.Helper()
	d, err := Parse(rules.Source{Name: "s", Host: hostName}, headers(hostName), mustJSON(t, body))
	if err != nil {
		t.Fatal(err)
	}
	want.Source, want.Repo = "s", "acme/shop"
	want.Commits = []rules.Commit{{
		ID: sha(2), Message: "change 2\n\nwhy 2", Author: rules.Person{Name: "Ann", Email: "ann@example.com"},
		Time: time.Date(2026, 1, 2, 1, 4, 5, 0, time.UTC),
	}}
	if diff := cmp.Diff([]rules.Push{want}, d.Pushes); diff != "" {
		t.Errorf("%s:\n%s", hostName, diff)
	}
}

func githubBody(ref string, before, after int, commits []m, more ...any) m {
	b := m{
		"ref": ref, "before": sha(before), "after": sha(after), "commits": commits, "head_commit": nil,
		"created": before == 0, "deleted": after == 0, "forced": false, "compare": "https://github.test/acme/shop/compare/x...y",
		"repository": m{"id": 7, "full_name": "acme/shop", "html_url": "https://github.test/acme/shop", "default_branch": "main"},
		"pusher":     m{"name": "pia", "email": "pia@example.com"}, "sender": m{"login": "pia"},
	}
	if n := len(commits); n > 0 {
		b["head_commit"] = commits[n-1]
	}
	return with(b, more...)
}

func TestGitHub(t *testing.T) {
	const main, tag = "refs/heads/main", "refs/tags/v1"
	ten := "2039 2040 2041 2042 2043 2044 2045 2046 2047 2048"
	many := listed(2)
	var names []string
	for i := range githubFiles {
		names = append(names, fmt.Sprintf("g%d", i))
	}
	many["added"] = names
	check(t, rules.GitHub, []row{
		{name: "moved", body: githubBody(main, 1, 2, chain(2, 2)), want: "push branch main 1→2; 2; f2 complete"},
		{name: "kinds of change", body: githubBody(main, 1, 2, []m{listed(2, "+a", "-b", "c")}), want: "push branch main 1→2; 2; a b c complete"},
		{name: "name with slashes", body: githubBody("refs/heads/a/b/ü", 1, 2, chain(2, 2)), want: "push branch a/b/ü 1→2; 2; f2 complete"},
		{name: "three commits, a file twice", body: githubBody(main, 1, 4, []m{listed(2, "a"), listed(3, "a", "b"), listed(4, "b")}), want: "push branch main 1→4; 2 3 4; a b complete"},
		{name: "merge", body: githubBody(main, 1, 4, []m{listed(2, "a"), listed(3, "b"), listed(4)}), want: "push branch main 1→4; 2 3 4; a b complete"},
		{name: "empty commit", body: githubBody(main, 1, 2, []m{listed(2)}), want: "push branch main 1→2; 2; complete"},
		{name: "no commits listed", body: githubBody(main, 1, 2, []m{}), want: "push branch main 1→2; ; unknown"},
		{name: "no commits listed but the head", body: githubBody(main, 1, 2, []m{}, "head_commit", listed(2, "a")), want: "push branch main 1→2; 2; unknown"},
		{name: "created", body: githubBody(main, 0, 2, chain(2, 2)), want: "create branch main →2; 2; f2 partial"},
		{name: "created at a known commit", body: githubBody(main, 0, 2, []m{}, "head_commit", listed(2, "a")), want: "create branch main →2; 2; unknown"},
		{name: "forced", body: githubBody(main, 1, 2, chain(2, 2), "forced", true), want: "force branch main 1→2; 2; f2 partial"},
		{name: "forced back", body: githubBody(main, 2, 1, []m{}, "forced", true, "head_commit", listed(1, "a")), want: "force branch main 2→1; 1; unknown"},
		{name: "deleted", body: githubBody(main, 2, 0, []m{}), want: "delete branch main 2→; ; complete"},
		{name: "tag created", body: githubBody(tag, 0, 2, []m{}, "head_commit", listed(2, "a")), want: "create tag v1 →2; 2; unknown"},
		{name: "annotated tag", body: githubBody(tag, 0, 99, []m{}, "head_commit", listed(2, "a")), want: "create tag v1 →2; 2; unknown"},
		{name: "tag moved", body: githubBody(tag, 1, 2, []m{}, "forced", true, "head_commit", listed(2, "a")), want: "force tag v1 1→2; 2; unknown"},
		{name: "tag deleted", body: githubBody(tag, 2, 0, []m{}), want: "delete tag v1 2→; ; complete"},
		{name: "below the cap", body: githubBody(main, 1, 2048, chain(2, 2048)), want: "push branch main 1→2048; " + ten + "; 2047 files complete"},
		{name: "at the cap", body: githubBody(main, 9999, 2048, chain(1, 2048)), want: "push branch main 9999→2048; " + ten + "; 2048 files partial"},
		{name: "above the cap", body: githubBody(main, 1, 5000, chain(2, 2049), "head_commit", listed(5000, "z")), want: "push branch main 1→5000; " + strings.TrimPrefix(ten, "2039 2040 ") + " 2049 5000; 2048 files partial"},
		{name: "many files", body: githubBody(main, 1, 2, []m{many}), want: "push branch main 1→2; 2; 3000 files partial"},
		{name: "no lists of files", body: githubBody(main, 1, 2, bare(listed(2))), want: "push branch main 1→2; 2; unknown"},
		{name: "some lists of files", body: githubBody(main, 1, 3, append(bare(listed(2)), listed(3, "a"))), want: "push branch main 1→3; 2 3; a partial"},
		{name: "notes", body: githubBody("refs/notes/commits", 1, 2, chain(2, 2)), want: "ignored"},
		{name: "pull request's ref", body: githubBody("refs/pull/1/head", 1, 2, chain(2, 2)), want: "ignored"},
		{name: "ping", header: []string{"X-GitHub-Event", "ping"}, body: m{"zen": "x"}, want: "ignored"},
		{name: "create", header: []string{"X-GitHub-Event", "create"}, body: m{}, want: "ignored"},
		{name: "issue", header: []string{"X-GitHub-Event", "issues"}, body: m{}, want: "ignored"},
		{name: "no event", header: []string{"X-GitHub-Event", ""}, body: githubBody(main, 1, 2, nil), want: "400"},
		{name: "no repository", body: without(githubBody(main, 1, 2, nil), "repository"), want: "400"},
		{name: "no owner", body: githubBody(main, 1, 2, nil, "repository", m{"full_name": "shop"}), want: "400"},
		{name: "no commit at all", body: githubBody(main, 0, 0, nil), want: "400"},
		{name: "neither before nor after", body: without(githubBody(main, 1, 2, nil), "before", "after"), want: "400"},
		{name: "GitLab's body", body: gitlabBody(main, 1, 2, chain(2, 2)), want: "400"},
		{name: "a list", body: []int{1}, want: "400"},
	})
	whole(t, rules.GitHub, githubBody(main, 1, 2, chain(2, 2)), rules.Push{
		Kind: rules.Branch, Ref: "main", Event: rules.Pushed, Before: sha(1), After: sha(2),
		Pusher: rules.Person{Name: "pia", Email: "pia@example.com"}, DefaultBranch: "main",
		Files:      rules.Files{Completeness: rules.Complete, Paths: []string{"f2"}},
		CommitURL:  "https://github.test/acme/shop/commit/" + sha(2),
		CompareURL: "https://github.test/acme/shop/compare/x...y",
	})
}

func gitlabBody(ref string, before, after int, commits []m, more ...any) m {
	kind := "push"
	if strings.HasPrefix(ref, "refs/tags/") {
		kind = "tag_push"
	}
	b := m{
		"object_kind": kind, "event_name": kind, "ref": ref, "before": sha(before), "after": sha(after), "checkout_sha": nil,
		"user_name": "Pia", "user_username": "pia", "user_email": "pia@example.com", "commits": commits, "total_commits_count": len(commits),
		"project": m{"id": 7, "path_with_namespace": "acme/shop", "web_url": "https://gitlab.test/acme/shop", "default_branch": "main"},
	}
	if after != 0 {
		b["checkout_sha"] = sha(after)
	}
	return with(b, more...)
}

func TestGitLab(t *testing.T) {
	const main, tag = "refs/heads/main", "refs/tags/v1"
	system := []string{"X-Gitlab-Event", "System Hook"}
	check(t, rules.GitLab, []row{
		{name: "moved", body: gitlabBody(main, 1, 2, chain(2, 2)), want: "push branch main 1→2; 2; f2 complete"},
		{name: "merge", body: gitlabBody(main, 1, 4, []m{listed(2, "a"), listed(3, "b"), listed(4)}), want: "push branch main 1→4; 2 3 4; a b complete"},
		{name: "created with commits", body: gitlabBody(main, 0, 2, chain(2, 2)), want: "create branch main →2; 2; f2 partial"},
		{name: "created without", body: gitlabBody(main, 0, 2, []m{}), want: "create branch main →2; ; unknown"},
		{name: "moved without commits", body: gitlabBody(main, 2, 1, []m{}), want: "push branch main 2→1; ; unknown"},
		{name: "deleted", body: gitlabBody(main, 2, 0, []m{}), want: "delete branch main 2→; ; complete"},
		{name: "tag created", body: gitlabBody(tag, 0, 2, []m{}), want: "create tag v1 →2; ; unknown"},
		{name: "annotated tag", body: gitlabBody(tag, 0, 99, []m{}, "checkout_sha", sha(2)), want: "create tag v1 →2; ; unknown"},
		{name: "tag moved", body: gitlabBody(tag, 1, 2, []m{}), want: "push tag v1 1→2; ; unknown"},
		{name: "tag deleted", body: gitlabBody(tag, 2, 0, nil), want: "delete tag v1 2→; ; complete"},
		{name: "below the cap", body: gitlabBody(main, 1, 20, chain(2, 20)), want: "push branch main 1→20; 11 12 13 14 15 16 17 18 19 20; 19 files complete"},
		{name: "at the cap", body: gitlabBody(main, 1, 21, chain(2, 21)), want: "push branch main 1→21; 12 13 14 15 16 17 18 19 20 21; 20 files complete"},
		{name: "above the cap", body: gitlabBody(main, 1, 30, chain(11, 30), "total_commits_count", 29), want: "push branch main 1→30; 21 22 23 24 25 26 27 28 29 30; 20 files partial"},
		{name: "system hook", header: system, body: without(gitlabBody(main, 1, 2, chain(2, 2)), "object_kind"), want: "push branch main 1→2; 2; f2 complete"},
		{name: "system hook without lists", header: system, body: gitlabBody(main, 1, 2, bare(listed(2))), want: "push branch main 1→2; 2; unknown"},
		{name: "system hook, tag", header: system, body: without(gitlabBody(tag, 0, 2, nil), "object_kind"), want: "create tag v1 →2; ; unknown"},
		{name: "system hook, another event", header: system, body: m{"event_name": "project_create"}, want: "ignored"},
		{name: "system hook, repository update", header: system, body: m{"event_name": "repository_update", "refs": []string{main}}, want: "ignored"},
		{name: "notes", body: gitlabBody("refs/notes/commits", 1, 2, nil), want: "ignored"},
		{name: "merge request", body: m{"object_kind": "merge_request"}, want: "ignored"},
		{name: "no event", body: without(gitlabBody(main, 1, 2, nil), "object_kind", "event_name"), want: "400"},
		{name: "no project", body: without(gitlabBody(main, 1, 2, nil), "project"), want: "400"},
		{name: "no namespace", body: gitlabBody(main, 1, 2, nil, "project", m{"path_with_namespace": "shop"}), want: "400"},
		{name: "no commit at all", body: gitlabBody(main, 0, 0, nil), want: "400"},
		{name: "GitHub's body", body: githubBody(main, 1, 2, chain(2, 2)), want: "400"},
	})
	whole(t, rules.GitLab, gitlabBody(main, 1, 2, chain(2, 2)), rules.Push{
		Kind: rules.Branch, Ref: "main", Event: rules.Pushed, Before: sha(1), After: sha(2),
		Pusher: rules.Person{Name: "Pia", Email: "pia@example.com"}, DefaultBranch: "main",
		Files:      rules.Files{Completeness: rules.Complete, Paths: []string{"f2"}},
		CommitURL:  "https://gitlab.test/acme/shop/-/commit/" + sha(2),
		CompareURL: "https://gitlab.test/acme/shop/-/compare/" + sha(1) + "..." + sha(2),
	})
}
