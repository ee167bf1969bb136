package pattern

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A row is a line of a table of another glob language: what it says of a
// pattern and a value ("true", "false" or "error"), and what we say.
type row struct {
	pattern, value, want, got string
	err                       error
}

// reads says that the row is what a dialect of the reference says.
func (r row) reads(d dialect) bool {
	return r.err == nil && fmt.Sprint(read(r.pattern).match(d, r.value)) == r.want
}

func (r row) refused(text string) bool {
	return r.err != nil && strings.Contains(r.err.Error(), text)
}

type reason struct {
	name string
	is   func(row) bool
}

// reasons are all there are to differ from such a table.
func reasons() []reason {
	const refused = "an error on purpose: "
	return []reason{
		{"** inside a segment crosses slashes here", func(r row) bool { return r.reads(dialect{inner: true}) }},
		{"X/** does not match X itself here", func(r row) bool { return r.reads(dialect{self: true}) }},
		{"? is one character here, a quantifier in GitHub Actions; Remark says so", func(r row) bool {
			return r.err == nil && strings.HasSuffix(r.pattern, "?") && Remark(r.pattern) != nil
		}},
		{"+ is a plus sign here, a quantifier in GitHub Actions; Remark says so", func(r row) bool {
			return r.err == nil && strings.Contains(r.pattern, "]+") && Remark(r.pattern) != nil
		}},
		{"] first in a class is literal here, as in git; an error in doublestar", func(r row) bool {
			return r.err == nil && r.want == "error" && strings.HasPrefix(r.pattern, "[]")
		}},
		{refused + "an empty pattern", func(r row) bool { return r.pattern == "" && r.refused("is empty") }},
		{refused + "a trailing /", func(r row) bool { return strings.HasSuffix(r.pattern, "/") && r.refused("ends with /") }},
		{refused + `a trailing \`, func(r row) bool { return strings.HasSuffix(r.pattern, `\`) && r.refused(`ends with a \`) }},
		{refused + "/ in a class", func(r row) bool { return strings.Contains(r.pattern, "[/]") && r.refused("/ in a class") }},
		{refused + "more than 8 * in a segment", func(r row) bool { return strings.Count(r.pattern, "*") > 8 && r.refused("more than 8 *") }},
		{refused + "[: without :]", func(r row) bool { return strings.Contains(r.pattern, "[[:") && r.refused("unclosed [") }},
		// in git these two match nothing
		{refused + "an unknown POSIX class", func(r row) bool { return r.want == "false" && r.refused("unknown class [:") }},
		{refused + "an unclosed class", func(r row) bool {
			return r.want == "false" && (r.refused("unclosed [") || r.refused("empty class"))
		}},
	}
}

// TestGlobCorpus: git's own table, GitHub's cheat sheet and doublestar's tests
// hold here, but for what differs for a reason.
func TestGlobCorpus(t *testing.T) {
	for _, name := range []string{"git_wildmatch.tsv", "gha_cheatsheet.tsv", "doublestar.tsv"} {
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(filepath.Join("../../../shared/corpus/globs", name))
			if err != nil {
				t.Skipf("not beside the project: %v", err)
			}
			total, agree := 0, 0
			differ := map[string]int{}
			for line := range strings.Lines(string(data)) {
				cols := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
				if len(cols) < 3 {
					t.Fatalf("not a row: %q", line)
				}
				total++
				r := ask(cols[0], cols[1], cols[2])
				if r.got == r.want {
					agree++
					continue
				}
				why := reasons()
				i := slices.IndexFunc(why, func(why reason) bool { return why.is(r) })
				if i < 0 {
					t.Errorf("%q on %q: table %s, here %s (%v), and no reason to differ", r.pattern, r.value, r.want, r.got, r.err)
					continue
				}
				differ[why[i].name]++
			}
			t.Logf("%d rows, %d agree", total, agree)
			for _, name := range slices.Sorted(maps.Keys(differ)) {
				t.Logf("%4d  %s", differ[name], name)
			}
			if total == 0 {
				t.Error("no rows")
			}
		})
	}
}

// ask asks a path: where pattern and value begin with "/", both start at the
// root.
func ask(pattern, value, want string) row {
	r := row{pattern: pattern, value: value, want: want, got: "error"}
	if strings.HasPrefix(pattern, "/") {
		value = strings.TrimPrefix(value, "/")
	}
	p, err := Compile(pattern, true)
	if r.err = err; err == nil {
		r.got = fmt.Sprint(p.Match(NewValue(value)))
	}
	return r
}
