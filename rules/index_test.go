package rules

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// walk is the plain walk over all rules, which the index must agree with.
func (s *Set) walk(p *Push, owed Owed) []string {
	d := &Decision{set: s, push: p, owed: owed, files: withinLimits(p.Files)}
	q := d.question()
	names := []string{}
	for _, r := range s.rules {
		if r.matches(q) {
			names = append(names, r.name)
		}
	}
	return names
}

// A maker makes rule files and pushes of few words, so that they often meet.
type maker struct{ *rand.Rand }

func (m maker) one(of ...string) string { return of[m.IntN(len(of))] }

func (m maker) some(n int, f func() string) []string {
	out := make([]string, 1+m.IntN(n))
	for i := range out {
		out[i] = f()
	}
	return out
}

func (m maker) word() string {
	return m.one("a", "b", "ab", "abc", "x.go", "y.md", "a.b.go", ".go", "c")
}

func (m maker) path() string {
	if m.IntN(20) == 0 {
		return m.odd()
	}
	return strings.Join(m.some(4, m.word), "/")
}

// odd is a path or a name that no host should send.
func (m maker) odd() string {
	return strings.Join(m.some(4, func() string {
		return m.one("", "", "a", "b", "ab", "x.go", "/", "//", ".", "..", "\x00", "a\x00b", "\xff", "a\xff.go", "\xffb", "A", "K", "İ", "{a,b}", "*", "**", "a\n", strings.Repeat("a", 5000), strings.Repeat("a/", 130))
	}), m.one("/", "/", ""))
}

func (m maker) segment() string {
	return m.one(m.word(), m.word(), m.word(), "*", "**", "a*", "*b", "*.go", "?", "[ab]", "{a,b}", "{a,b/c}", "ab*", "a**c", "*.b.go", "[!a]b", "\ufffd*", "*\ufffdb", "[\ufffd]", "?.go", "K*")
}

func (m maker) pattern() string { return strings.Join(m.some(4, m.segment), "/") }

func (m maker) list(one func() string) string {
	items := m.some(4, func() string {
		if m.IntN(4) == 0 {
			return "!" + one()
		}
		return one()
	})
	return "['" + strings.Join(items, "', '") + "']"
}

func (m maker) rule(name string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "- name: %s\n  start: {server: ci, job: %s}\n", name, name)
	field := func(oneIn int, name, value string) {
		if m.IntN(oneIn) == 0 {
			fmt.Fprintf(&b, "  %s: %s\n", name, value)
		}
	}
	repo := func() string {
		return m.one("o/r", "o/r", "o/s", "o/*", "O/R*", "*/r", "p/r", "o/**", "**", "{o,p}/r", "[A-P]/r", "*", "K/*")
	}
	if m.IntN(5) > 0 {
		fmt.Fprintf(&b, "  repos: %s\n", m.list(repo))
	}
	field(4, "sources", "[s1]")
	field(3, "branches", m.list(func() string { return m.one("main", "dev", "*", "x/**", "m*") }))
	field(6, "tags", m.list(func() string { return m.one("v*", "main") }))
	field(6, "events", m.one("[push]", "[create, delete]", "[force]", "[push, create, delete, force]"))
	field(8, "authors", m.list(func() string { return m.one("ann", "*@x", "b*") }))
	field(8, "pushers", "[ann]")
	field(8, "messages", m.list(func() string { return m.one("*fix*", "m*") }))
	field(5, "skip_markers", m.one("[]", "[NO]"))
	field(4, "unknown_files", "skip")
	if m.IntN(12) == 0 {
		fmt.Fprintf(&b, "  each: {e1: %s, e2: %s}\n", m.list(m.pattern), m.list(m.pattern))
	} else {
		field(1+m.IntN(2), "paths", m.list(m.pattern))
	}
	return b.String()
}

func (m maker) push() (*Push, Owed) {
	files := func() Files {
		f := Files{Completeness: Completeness(m.one("complete", "complete", "complete", "partial", "unknown"))}
		if m.IntN(6) > 0 {
			f.Paths = m.some(12, m.path)
		}
		return f
	}
	p := &Push{
		Source: m.one("s1", "s2"), Repo: m.one("o/r", "O/R", "o/s", "p/r", "q/q", "o/r/deep", "o", "K/r"), Kind: Branch,
		Ref: m.one("main", "dev", "x/y"), Event: Event(m.one("push", "push", "create", "delete", "force")),
		Commits: []Commit{{Message: m.one("fix it", "m\n", "[Skip CI] fix", "no"), Author: Person{m.one("ann", "bob", ""), m.one("a@x", "")}}},
		Pusher:  Person{Name: m.one("ann", "bob")}, Files: files(),
	}
	if m.IntN(6) == 0 {
		p.Kind = Tag
	}
	if m.IntN(20) == 0 {
		p.Repo = m.odd()
	}
	if m.IntN(20) == 0 {
		p.Ref = m.odd()
	}
	if n := len(p.Files.Paths); n > 0 && m.IntN(6) == 0 {
		p.Files.Paths = append(p.Files.Paths, p.Files.Paths[m.IntN(n)])
	}
	if m.IntN(8) == 0 {
		p.Commits = nil
	}
	owed := Owed{}
	for range m.IntN(4) {
		owed[fmt.Sprintf("r%d", m.IntN(60))] = files()
	}
	return p, owed
}

const madeEnds = `
sources: {s1: {host: bitbucket-post, token: x}, s2: {host: bitbucket-post, token: x}}
servers: {ci: {jenkins: "http://ci"}}
rules:
`

// TestIndex: on generated rules and pushes, what Decide finds through the index
// is what asking every rule finds, and what the evidence says.
func TestIndex(t *testing.T) {
	decisions, matches := 0, 0
	for seed := range uint64(120) {
		m := maker{rand.New(rand.NewPCG(seed, 3))}
		var b strings.Builder
		b.WriteString(madeEnds)
		for i, n := 0, 10+m.IntN(60); i < n; i++ {
			rule := m.rule(fmt.Sprintf("r%d", i))
			if _, err := LoadFiles([]File{{"one.yaml", madeEnds + rule}}, Unresolved); err == nil { // else a pattern is refused
				b.WriteString(rule)
			}
		}
		set, err := LoadFiles([]File{{"rules.yaml", b.String()}}, Unresolved)
		if err != nil {
			t.Fatal(err)
		}
		if seed%3 == 0 { // most rules find no place in it
			set.index = newIndex(set.rules, set.index.lists, 100)
		}
		for range 40 {
			p, owed := m.push()
			before := slices.Clone(p.Files.Paths)
			d := set.Decide(p, owed)
			got, want := d.Matched(), set.walk(p, owed)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("seed %d, push %+v, owed %v: -plain walk +index\n%s\n%s", seed, p, owed, diff, set.Files()[0].Content)
			}
			evident := []string{}
			for _, v := range d.Verdicts() {
				if v.Matched {
					evident = append(evident, v.Name)
				}
			}
			if diff := cmp.Diff(want, evident); diff != "" {
				t.Fatalf("seed %d: the evidence differs\n%s", seed, diff)
			}
			if !slices.Equal(before, p.Files.Paths) {
				t.Fatal("the push was changed")
			}
			decisions++
			matches += len(got)
		}
	}
	t.Logf("%d decisions, %d matches", decisions, matches)
	if matches < decisions {
		t.Error("the generated rules hardly ever match")
	}
}
