package pattern

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestPattern(t *testing.T) {
	for _, c := range []struct {
		pattern string
		yes, no []string
	}{
		{"main", []string{"main"}, []string{"mainx", "xmain", "Main", "a/main"}},
		{"*", []string{"a", "é", ".hidden"}, []string{"a/b"}},
		{"**", []string{"a", "a/b", "a/b/c", ""}, nil},
		{"**/x", []string{"x", "a/x", "a/b/x"}, []string{"ax", "x/a"}},
		{"a/**/b", []string{"a/b", "a/x/b", "a/x/y/b"}, []string{"ab", "a/xb", "a"}},
		{"a/**", []string{"a/b", "a/b/c"}, []string{"a", "ab", "b/a/c"}},
		{"a/**/**", []string{"a/b", "a/b/c"}, []string{"a"}},
		{"a**b", []string{"ab", "axb", "a/b", "ax/y/zb"}, []string{"a", "xab"}},
		{"x/a**", []string{"x/a", "x/ab", "x/a/b", "x/ab/c"}, []string{"x/b"}},
		{"rel?ase", []string{"release", "relëase"}, []string{"relase", "rel/ase"}},
		{"[a-c]x", []string{"ax", "cx"}, []string{"dx", "x", "/x"}},
		{"[!a]x", []string{"bx"}, []string{"ax", "/x"}},
		{"[^a-y]", []string{"z", "-"}, []string{"b", "/"}},
		{"v[0-9]*", []string{"v1", "v1.2"}, []string{"v", "vx"}},
		{"[]a]", []string{"]", "a"}, []string{"b"}},
		{"[a-]", []string{"a", "-"}, []string{"b"}},
		{"[--0]", []string{"-", ".", "0"}, []string{"/", "1"}},
		{"[[:digit:]a]", []string{"7", "a"}, []string{"b", "é"}},
		{"{a,b/**,}c", []string{"ac", "c", "b/c", "b/x/yc"}, []string{"b", "a"}},
		{"src{,/**}", []string{"src", "src/a/b"}, []string{"srca"}},
		{"{a,{b,c}d}", []string{"a", "bd", "cd"}, []string{"b", "ad"}},
		{`\*\{x\}`, []string{"*{x}"}, []string{"a{x}"}},
		{"**/*.{md,txt}", []string{"a.md", "x/y/b.txt"}, []string{"a.mdx"}},
		{"*/b/**/d/*", []string{"a/b/d/e", "a/b/x/d/e"}, []string{"b/d/e", "a/b/d"}},
	} {
		p, err := Compile(c.pattern, false)
		if err != nil {
			t.Errorf("%q: %v", c.pattern, err)
			continue
		}
		for _, v := range c.yes {
			if !p.Match(NewValue(v)) {
				t.Errorf("%q does not match %q", c.pattern, v)
			}
		}
		for _, v := range c.no {
			if p.Match(NewValue(v)) {
				t.Errorf("%q matches %q", c.pattern, v)
			}
		}
	}
}

func TestPatternErrors(t *testing.T) {
	for src, want := range map[string]string{
		"":                          "is empty",
		"src/":                      "ends with /",
		"a//b":                      "holds //",
		"./a":                       `holds the segment "."`,
		"a/../b":                    `holds the segment ".."`,
		"a***":                      "holds ***",
		"{}":                        "holds {}",
		"[]":                        "empty class",
		"v{1..3}":                   "range in braces",
		"[abc":                      "unclosed [",
		"{a,b":                      "unclosed {",
		"a}":                        "stray }",
		"[z-a]":                     "reversed range z-a",
		"[a/b]":                     "/ in a class",
		"[[:word:]]":                "unknown class [:word:]",
		`a\`:                        `ends with a \`,
		"/a":                        "begins with /",
		"a/{b,}":                    "ends with /",
		"\xff":                      "UTF-8",
		strings.Repeat("a", 513):    "longer than 512 bytes",
		strings.Repeat("{a,aa}", 7): "more than 64 alternatives",
		strings.Repeat("a/", 32):    "more than 32 segments",
		strings.Repeat("*a", 9):     "more than 8 *",
		strings.Repeat("a**", 9):    "more than",
		"{a,{b,{c,{d,{e}}}}}":       "deeper than 4",
		"[\u0100-\u9000]":           "class of more than 1024",
	} {
		_, err := Compile(src, false)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: error %v, want %q in it", src, err, want)
		}
	}
}

// asRegexp is an independent reading of the table of patterns, for brace-free
// patterns of the characters that randomPattern uses.
func asRegexp(pattern string) *regexp.Regexp {
	var b strings.Builder
	segs := strings.Split(pattern, "/")
	b.WriteString(`\A`)
	for i, seg := range segs {
		last := i == len(segs)-1
		switch {
		case seg == "**" && len(segs) == 1:
			b.WriteString(`.*`)
		case seg == "**" && last:
			b.WriteString(`.*[^/]*`)
			continue
		case seg == "**":
			b.WriteString(`(?:[^/]*/)*`)
			continue
		default:
			seg = strings.ReplaceAll(seg, "**", "\x00")
			seg = strings.NewReplacer("\x00", `.*`, "*", `[^/]*`, "?", `[^/]`, "[!a]", `[^a/]`).Replace(seg)
			b.WriteString(seg)
		}
		if !last {
			b.WriteString(`/`)
		}
	}
	b.WriteString(`\z`)
	return regexp.MustCompile(`(?s)` + b.String())
}

func TestPatternAgainstRegexp(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	pick := func(n int, parts ...string) string {
		var b strings.Builder
		for range 1 + r.IntN(n) {
			b.WriteString(parts[r.IntN(len(parts))])
		}
		return b.String()
	}
	compared := 0
	for range 30_000 {
		src := pick(7, "a", "b", "*", "**", "/", "?", "[!a]", "[ab]")
		if strings.Contains(src, "***") {
			continue
		}
		p, err := Compile(src, false)
		if err != nil {
			continue
		}
		re := asRegexp(src)
		for range 8 {
			v := strings.Trim(pick(8, "a", "b", "c", "/"), "/")
			if strings.Contains(v, "//") || v == "" {
				continue
			}
			compared++
			if got, want := p.Match(NewValue(v)), re.MatchString(v); got != want {
				t.Fatalf("%q on %q: %v, the regexp %s says %v", src, v, got, re, want)
			}
		}
	}
	if compared < 50_000 {
		t.Errorf("only %d pairs compared", compared)
	}
}

// TestHostilePatterns has the patterns that explode when compiled whole; here
// they only have to end, and be right.
func TestHostilePatterns(t *testing.T) {
	long := strings.Repeat("a", 4000) + "b"
	for src, want := range map[string]bool{
		strings.Repeat("*a", 7) + "*b":            true,
		strings.Repeat("*a", 6) + "c*b":           false,
		strings.Repeat("*a*/", 4) + "*z*y":        false,
		strings.Repeat("**/", 30) + "x":           false,
		"**/" + strings.Repeat("*a", 7) + "*c/**": false,
		strings.Repeat("?", 200) + "**":           true,
		strings.Repeat("[!x]", 100) + "**" + "b":  true,
		"{a,aa}{a,aa}{a,aa}{a,aa}{a,aa}**/x":      false,
	} {
		p, err := Compile(src, false)
		if err != nil {
			t.Errorf("%q: %v", src, err)
			continue
		}
		if got := p.Match(NewValue(long)); got != want {
			t.Errorf("%.40q on aaa…b: %v", src, got)
		}
		p.Match(NewValue(strings.Repeat("a/", 127) + "a"))
	}
}

func TestGlobCorpus(t *testing.T) {
	files := []string{}
	for _, name := range []string{"doublestar", "gha_cheatsheet", "git_wildmatch"} {
		file := filepath.Join("../../../shared/corpus/globs", name+".tsv")
		if _, err := os.Stat(file); err == nil {
			files = append(files, file)
		}
	}
	if len(files) == 0 {
		t.Skip("no recorded glob tables beside the project (../shared/corpus/globs)")
	}
	for _, file := range files {
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		total, agree := 0, 0
		var differ []string
		for sc := bufio.NewScanner(f); sc.Scan(); {
			cols := strings.Split(sc.Text(), "\t")
			if len(cols) < 3 || strings.HasPrefix(sc.Text(), "#") {
				continue
			}
			total++
			p, err := Compile(cols[0], true)
			got := "error"
			if err == nil {
				got = fmt.Sprint(p.Match(NewValue(strings.TrimPrefix(cols[1], "/"))))
			}
			if got == cols[2] || (got == "true") == (cols[2] == "1") && got != "error" {
				agree++
			} else {
				differ = append(differ, fmt.Sprintf("%q on %q: table %s, here %s (%v)", cols[0], cols[1], cols[2], got, err))
			}
		}
		t.Logf("%s: %d of %d agree\n%s", filepath.Base(file), agree, total, strings.Join(differ, "\n"))
		if total == 0 || agree*10 < total*8 {
			t.Errorf("%s: only %d of %d agree", file, agree, total)
		}
	}
}

// FuzzPattern: any text either compiles or gets an error with words in it, and
// what compiles can be asked anything.
func FuzzPattern(f *testing.F) {
	for _, src := range []string{"a/**/b", "[a-z]?*", "{a,b/**,}c", `\*`, "a**b**c", "[[:alpha:]-]"} {
		f.Add(src, "a/b/c")
	}
	f.Fuzz(func(t *testing.T, src, v string) {
		p, err := Compile(src, true)
		if err != nil {
			if err.Error() == "" {
				t.Errorf("%q: an error without words", src)
			}
			return
		}
		if len(p.alternatives) > maxAlternatives {
			t.Errorf("%q: %d alternatives", src, len(p.alternatives))
		}
		p.Match(NewValue(v))
	})
}
