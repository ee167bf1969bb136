package pattern

import (
	"slices"
	"strings"
	"testing"
)

func TestCovers(t *testing.T) {
	for _, c := range []struct {
		p, other string
		want     bool
	}{
		{"**", "a/b", true},
		{"**", "a/**/*.go", true},
		{"a/**", "a/b", true},
		{"a/**", "a/b/**", true},
		{"a/**", "a", false},
		{"a/**", "**", false},
		{"a/*", "a/**", false},
		{"*", "?x", true},
		{"*", "**", false},
		{"v[0-9]*", "v1.2", true},
		{"v[0-9]*", "v[0-9]*", true},
		{"**/*.md", "docs/**/*.md", true},
		{"**/*.md", "docs/a.md", true},
		{"**/*.md", "docs/*", false},
		{"{a,b}/**", "{b,a}/x", true},
		{"{a,b}/**", "{b,c}/x", false},
		{"src/**/*", "src/**", true},
		{"**/b/**", "a/b/c", true},
		{"**/b/**", "**/b", false},
		{"a", `\a`, true},
		{"a*", `a\*`, true},
		{`a\*`, "a*", false},
	} {
		p, err := Compile(c.p, false)
		if err != nil {
			t.Fatal(err)
		}
		other, err := Compile(c.other, false)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Covers(other); got != c.want {
			t.Errorf("%q covers %q: %v", c.p, c.other, got)
		}
	}
}

// wider writes a pattern that may well cover the one given.
func (r random) wider(src string) string {
	segs := strings.Split(src, "/")
	for i := range segs {
		switch r.IntN(6) {
		case 0:
			segs[i] = "*"
		case 1:
			segs[i] = "**"
		case 2:
			segs[i] = "{" + r.segment(0) + "," + segs[i] + "}"
		}
	}
	for r.oneIn(4) {
		i := r.IntN(len(segs) + 1)
		segs = slices.Insert(segs, i, r.of("**", "*", r.segment(0)))
	}
	return strings.Join(segs, "/")
}

// TestCoversHolds: where p covers other, no value matches other and not p.
func TestCoversHolds(t *testing.T) {
	t.Parallel()
	r := newRandom(7, true)
	covering, values := 0, 0
	for range 5_000 {
		src := r.pattern()
		wide := r.wider(src)
		other, err := Compile(src, false)
		if err != nil {
			continue
		}
		if !other.Covers(other) {
			t.Errorf("%q does not cover itself", src)
		}
		p, err := Compile(wide, false)
		if err != nil || !p.Covers(other) {
			continue
		}
		covering++
		ref := read(src)
		for range 20 {
			v := NewValue(r.value(ref.forms))
			if !other.Match(v) {
				continue
			}
			values++
			if !p.Match(v) {
				t.Errorf("%q covers %q, and of the two only the second matches %q", wide, src, v.Text)
			}
		}
	}
	t.Logf("%d pairs that cover, %d values of the covered", covering, values)
	if covering < 1000 || values < 5*covering {
		t.Errorf("only %d pairs cover, only %d values of the covered", covering, values)
	}
}

func TestRemark(t *testing.T) {
	for src, want := range map[string]string{
		"v[0-9]+":       "]+",
		"v[12].[0-9]+x": "]+",
		"*.jsx?":        "ends with ?",
		"?":             "ends with ?",
		`a\?`:           "",
		"a?b":           "",
		`a\]+`:          "",
		"c++":           "",
		"[+]":           "",
		"v[0-9]*":       "",
		"":              "",
	} {
		got := Remark(src)
		switch {
		case (got == nil) != (want == ""):
			t.Errorf("%q: %v", src, got)
		case got != nil && (!strings.Contains(got.Text, want) || got.Hint == ""):
			t.Errorf("%q: %q with the hint %q", src, got.Text, got.Hint)
		}
	}
}
