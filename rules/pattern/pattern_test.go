package pattern

import (
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
		{"*ab*b*", []string{"abb", "xab.b"}, []string{"ab", "bab"}},
		{"*a?*?c*", []string{"axyc", "aa.xc."}, []string{"axc", "ac"}},
		{"*[é-ü]*x", []string{"éx", "aüax"}, []string{"x", "é", "\xc3x"}},
		{"a?**?c/d", []string{"axyc/d", "ax/yc/d", "ax//yc/d"}, []string{"axc/d", "ax/c/d"}},
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
		"a}":                        "stray } at character 2",
		"é}":                        "stray } at character 2",
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

// TestPosixClasses: a POSIX class is Go's of that name, and never holds a "/".
func TestPosixClasses(t *testing.T) {
	for _, name := range []string{"alpha", "digit", "alnum", "upper", "lower", "space", "blank", "punct", "print", "graph", "cntrl", "xdigit"} {
		re := regexp.MustCompile("[[:" + name + ":]]")
		for _, negate := range []string{"", "!", "^"} {
			p, err := Compile("["+negate+"[:"+name+":]]", false)
			if err != nil {
				t.Fatal(err)
			}
			for c := range rune(300) {
				want := re.MatchString(string(c)) == (negate == "") && c != '/'
				if got := p.Match(NewValue(string(c))); got != want {
					t.Errorf("[%s[:%s:]] on %q: %v", negate, name, c, got)
				}
			}
		}
	}
}
