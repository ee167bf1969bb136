package rules

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
)

// lines repeats a line n times, with its number at each %d.
func lines(n int, line string) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.ReplaceAll(line, "%d", fmt.Sprint(i)))
	}
	return b.String()
}

// TestLoadBombs: files that multiply themselves are refused, in words, before
// they keep a machine busy.
func TestLoadBombs(t *testing.T) {
	for name, c := range map[string]struct{ file, want string }{
		"aliases of parameters": {"rules:\n- {name: z, start: {server: ci, job: x, parameters: &p {" + lines(3000, "p%d: x, ") + "}}}\n" +
			lines(3000, "- {name: a%d, start: {server: ci, job: x, parameters: *p}}\n"), "aliases counted"},
		"aliases of starts": {"rules:\n- name: z\n  start: &s\n" + lines(2000, "  - {server: ci, job: x%d}\n") + lines(2000, "- {name: a%d, start: *s}\n"), "aliases counted"},
		"aliases of each":   {"rules:\n- {name: z, each: &e {" + lines(3000, "e%d: x, ") + "}}\n" + lines(3000, "- {name: a%d, each: *e}\n"), "aliases counted"},
		"aliases of aliases": {"sets:\n  s0: &s0 [a, b]\n" + lines(40, "  t%d: &t%d [*s%d, *s%d, *s%d, *s%d]\n  u%d: &s%d0 [*t%d]\n") +
			"  v0: &v0 [x,x,x,x,x,x,x,x,x,x]\n  v1: &v1 [" + strings.Repeat("*v0,", 99) + "]\n  v2: &v2 [" + strings.Repeat("*v1,", 99) + "]\n  v3: [" + strings.Repeat("*v2,", 99) + "]\n", ""},
		"an alias of itself":      {"rules: &a [{name: x, start: {server: ci, job: x, parameters: *a}}]\n", "within what it stands for"},
		"a long text many times":  {"rules:\n- {name: z, start: {server: ci, job: x, parameters: {A: &a " + strings.Repeat("x", 60_000) + "}}}\n" + lines(9000, "- {name: a%d, start: {server: ci, job: x, parameters: {A: *a}}}\n"), "aliases counted"},
		"sets in sets":            {"sets:\n" + lines(5000, " s%d: $t%d\n t%d: [$s%d0]\n") + lines(20000, " x%d: $y%d\n") + "rules: [{name: a, paths: $s1, start: {server: ci, job: x}}]\n", ""},
		"a long chain of sets":    {"sets:\n" + chain(20_000) + "rules: [{name: a, paths: $s0, start: {server: ci, job: x}}]\n", "more than 64 deep"},
		"errors without end":      {"rules: [{name: a, events: [" + lines(100_000, "x%d, ") + "]}]\n", "there is more than these 1000"},
		"suggestions without end": {"sets:\n" + lines(3000, " s%d: a\n") + "rules:\n" + lines(3000, "- {name: a%d, paths: $zzzzzzz%d, start: {server: ci, job: x}}\n"), "there is more than these 1000"},
		"long names":              {"rules: [{name: " + strings.Repeat("n", 1<<20) + ", events: [" + lines(3000, "x%d, ") + "]}]\n", "there is more than these 1000"},
		"many values":             {"rules: [" + strings.Repeat("{},", 5<<20) + "]", "more than 4194304 values"},
		"an error behind texts":   {"rules:\n" + strings.Repeat("- \"a\n a\n a\n a\n a\"\n", 12_000) + "- [\n", "not YAML"},
		"a large file":            {"rules: " + strings.Repeat("x", 33<<20), "larger than 32 MB"},
		"a long context":          {"rules: [{name: a, start: {server: ci, job: x, report: {context: '{{printf \"%9999d\" 1}}'}}}]", "more than 512 bytes"},
		"many sources":            {"sources: {" + lines(1001, "s%d: {host: github, secret: x}, ") + "}\n", "more than 1000 sources"},
	} {
		t.Run(name, func(t *testing.T) {
			head := "servers: {ci: {jenkins: 'http://ci'}}\n"
			_, err := LoadFiles([]File{{"rules.yaml", head + c.file}}, Unresolved)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%.300v, want %q", err, c.want)
			}
			if n := len(fmt.Sprint(err)); n > 1<<20 {
				t.Errorf("an error of %d bytes", n)
			}
		})
	}
}

// TestTooLarge: what patterns, sets, each and templates make is counted, not
// only how they are written.
func TestTooLarge(t *testing.T) {
	for _, rules := range []string{
		lines(100, "- {name: a%d, start: {server: ci, job: x}, paths: '{a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p}/?/?/?/?/?/?/x%d'}\n"),
		lines(100, "- {name: a%d, start: {server: ci, job: x}, each: {"+strings.Repeat("x", 10)+": $s, y: $s, z: $s}}\n"),
		lines(100, "- {name: a%d, start: {server: ci, job: x, parameters: {A: '{{.Ref}}{{if .Ref}}"+strings.Repeat("x", 500)+"{{end}}%d'}}}\n"),
	} {
		file := "servers: {ci: {jenkins: 'http://ci'}}\nsets: {s: [" + lines(60, "p%d, ") + "]}\nrules:\n" + rules
		for size, want := range map[int]string{10_000: "too large", maxSize: ""} {
			l := newLoader(Unresolved)
			l.room.size = size
			l.parse(File{"rules.yaml", file})
			_, err := l.build()
			if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
				t.Errorf("%.200v, want %q", err, want)
			}
		}
	}
}

// chain is n sets, each of which inserts the next.
func chain(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, " s%d: $s%d\n", i, i+1)
	}
	return b.String() + fmt.Sprintf(" s%d: a\n", n)
}

// A guardedFS refuses to open one folder.
type guardedFS struct {
	fstest.MapFS
	folder string
}

func (g guardedFS) Open(name string) (fs.File, error) {
	if name == g.folder {
		return nil, fs.ErrPermission
	}
	return g.MapFS.Open(name)
}

func (g guardedFS) ReadDir(name string) ([]fs.DirEntry, error) {
	if name == g.folder {
		return nil, fs.ErrPermission
	}
	return g.MapFS.ReadDir(name)
}

// TestIncludeLooksWhereItMay: only folders that may hold what matches are looked
// into, only regular files are read, and no more of them than a rule file may
// be.
func TestIncludeLooksWhereItMay(t *testing.T) {
	main := "servers: {ci: {jenkins: 'http://ci'}}\nrules: [{name: a, start: {server: ci, job: x}}]\n"
	files := fstest.MapFS{
		"more.yaml":         {Data: []byte("rules: [{name: b, start: {server: ci, job: b}}]\n")},
		"pipe.yaml":         {Mode: fs.ModeNamedPipe},
		"private/note.yaml": {Data: []byte("no: rules")},
		"tests/a.test.yaml": {Data: []byte("no: rules")},
	}
	for include, want := range map[string]string{
		"'*.yaml'":                           "",
		"[more.yaml, '*.yaml']":              "",
		"pipe.yaml":                          "there is no such file",
		"'**/more.yaml'":                     "permission denied",
		"[more.yaml, 'large.yaml']":          "larger than 32 MB",
		"[more.yaml, 'tests/a.test.yaml']":   "tests are not included",
		"['more.yaml', 'tests/*.test.yaml']": "",
	} {
		files["rules.yaml"] = &fstest.MapFile{Data: []byte("include: " + include + "\n" + main)}
		delete(files, "large.yaml")
		if strings.Contains(include, "large") {
			files["large.yaml"] = &fstest.MapFile{Data: make([]byte, 33<<20)}
		}
		set, err := Load(guardedFS{files, "private"}, "rules.yaml", Unresolved)
		said := fmt.Sprint(err)
		if err == nil {
			said = Problems(set.Warnings()).Error()
		}
		if !strings.Contains(said, want) || want == "" && said != "" {
			t.Errorf("include %s: %s, want %q", include, said, want)
		}
		if err == nil && set.Len() != 2 {
			t.Errorf("include %s: %d rules", include, set.Len())
		}
	}
}
