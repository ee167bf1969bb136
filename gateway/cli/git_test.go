package cli

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/pushgate/pushgate/rules"
)

const gitRules = `
servers: {ci: {jenkins: "https://ci.example.com", user: u, token: t}}
rules: [{name: all, start: {server: ci, job: x}}]
`

// newClone makes a repository and works in it, with no configuration but its
// own. Each commit is a minute after the one before.
func newClone(t *testing.T) *repository {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Fatalf("these tests need git: %v", err)
	}
	// Tests that a hook runs would work in the hook's repository.
	for _, pair := range os.Environ() {
		if name, _, _ := strings.Cut(pair, "="); strings.HasPrefix(name, "GIT_") {
			t.Setenv(name, "") // puts it back afterwards
			os.Unsetenv(name)
		}
	}
	t.Setenv("HOME", t.TempDir())
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	t.Setenv("GIT_CONFIG_NOSYSTEM", "1")
	r := &repository{t: t, at: time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)}
	t.Chdir(t.TempDir())
	r.git("init", "--quiet", "--object-format=sha1", "--initial-branch", "main")
	r.git("config", "user.name", "Committer")
	r.git("config", "user.email", "committer@example.com")
	r.git("remote", "add", "origin", "https://secret@git.example.com/acme/shop.git")
	return r
}

type repository struct {
	t  *testing.T
	at time.Time
}

func (r *repository) git(args ...string) string {
	r.t.Helper()
	cmd := exec.CommandContext(r.t.Context(), "git", args...)
	date := r.at.Format(time.RFC3339)
	cmd.Env = append(os.Environ(), "GIT_AUTHOR_NAME=Ann Ä", "GIT_AUTHOR_EMAIL=ann@example.com", "GIT_AUTHOR_DATE="+date, "GIT_COMMITTER_DATE="+date)
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.t.Fatalf("git %q: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// commit writes the files, each with its name for content, and commits all that
// changed.
func (r *repository) commit(message string, files ...string) string {
	r.t.Helper()
	for _, name := range files {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			r.t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(name+"\n"), 0o644); err != nil {
			r.t.Fatal(err)
		}
	}
	r.at = r.at.Add(time.Minute)
	r.git("add", "--all")
	r.git("commit", "--quiet", "--allow-empty", "-m", message)
	return r.git("rev-parse", "HEAD")
}

// push gives the push that explain would ask the rules about.
func (r *repository) push(f pushFlags, given ...string) (*rules.Push, error) {
	r.t.Helper()
	set, err := rules.LoadFiles([]rules.File{{Name: "rules.yaml", Content: gitRules}}, func(string) (string, error) { return "", rules.ErrUnresolved })
	if err != nil {
		r.t.Fatal(err)
	}
	f.event = cmp.Or(f.event, string(rules.Pushed))
	pushes, err := f.fromClone(r.t.Context(), set, "", func(name string) bool { return slices.Contains(given, name) })
	if err != nil {
		return nil, err
	}
	if len(pushes) != 1 {
		r.t.Fatalf("%d pushes", len(pushes))
	}
	return &pushes[0], nil
}

// TestGitPush holds a range to the push that a code host would send for it.
func TestGitPush(t *testing.T) {
	r := newClone(t)
	root := r.commit("root", "a.txt", "old/name.txt", "gone.txt")
	if err := os.Remove("gone.txt"); err != nil {
		t.Fatal(err)
	}
	second := r.commit("second\n\nwith a body", "dir/b.txt")
	r.git("mv", "old", "new")
	third := r.commit("third")
	r.git("checkout", "--quiet", "-b", "side", second)
	side := r.commit("side", "side.txt")
	r.git("checkout", "--quiet", "main")
	r.git("merge", "--quiet", "--no-ff", "-m", "merged", "side")
	merge := r.git("rev-parse", "HEAD")
	r.git("tag", "-a", "-m", "annotated", "v1", third)
	r.git("update-ref", "refs/remotes/origin/main", second)
	r.git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main")

	minute := func(n int) time.Time { return time.Date(2024, 5, 1, 12, n, 0, 0, time.UTC) }
	ann := rules.Person{Name: "Ann Ä", Email: "ann@example.com"}
	commits := map[string]rules.Commit{
		root:   {ID: root, Message: "root", Author: ann, Time: minute(1)},
		second: {ID: second, Message: "second\n\nwith a body", Author: ann, Time: minute(2)},
		third:  {ID: third, Message: "third", Author: ann, Time: minute(3)},
		side:   {ID: side, Message: "side", Author: ann, Time: minute(4)},
		merge:  {ID: merge, Message: "merged", Author: ann, Time: minute(4)},
	}
	renamed := []string{"new/name.txt", "old/name.txt"}
	for _, c := range []struct {
		name          string
		flags         pushFlags
		given         []string
		ref           string
		event         rules.Event
		before, after string
		files         []string
		commits       []string // the side branch may come before or after third
	}{
		{name: "fast forward", flags: pushFlags{git: root + ".." + third}, event: rules.Pushed, before: root, after: third,
			files: slices.Concat([]string{"dir/b.txt", "gone.txt"}, renamed), commits: []string{second, third}},
		{name: "since what was fetched", flags: pushFlags{git: "origin/main..HEAD"}, event: rules.Pushed, before: second, after: merge,
			files: slices.Concat(renamed, []string{"side.txt"}), commits: []string{third, side, merge}},
		{name: "a side left out", flags: pushFlags{git: "HEAD^.."}, event: rules.Pushed, before: third, after: merge,
			files: []string{"side.txt"}, commits: []string{side, merge}},
		{name: "merge base", flags: pushFlags{git: third + "...side", branch: "main"}, event: rules.Pushed, before: second, after: side,
			files: []string{"side.txt"}, commits: []string{side}},
		{name: "forced", flags: pushFlags{git: third + "..side", branch: "main"}, event: rules.Forced, before: third, after: side,
			files: slices.Concat(renamed, []string{"side.txt"}), commits: []string{side}},
		{name: "taken away", flags: pushFlags{git: third + ".." + root}, event: rules.Forced, before: third, after: root,
			files: slices.Concat([]string{"dir/b.txt", "gone.txt"}, renamed), commits: []string{root}},
		{name: "not forced, as told", flags: pushFlags{git: third + ".." + root, event: "push"}, given: []string{"event"}, event: rules.Pushed, before: third, after: root,
			files: slices.Concat([]string{"dir/b.txt", "gone.txt"}, renamed), commits: []string{root}},
		{name: "one commit", flags: pushFlags{git: "HEAD~1"}, event: rules.Pushed, before: second, after: third, files: renamed, commits: []string{third}},
		{name: "a merge", flags: pushFlags{git: "HEAD"}, event: rules.Pushed, before: third, after: merge, files: []string{"side.txt"}, commits: []string{side, merge}},
		{name: "the root", flags: pushFlags{git: root[:10]}, event: rules.Pushed, after: root,
			files: []string{"a.txt", "gone.txt", "old/name.txt"}, commits: []string{root}},
		{name: "an annotated tag", flags: pushFlags{git: "v1"}, event: rules.Pushed, before: second, after: third, files: renamed, commits: []string{third}},
		{name: "by its message", flags: pushFlags{git: ":/thir"}, event: rules.Pushed, before: second, after: third, files: renamed, commits: []string{third}},
		{name: "a new branch", flags: pushFlags{git: second + "..HEAD~1", event: "create"}, given: []string{"event"}, event: rules.Created, after: third,
			files: renamed, commits: []string{third}},
		{name: "the branch it ends at", flags: pushFlags{git: "main~2..side"}, ref: "side", event: rules.Pushed, before: second, after: side,
			files: []string{"side.txt"}, commits: []string{side}},
		{name: "the remote's branch it ends at", flags: pushFlags{git: "HEAD~3..origin/HEAD"}, event: rules.Pushed, before: root, after: second,
			files: []string{"dir/b.txt", "gone.txt"}, commits: []string{second}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := r.push(c.flags, c.given...)
			if err != nil {
				t.Fatal(err)
			}
			want := &rules.Push{
				Repo: "acme/shop", Kind: rules.Branch, Ref: cmp.Or(c.ref, "main"), Event: c.event, Before: c.before, After: c.after,
				DefaultBranch: "main", Files: rules.Files{Completeness: rules.Complete, Paths: c.files},
			}
			for _, id := range c.commits {
				want.Commits = append(want.Commits, commits[id])
			}
			slices.SortFunc(got.Commits[:len(got.Commits)-1], func(a, b rules.Commit) int { return a.Time.Compare(b.Time) })
			if diff := gocmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}

	t.Run("flags", func(t *testing.T) {
		got, err := r.push(pushFlags{git: "v1", tag: "v1", repo: "other/one", pusher: "bob", event: "create"}, "event")
		if err != nil {
			t.Fatal(err)
		}
		// The default branch of acme/shop is not that of other/one.
		if got.Kind != rules.Tag || got.Ref != "v1" || got.Repo != "other/one" || got.Pusher.Name != "bob" || got.DefaultBranch != "" || got.After != third {
			t.Errorf("%+v", got)
		}
	})
	t.Run("detached", func(t *testing.T) {
		r.git("checkout", "--quiet", "--detach")
		defer r.git("checkout", "--quiet", "main")
		if _, err := r.push(pushFlags{git: "HEAD"}); err == nil || !strings.Contains(err.Error(), "HEAD is detached, so the branch is not known; give --branch or --tag") {
			t.Error(err)
		}
		for _, f := range []pushFlags{{git: "HEAD", branch: "b"}, {git: "HEAD", tag: "b"}} {
			if got, err := r.push(f); err != nil || got.Ref != "b" || got.Repo != "acme/shop" {
				t.Errorf("%+v, %v", got, err)
			}
		}
	})
	t.Run("in a folder", func(t *testing.T) {
		t.Chdir("dir")
		r.git("config", "diff.relative", "true")
		if got, err := r.push(pushFlags{git: "HEAD"}); err != nil || !slices.Equal(got.Files.Paths, []string{"side.txt"}) {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

// TestGitChanges: what is no change of a file's text counts too, and any name
// that git can hold comes through.
func TestGitChanges(t *testing.T) {
	r := newClone(t)
	sub := r.commit("root", "run.sh", "to.txt")
	r.git("update-index", "--add", "--cacheinfo", "160000,"+sub+",lib")
	r.git("commit", "--quiet", "-m", "submodule")
	before := r.git("rev-parse", "HEAD")
	r.git("update-index", "--cacheinfo", "160000,"+before+",lib")
	r.git("update-index", "--chmod", "+x", "run.sh")
	want := []string{"lib", "run.sh", "to.txt"}
	blob := r.git("hash-object", "-w", "run.sh")
	r.git("update-index", "--cacheinfo", "120000,"+blob+",to.txt")
	for _, name := range []string{"new\nline", "quote\"d", "ümläut", "la\xffin", "back\\slash", "tab\t", "-dash", "esc\x1b[31m", "sp ace ", ":(top)x"} {
		r.git("update-index", "--add", "--cacheinfo", "100644,"+blob+","+name)
		want = append(want, name)
	}
	// Configuration that hides changes.
	for _, pair := range [][2]string{{"diff.ignoreSubmodules", "all"}, {"submodule.lib.path", "lib"}, {"submodule.lib.ignore", "all"}, {"diff.renames", "copies"}, {"core.quotePath", "true"}} {
		r.git("config", pair[0], pair[1])
	}
	r.git("commit", "--quiet", "-m", "names")
	got, err := r.push(pushFlags{git: before + "..HEAD"})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(want)
	slices.Sort(got.Files.Paths)
	if diff := gocmp.Diff(want, got.Files.Paths); diff != "" || got.Files.Completeness != rules.Complete {
		t.Errorf("%s\n%s", got.Files.Completeness, diff)
	}

	// A commit without changes is complete, and empty.
	r.commit("nothing")
	if got, err = r.push(pushFlags{git: "HEAD"}); err != nil || got.Files.Completeness != rules.Complete || got.Files.Paths == nil {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestGitTexts: messages and authors come as they are, in UTF-8, and times that
// JSON cannot hold are left out.
func TestGitTexts(t *testing.T) {
	r := newClone(t)
	r.commit("root", "a")
	tree, parent := r.git("rev-parse", "HEAD^{tree}"), r.git("rev-parse", "HEAD")
	object := func(headers, message string) string {
		path := filepath.Join(t.TempDir(), "commit")
		text := fmt.Sprintf("tree %s\nparent %s\n%s\n\n%s", tree, parent, headers, message)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return r.git("hash-object", "-t", "commit", "-w", "--literally", path)
	}
	const committer = "\ncommitter C <c@d> 1700000000 +0000"
	for name, c := range map[string]struct {
		id   string
		want rules.Commit
	}{
		"latin1": {object("author J\xf6rg <j@d> 1700000000 +0000"+committer+"\nencoding ISO-8859-1", "gr\xfc\xdfe\n\nx\n\n"),
			rules.Commit{Message: "grüße\n\nx\n", Author: rules.Person{Name: "Jörg", Email: "j@d"}, Time: time.Unix(1700000000, 0).UTC()}},
		"no message": {object("author A <> 1 +0000"+committer, ""), rules.Commit{Author: rules.Person{Name: "A"}, Time: time.Unix(1, 0).UTC()}},
		"looks like another": {object("author A <a@b> 1 +0000"+committer, "commit "+parent+"\nAuthor: B <b@c>\n"),
			rules.Commit{Message: "commit " + parent + "\nAuthor: B <b@c>", Author: rules.Person{Name: "A", Email: "a@b"}, Time: time.Unix(1, 0).UTC()}},
		"far future": {object("author A <a@b> 999999999999999 +0000"+committer, "x\n"), rules.Commit{Message: "x", Author: rules.Person{Name: "A", Email: "a@b"}}},
		"no author":  {object("author"+committer, "x\n"), rules.Commit{Message: "x"}},
	} {
		got, err := r.push(pushFlags{git: parent + ".." + c.id})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		c.want.ID = c.id
		if diff := gocmp.Diff([]rules.Commit{c.want}, got.Commits); diff != "" {
			t.Errorf("%s\n%s", name, diff)
		}
	}
}

// TestGitBounds: of a long range the newest commits are kept, the head last; of
// more output than there is room for, what came whole.
func TestGitBounds(t *testing.T) {
	r := newClone(t)
	r.commit("root", "a")
	var stream strings.Builder
	for i := range maxGitCommits + 20 {
		name := fmt.Sprintf("file-%05d", i)
		// Times run backwards: the order is that of parents.
		fmt.Fprintf(&stream, "commit refs/heads/main\ncommitter C <c@d> %d +0000\ndata %d\n%s\n", 1700000000-i, len(name), name)
		if i == 0 {
			stream.WriteString("from refs/heads/main^0\n")
		}
		fmt.Fprintf(&stream, "M 100644 inline %s\ndata 1\nx\n", name)
	}
	cmd := exec.CommandContext(t.Context(), "git", "fast-import", "--quiet")
	cmd.Stdin = strings.NewReader(stream.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	root := r.git("rev-list", "--max-parents=0", "main")
	got, err := r.push(pushFlags{git: root + "..main"})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(got.Commits); n != maxGitCommits || got.Head().ID != got.After || got.Commits[0].Message != "file-00020" || len(got.Files.Paths) != maxGitCommits+20 {
		t.Errorf("%d commits from %q to %q, %d files", n, got.Commits[0].Message, got.Head().Message, len(got.Files.Paths))
	}

	c, err := openClone(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c.room = 1000
	s := span{before: root, after: got.After}
	files, err := c.files(s)
	if err != nil || files.Completeness != rules.Partial || len(files.Paths) != 1000/len("file-00000\x00") {
		t.Errorf("%s list of %d files, %v", files.Completeness, len(files.Paths), err)
	}
	if list, err := c.commits(s); err != nil || len(list) < 5 || len(list) > 20 || list[len(list)-1].ID != s.after || list[0].Author.Email == "" {
		t.Errorf("%d commits, %v", len(list), err)
	}
	c.room = 50
	if _, err := c.commits(s); err == nil || !strings.Contains(err.Error(), "the message of commit "+s.after[:12]+" is longer") {
		t.Error(err)
	}
}

// TestGitErrors: each says in one line what is wrong and what to do.
func TestGitErrors(t *testing.T) {
	r := newClone(t)
	commit := r.commit("root", "a.txt")
	r.commit("second", "b.txt")
	r.git("branch", "same")
	other := r.git("commit-tree", "-m", "unrelated", "HEAD^{tree}")
	for _, c := range []struct {
		flags pushFlags
		given string
		want  string
		usage bool
	}{
		{flags: pushFlags{git: "nothing..HEAD"}, want: `there is no commit "nothing" in this clone; check its spelling, or fetch it (git fetch)`},
		{flags: pushFlags{git: "HEAD~5"}, want: `no commit "HEAD~5"`},
		{flags: pushFlags{git: strings.Repeat("1", 40)}, want: "no commit"},
		{flags: pushFlags{git: "^HEAD"}, want: `no commit "^HEAD"`},
		{flags: pushFlags{git: "HEAD^@"}, want: "no commit"},
		{flags: pushFlags{git: "a\nb\x1b"}, want: `no commit "a\nb\x1b"`},
		{flags: pushFlags{git: "HEAD:a.txt"}, want: `"HEAD:a.txt" is a blob; name a commit, a branch or a tag`},
		{flags: pushFlags{git: "HEAD^{tree}..HEAD"}, want: "is a tree"},
		{flags: pushFlags{git: "HEAD..same"}, want: `the range "HEAD..same" is empty`},
		{flags: pushFlags{git: "HEAD...HEAD~1"}, want: "is empty"},
		{flags: pushFlags{git: ".."}, want: "is empty"},
		{flags: pushFlags{git: other + "...HEAD"}, want: "have no commit in common here; give the range with two dots"},
		{flags: pushFlags{git: "HEAD", branch: "a", event: "pushed"}, given: "event", want: "--event is push, create, delete or force", usage: true},
		{flags: pushFlags{git: "-h"}, want: "--git is a revision or a range of two", usage: true},
		{flags: pushFlags{git: "--output=x..HEAD"}, want: "--git is a revision", usage: true},
		{flags: pushFlags{git: "HEAD..--output=x"}, want: "--git is a revision", usage: true},
		{flags: pushFlags{git: "HEAD...-x"}, want: "--git is a revision", usage: true},
		{flags: pushFlags{git: "a\x00b"}, want: "--git is a revision", usage: true},
		{flags: pushFlags{git: ""}, want: "--git is a revision", usage: true},
		{flags: pushFlags{git: "HEAD"}, given: "file", want: "a range says itself what changed: leave out --file", usage: true},
		{flags: pushFlags{git: "HEAD"}, given: "message", want: "leave out --message", usage: true},
		{flags: pushFlags{git: "HEAD"}, given: "author", want: "leave out --author", usage: true},
		{flags: pushFlags{git: "HEAD", branch: "a", tag: "b"}, want: "give one of --branch and --tag", usage: true},
		{flags: pushFlags{git: "HEAD", event: "delete"}, given: "event", want: "a deletion changes no files: leave out --git, or --event", usage: true},
	} {
		_, err := r.push(c.flags, c.given)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.ContainsFunc(err.Error(), func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("%q: %v, want %q", c.flags.git, err, c.want)
		}
		if _, usage := errors.AsType[*usageError](err); usage != c.usage {
			t.Errorf("%q: wrong use: %v", c.flags.git, usage)
		}
	}

	wants := func(name, want string, f pushFlags) {
		t.Helper()
		if _, err := r.push(f); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	r.git("remote", "rename", "origin", "one")
	r.git("remote", "add", "two", "/srv/git/shop.git")
	wants("two remotes", "the clone has 2 remotes and none is origin or the branch's upstream; give --repo owner/name", pushFlags{git: "HEAD"})
	r.git("config", "branch.main.remote", "two")
	wants("a path", `the address of the remote "two" names no owner and name; give --repo owner/name`, pushFlags{git: "HEAD"})
	r.git("remote", "remove", "one")
	r.git("remote", "remove", "two")
	wants("no remote", "the clone has no remote to know the repository by; give --repo owner/name", pushFlags{git: "HEAD"})
	if got, err := r.push(pushFlags{git: "HEAD", repo: "a/b"}); err != nil || got.Repo != "a/b" {
		t.Errorf("%+v, %v", got, err)
	}

	t.Run("another's clone", func(t *testing.T) {
		t.Setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1") // git's own tests use this
		wants("another's clone", "git does not trust the repository here, which belongs to another user; if you do, add it to safe.directory", pushFlags{git: "HEAD"})
	})
	t.Run("ambiguous", func(t *testing.T) {
		seen := map[string]string{}
		for i := range 10_000 {
			text := fmt.Sprint(i)
			sum := sha1.Sum([]byte(fmt.Sprintf("blob %d\x00%s", len(text), text)))
			prefix := hex.EncodeToString(sum[:2])
			if other, ok := seen[prefix]; ok {
				for _, text := range []string{text, other} {
					path := filepath.Join(t.TempDir(), "x")
					if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
						t.Fatal(err)
					}
					r.git("hash-object", "-w", path)
				}
				wants("ambiguous", fmt.Sprintf("several objects begin with %q; give more of its digits", prefix), pushFlags{git: prefix})
				break
			}
			seen[prefix] = text
		}
	})

	tree := r.git("rev-parse", "HEAD^{tree}")
	if err := os.Remove(filepath.Join(".git", "objects", tree[:2], tree[2:])); err != nil {
		t.Fatal(err)
	}
	wants("a damaged clone", "git diff-tree failed", pushFlags{git: "HEAD", repo: "a/b"})
	if err := os.WriteFile(".git/config", []byte("[core\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	wants("a damaged configuration", "git cannot read the repository here: bad config line 1", pushFlags{git: commit})

	t.Chdir(t.TempDir())
	wants("no repository", "there is no git repository here; run explain --git in a clone", pushFlags{git: "HEAD"})
	r.git("init", "--quiet")
	wants("no commit yet", `there is no commit "HEAD"`, pushFlags{git: "HEAD"})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := openClone(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
	t.Setenv("PATH", t.TempDir())
	wants("no git", "git is not installed, and --git asks it; install git, or describe the push by --repo, --branch and --file", pushFlags{git: "HEAD"})
}

// TestGitShallow: where a shallow clone ends is no root, and what it does not
// show is not guessed.
func TestGitShallow(t *testing.T) {
	r := newClone(t)
	var ids []string
	for i := range 4 {
		ids = append(ids, r.commit(fmt.Sprint(i), fmt.Sprintf("f%d", i)))
	}
	r.git("checkout", "--quiet", "-b", "old", ids[1])
	old := r.commit("old", "old")
	from, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	r.git("clone", "--quiet", "--depth", "2", "--no-single-branch", "--branch", "main", "file://"+from, ".")
	if got, err := r.push(pushFlags{git: "HEAD", repo: "a/b"}); err != nil || got.Before != ids[2] || got.DefaultBranch == "" {
		t.Errorf("%+v, %v", got, err)
	}
	for name, want := range map[string]string{
		"origin/old~1":         `the parent of "origin/old~1" is not in this clone: the clone is shallow; fetch more of its history (git fetch --unshallow)`,
		ids[0] + "..HEAD":      `there is no commit "` + ids[0] + `" in this clone: the clone is shallow`,
		"HEAD~3..HEAD":         `there is no commit "HEAD~3" in this clone: the clone is shallow`,
		"origin/old...HEAD":    "no commit in common here: the clone is shallow",
		old + ".." + "HEAD":    "does not show whether",
		"HEAD..origin/old":     "fetch its history (git fetch --unshallow), or say --event push or force",
		ids[0] + "...HEAD":     "the clone is shallow",
		"nothing-of-that-name": "the clone is shallow",
	} {
		if _, err := r.push(pushFlags{git: name, repo: "a/b"}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	if got, err := r.push(pushFlags{git: old + "..HEAD", repo: "a/b", event: "force"}, "event"); err != nil || got.Event != rules.Forced {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestGitRunsNothing: a clone whose configuration and files name programs
// everywhere, and lacks objects that a remote has, has none of them run.
func TestGitRunsNothing(t *testing.T) {
	r := newClone(t)
	r.commit("root", "a.txt", ".gitattributes")
	dir := t.TempDir()
	canary, ran := filepath.Join(dir, "canary"), filepath.Join(dir, "ran")
	if err := os.WriteFile(canary, []byte("#!/bin/sh\necho \"$0 $*\" >> '"+ran+"'\nexit 1\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(".gitattributes", []byte("* diff=evil filter=evil merge=evil\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.commit("attributes")
	second := r.commit("second", "dir/b.txt")
	for _, hook := range []string{"post-index-change", "reference-transaction", "fsmonitor-watchman", "pre-auto-gc"} {
		if err := os.MkdirAll(".git/hooks", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(canary, filepath.Join(".git/hooks", hook)); err != nil {
			t.Fatal(err)
		}
	}
	var config strings.Builder
	for _, key := range []string{
		"core.fsmonitor", "core.pager", "core.editor", "core.sshCommand", "core.askPass", "core.gitProxy", "core.alternateRefsCommand",
		"pager.diff-tree", "pager.rev-list", "pager.log", "pager.config", "diff.external", "diff.evil.command", "diff.evil.textconv",
		"filter.evil.clean", "filter.evil.smudge", "filter.evil.process", "gpg.program", "gpg.ssh.program", "credential.helper",
		"remote.origin.uploadpack", "remote.origin.vcs", "alias.rev-list", "alias.diff-tree", "uploadpack.packObjectsHook",
	} {
		r.git("config", key, canary)
		config.WriteString(key + "\n")
	}
	r.git("config", "log.showSignature", "true")
	// A partial clone, by a transport that is a program.
	r.git("config", "core.repositoryFormatVersion", "1")
	r.git("config", "extensions.partialClone", "origin")
	r.git("config", "remote.origin.promisor", "true")
	r.git("config", "protocol.ext.allow", "always")
	if got, err := r.push(pushFlags{git: "HEAD", repo: "a/b"}); err != nil || got.After != second {
		t.Errorf("%+v, %v", got, err)
	}
	r.git("config", "--unset", "remote.origin.vcs")
	for _, address := range []string{"ext::" + canary, "ssh://git.example.com/a/b", filepath.Join(dir, "none")} {
		r.git("config", "remote.origin.url", address)
		if _, err := r.push(pushFlags{git: strings.Repeat("1", 40) + "..HEAD", repo: "a/b"}); err == nil {
			t.Error("a commit was found that is nowhere")
		}
	}
	if text, err := os.ReadFile(ran); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("of\n%s\nran (%v):\n%s", config.String(), err, text)
	}
	// The canary does sing.
	cmd := exec.CommandContext(t.Context(), "git", "-c", "protocol.ext.allow=always", "ls-remote", "ext::"+canary)
	if out, err := cmd.CombinedOutput(); err == nil {
		t.Errorf("%s", out)
	}
	if _, err := os.Stat(ran); err != nil {
		t.Error(err)
	}
}

// TestRepoOf reads the addresses of remotes.
func TestRepoOf(t *testing.T) {
	for address, want := range map[string]string{
		"https://github.com/acme/shop.git":               "acme/shop",
		"https://github.com/acme/shop":                   "acme/shop",
		"https://github.com/acme/shop/":                  "acme/shop",
		"https://github.com/acme/shop.git/":              "acme/shop",
		"https://token@github.com/acme/shop.git":         "acme/shop",
		"https://u:p%40@github.com:8443/acme/shop":       "acme/shop",
		"HTTPS://github.com//acme//shop.git":             "acme/shop",
		"git@github.com:acme/shop.git":                   "acme/shop",
		"github.com:acme/shop":                           "acme/shop",
		"git@github.com:/acme/shop.git":                  "acme/shop",
		"[git@host:7999]:proj/repo.git":                  "proj/repo",
		"git@[::1]:proj/repo.git":                        "proj/repo",
		"ssh://git@[::1]:7999/proj/repo.git":             "proj/repo",
		"git@gitlab.com:a/b/c.git":                       "a/b/c",
		"https://gitlab.com/a/b/c.git":                   "a/b/c",
		"ssh://git@host:7999/proj/repo.git":              "proj/repo",
		"ssh://git@host:7999/scm/proj/repo.git":          "proj/repo",
		"https://host/scm/proj/repo.git":                 "proj/repo",
		"https://host/bitbucket/scm/PROJ/repo.git":       "PROJ/repo",
		"https://host/scm/~ann/repo.git":                 "~ann/repo",
		"https://github.com/scm/shop.git":                "scm/shop",
		"git@gitlab.com:a/scm/b/c.git":                   "a/scm/b/c",
		"git://host/acme/shop.git":                       "acme/shop",
		"https://host/acme/my%20shop.git":                "acme/my shop",
		"https://host/acme/100%":                         "acme/100%",
		"https://github.com/shop.git":                    "",
		"https://github.com":                             "",
		"https://github.com/":                            "",
		"https://github.com/acme/.git":                   "",
		"https://github.com/../shop":                     "",
		"git@github.com:shop.git":                        "",
		"/srv/git/acme/shop.git":                         "",
		"../acme/shop":                                   "",
		"./a:b/c":                                        "",
		"shop":                                           "",
		"":                                               "",
		"file:///srv/git/acme/shop.git":                  "",
		"ext::sh -c acme/shop":                           "",
		"codecommit::eu-west-1://acme/shop":              "",
		"https://host/a/" + strings.Repeat("x", 500):     "",
		"ssh://git@ssh.github.com:443/acme/shop.git":     "acme/shop",
		"ssh://git@host:7999/~ann/repo.git":              "~ann/repo",
		"git+ssh://git@host/acme/shop":                   "acme/shop",
		"https://host/acme/shop.git.git":                 "acme/shop.git",
		"https://host:8443/gitlab/group/sub/project.git": "gitlab/group/sub/project",
	} {
		if got := repoOf(address); got != want {
			t.Errorf("%q: %q, want %q", address, got, want)
		}
	}
}

// TestGitRemote: the branch's upstream first, then origin, then the only one;
// what git rewrites in an address is rewritten.
func TestGitRemote(t *testing.T) {
	r := newClone(t)
	r.commit("root", "a")
	r.git("branch", "feature/x")
	r.git("remote", "add", "fork", "hub:ann/shop")
	r.git("config", "url.https://github.com/.insteadOf", "hub:")
	r.git("update-ref", "refs/remotes/fork/topic", "HEAD")
	check := func(name, repo, ref string, f pushFlags) {
		t.Helper()
		if got, err := r.push(f); err != nil || got.Repo != repo || got.Ref != ref {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	check("origin", "acme/shop", "main", pushFlags{git: "HEAD"})
	check("the remote it ends at", "ann/shop", "topic", pushFlags{git: "fork/topic"})
	r.git("config", "branch.feature/x.remote", "fork")
	check("upstream", "ann/shop", "feature/x", pushFlags{git: "feature/x"})
	check("upstream of --branch", "ann/shop", "feature/x", pushFlags{git: "HEAD", branch: "feature/x"})
	check("no upstream", "acme/shop", "main", pushFlags{git: "HEAD"})
	r.git("config", "branch.main.remote", ".")
	check("a local upstream", "acme/shop", "main", pushFlags{git: "HEAD"})
	r.git("config", "branch.main.remote", "fork")
	check("upstream of the current branch", "ann/shop", "v1", pushFlags{git: "HEAD", tag: "v1"})
	r.git("remote", "remove", "origin")
	r.git("checkout", "--quiet", "-b", "new")
	check("the only one", "ann/shop", "new", pushFlags{git: "HEAD"})
}

// TestGitHostileText: nothing in a clone steers the terminal.
func TestGitHostileText(t *testing.T) {
	r := newClone(t)
	r.commit("root", "a")
	blob := r.git("hash-object", "-w", "a")
	r.git("update-index", "--add", "--cacheinfo", "100644,"+blob+",x\x1b[31m\u202e\n\xff")
	r.git("commit", "--quiet", "-m", "m\x1b[31m")
	if err := os.WriteFile("rules.yaml", []byte(strings.Replace(gitRules, "name: all,", `name: all, paths: ["x*"],`, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"HEAD"}, {"HEAD", "--json"}, {"HEAD\x1b[31m"}, {"HEAD~1..\u202e"}} {
		var out, errOut bytes.Buffer
		Main(os.DirFS("."), append([]string{"explain", "--git"}, args...), &bytes.Buffer{}, &out, &errOut)
		if said := out.String() + errOut.String(); said == "" || strings.ContainsFunc(said, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }) {
			t.Errorf("%q: prints %q", args, said)
		}
	}
}
