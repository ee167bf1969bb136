package pattern

import (
	"regexp"
	"strings"
	"testing"
)

func TestText(t *testing.T) {
	for _, c := range []struct {
		pattern string
		yes, no []string
	}{
		{"*[bot]", []string{"renovate[bot]", "[bot]"}, []string{"renovateb", "[bot]x"}},
		{"*@example.com", []string{"a@example.com"}, []string{"a@example.com.evil"}},
		{"release *", []string{"release 1\nand more / ...", "release "}, []string{"a release 1"}},
		{"*deploy*", []string{"please\ndeploy now", "deploy"}, []string{"Deploy", ""}},
		{"*", []string{"", "x/y\n"}, nil},
		{"***", []string{"", "x"}, nil},
		{`a\*`, []string{`a\`, `a\b`}, []string{"a*"}},
		{"a?{b}!", []string{"a?{b}!"}, []string{"axb!"}},
		{"ab*ba", []string{"abba", "abxba"}, []string{"aba"}},
		{"*ab*b*", []string{"abb", "xab b"}, []string{"ab", "bab"}},
		{"*é*", []string{"é", "\xffé\xff"}, []string{"\xc3", "e"}},
	} {
		p, err := CompileText(c.pattern)
		if err != nil {
			t.Errorf("%q: %v", c.pattern, err)
			continue
		}
		for _, v := range c.yes {
			if !p.Match(v) {
				t.Errorf("%q does not match %q", c.pattern, v)
			}
		}
		for _, v := range c.no {
			if p.Match(v) {
				t.Errorf("%q matches %q", c.pattern, v)
			}
		}
	}
}

func (r random) text(stars bool) string {
	var b strings.Builder
	for range 1 + r.IntN(9) {
		if stars && r.oneIn(3) {
			b.WriteByte('*')
		} else {
			b.WriteString(r.of("a", "b", "ab", "a", "b", "ab", "a", "b", "ab", "/", "\n", `\`, "?", "[a]", "{a,b}", "é", "+", "$"))
		}
	}
	return b.String()
}

// TestTextAgainstRegexp: a text pattern is its literals with anything where the
// stars are.
func TestTextAgainstRegexp(t *testing.T) {
	t.Parallel()
	r := newRandom(8, false)
	compared, matched, covering := 0, 0, 0
	for range 6_000 {
		src := r.text(true)
		p, err := CompileText(src)
		if err != nil {
			t.Fatalf("%q: %v", src, err)
		}
		re := regexp.MustCompile(`(?s)\A` + strings.ReplaceAll(regexp.QuoteMeta(src), `\*`, `.*`) + `\z`)
		other, err := CompileText(r.of(src, r.text(true), strings.ReplaceAll(src, "*", "a")))
		if err != nil {
			t.Fatal(err)
		}
		covers := p.Covers(other)
		if covers {
			covering++
		}
		for range 10 {
			v := r.text(false)
			if r.oneIn(2) {
				v = src
				for strings.Contains(v, "*") {
					v = strings.Replace(v, "*", r.of("", "a", "b", r.text(false)), 1)
				}
			}
			compared++
			got := p.Match(v)
			if got {
				matched++
			}
			if want := re.MatchString(v); got != want {
				t.Fatalf("%q on %q: %v, the regexp says %v", src, v, got, want)
			}
			if covers && other.Match(v) && !got {
				t.Errorf("%q covers %q, and of the two only the second matches %q", src, other.source, v)
			}
		}
	}
	t.Logf("%d texts, %d of them match; %d pairs that cover", compared, matched, covering)
	if matched*3 < compared || covering < 1000 {
		t.Errorf("only %d of %d texts match, only %d pairs cover", matched, compared, covering)
	}
}
