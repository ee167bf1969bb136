package cli

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/fsnotify/fsnotify"

	"github.com/pushgate/pushgate/rules"
)

// including loads a main file whose comments "# include PATTERN" name others,
// and holds it against them when they say BAD: what a load asks for is not known
// before it does.
func including(folder fs.FS, lookup rules.Lookup) (*rules.Set, error) {
	main, err := fs.ReadFile(folder, "rules.yaml")
	if err != nil {
		return nil, err
	}
	all := string(main)
	for line := range strings.Lines(string(main)) {
		pattern, is := strings.CutPrefix(strings.TrimSpace(line), "# include ")
		if !is {
			continue
		}
		names, err := fs.Glob(folder, pattern)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			text, err := fs.ReadFile(folder, name)
			if err != nil {
				return nil, err
			}
			if strings.Contains(string(text), "BAD") {
				return nil, rules.Problems{{At: rules.Pos{File: name, Line: 1}, Text: "it is bad"}}
			}
			all += "# " + name + ": " + strings.TrimSpace(string(text)) + "\n"
		}
	}
	return rules.LoadFiles([]rules.File{{Name: "rules.yaml", Content: all}}, lookup)
}

// TestIncludes: changes of included files, and files that come and go where an
// include looks, are noticed; also of those that only a bad load asked for.
func TestIncludes(t *testing.T) {
	noLeaks(t)
	s := newWatchStage(t)
	s.write("rules.yaml", text(0))
	s.write("teams/a.yaml", "BAD")
	s.write("deep/x/rules.yaml", "x")
	s.watch("rules.yaml", never, func(r *ruleReader) { r.load = including })
	holds := func(want ...string) {
		t.Helper()
		s.until("in force: "+strings.Join(want, " and "), func() bool {
			set, _, _ := s.state()
			content := set.Files()[0].Content
			for _, w := range want {
				if w, absent := strings.CutPrefix(w, "!"); strings.Contains(content, w) == absent {
					return false
				}
			}
			return true
		})
	}
	s.write("rules.yaml", text(0)+"# include teams/*.yaml\n# include deep/*/rules.yaml\n# include later/*.yaml\n# include one.yaml\n")
	s.fails(1) // the good rules never asked for teams/a.yaml
	s.write("teams/a.yaml", "one")
	holds("teams/a.yaml: one", "deep/x/rules.yaml: x")
	s.write("teams/a.yaml", "two")
	holds("teams/a.yaml: two")
	s.write("teams/b.yaml", "three")
	holds("teams/a.yaml: two", "teams/b.yaml: three")
	s.remove("teams/a.yaml")
	holds("!teams/a.yaml", "teams/b.yaml: three")
	s.write("teams/y", "four")
	s.rename("teams/y", "teams/y.yaml")
	holds("teams/y.yaml: four")
	s.write("deep/y/rules.yaml", "five")
	holds("deep/y/rules.yaml: five")
	s.write("later/z.yaml", "six") // a folder that was not there
	holds("later/z.yaml: six")
	s.write("one.yaml", "seven")
	holds("one.yaml: seven")
	s.write("teams/b.yaml", "BAD")
	s.fails(2)
	s.remove("teams")
	holds("!teams/b.yaml", "!teams/y.yaml", "one.yaml: seven")
}

// TestSecretFiles: a secret is what its file holds now, though the rules as
// written stay the same; without the file the old one stays.
func TestSecretFiles(t *testing.T) {
	noLeaks(t)
	s := newWatchStage(t)
	s.write("run/..1/token", "first-value\n")
	s.link("..1", "run/..data")
	s.link("..data/token", "run/token")
	s.write("rules.yaml", "sources: {hook: {host: bitbucket-post, token: 'file:"+filepath.ToSlash(s.dir)+"/run/token'}}\n"+text(0))
	s.watch("rules.yaml", never)
	token := func(want string) {
		t.Helper()
		s.until("the token is "+want, func() bool {
			set, _, _ := s.state()
			return string(set.Sources()[0].Tokens[0]) == want
		})
	}
	first, _, _ := s.state()
	token("first-value")
	s.write("run/..2/token", "second-value\n")
	s.link("..2", "run/..data")
	s.remove("run/..1")
	token("second-value")
	s.overwrite("run/..2/token", "third-value\n")
	token("third-value")
	s.remove("run/token")
	s.fails(1)
	token("third-value")
	s.write("run/token", "fourth-value\n")
	token("fourth-value")
	if last, _, _ := s.state(); last.Hash() != first.Hash() {
		t.Error("the rules as written are said to have changed")
	}
	if log := s.log.String() + s.failure().Error(); strings.Contains(log, "-value") {
		t.Errorf("a secret is told:\n%s", log)
	}
}

// TestHangup: a person's word reloads what has not changed, too.
func TestHangup(t *testing.T) {
	noLeaks(t)
	s := newWatchStage(t)
	s.write("rules.yaml", text(0))
	s.watch("rules.yaml", never)
	s.hangup <- syscall.SIGHUP
	s.until("the rules are put in force again", func() bool { _, sets, _ := s.state(); return sets == 2 })
	s.until("it is said", func() bool { return strings.Contains(s.log.String(), `msg="rules unchanged"`) })
	s.write("rules.yaml", text(1))
	s.inForce(text(1))
	s.until("it is said", func() bool { return strings.Contains(s.log.String(), `msg="rules reloaded"`) })
	s.write("rules.yaml", "rules: 1")
	s.fails(1)
	s.hangup <- syscall.SIGHUP
	s.fails(2) // the same, again
}

// TestStandardInput: it is read once; what it names is read again.
func TestStandardInput(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(secret, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	in := strings.NewReader("sources: {hook: {host: bitbucket-post, token: 'file:" + filepath.ToSlash(secret) + "'}}\n" + text(0))
	reader, err := (&program{in: in}).ruleReader("-")
	if err != nil {
		t.Fatal(err)
	}
	first := reader.read()
	if err := os.WriteFile(secret, []byte("rotated"), 0o600); err != nil {
		t.Fatal(err)
	}
	if first.err != nil || !first.changed() {
		t.Fatalf("changed %v, %v", first.changed(), first.err)
	}
	if second := reader.read(); second.err != nil || second.same(first) || second.set.Hash() != first.set.Hash() || string(second.set.Sources()[0].Tokens[0]) != "rotated" {
		t.Errorf("%+v", second)
	}
}

// TestWalk: the places where a path can be led elsewhere.
func TestWalk(t *testing.T) {
	s := newWatchStage(t)
	real, err := filepath.EvalSymlinks(s.dir)
	s.must(err)
	s.dir = real
	s.write("a/b/file", "x")
	s.link("a", "to-a")
	s.link("../to-a/./b", "a/back")
	s.link("loop", "loop")
	s.link(filepath.Join(s.dir, "a/b/../b"), "absolute")
	for path, want := range map[string]string{
		"a/b/file":        "a/b:file → a/b/file",
		"a/b":             "→ a/b",
		"to-a/b/file":     ":to-a a/b:file → a/b/file",
		"to-a/back/file":  ":to-a a:back :to-a a/b:file → a/b/file",
		"absolute/file":   ":absolute a/b:file → a/b/file",
		"absolute":        ":absolute → a/b",
		"a/none/file":     "a:none →",
		"none":            ":none →",
		"a/b/file/deeper": "a/b:file →",
		"to-a/none":       ":to-a a:none →",
	} {
		rel := func(p string) string {
			r, err := filepath.Rel(s.dir, p)
			if err != nil || strings.HasPrefix(r, "..") {
				t.Errorf("%s: %s is elsewhere", path, p)
			}
			return strings.TrimPrefix(filepath.ToSlash(r), ".")
		}
		var got []string
		end := walk(filepath.Join(s.dir, path), func(folder, name string) { got = append(got, rel(folder)+":"+name) })
		if got = append(got, "→"); end != "" {
			got = append(got, rel(end))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %s, want %s", path, strings.Join(got, " "), want)
		}
	}
	if end := walk(filepath.Join(s.dir, "loop", "x"), func(string, string) {}); end != "" {
		t.Errorf("a loop ends at %s", end)
	}
}

// TestMatters: events that can change what a load gives, and others.
func TestMatters(t *testing.T) {
	s := newWatchStage(t)
	real, err := filepath.EvalSymlinks(s.dir)
	s.must(err)
	s.dir = real
	s.write("etc/rules.yaml", text(0)+"# include teams/*.yaml\n")
	s.write("etc/teams/a.yaml", "a")
	s.write("etc/teams/b/x", "x")
	s.write("etc/plain", "x")
	s.write("run/token", "secret")
	reader := &ruleReader{folder: filepath.Join(s.dir, "etc"),
		lookup: func(string) (string, error) { return "", nil },
		load: func(folder fs.FS, lookup rules.Lookup) (*rules.Set, error) {
			_, _ = lookup("file:" + filepath.Join(s.dir, "run/token"))
			return including(folder, lookup)
		}}
	l := &lookout{places: reader.read().places()}
	for _, c := range []struct {
		path string
		op   fsnotify.Op
		want bool
	}{
		{"etc/rules.yaml", fsnotify.Write, true},
		{"etc/rules.yaml", fsnotify.Chmod, true},
		{"etc/pushgate.db-wal", fsnotify.Write, false},
		{"etc/plain", fsnotify.Create, false},
		{"etc/rules.yaml~", fsnotify.Create, false},
		{"etc/new.yml", fsnotify.Create, true},
		{"etc", fsnotify.Rename, true},
		{"etc", fsnotify.Write, false},
		{"etc/teams", fsnotify.Remove, true},
		{"etc/teams/a.yaml", fsnotify.Remove, true},
		{"etc/teams/b", fsnotify.Create, true},
		{"etc/teams/note", fsnotify.Create, false},
		{"run/token", fsnotify.Create, true},
		{"run/other.yaml", fsnotify.Create, false},
		{"elsewhere/rules.yaml", fsnotify.Write, false},
	} {
		if got := l.matters(fsnotify.Event{Name: filepath.Join(s.dir, c.path), Op: c.op}); got != c.want {
			t.Errorf("%v %s: %v", c.op, c.path, got)
		}
	}
}
