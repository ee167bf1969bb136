package pattern

import (
	"math/rand/v2"
	"strings"
	"testing"
)

func TestApart(t *testing.T) {
	for pair, want := range map[[2]string]bool{
		{"main", "dev"}:                   true,
		{"main", "m*"}:                    false,
		{"release/**", "feature/**"}:      true,
		{"release/**", "rel*/x"}:          false,
		{"acme/*", "other/*"}:             true,
		{"v*", "rc-*"}:                    true,
		{"*.go", "*.md"}:                  true,
		{"**/*.go", "src/**"}:             false,
		{"**/*.go", "src/*.md"}:           true,
		{"a/*", "a/b/**"}:                 true,
		{"a/**", "a"}:                     true,
		{"**", "a"}:                       false,
		{"{main,dev}", "{feature,x}/**"}:  true,
		{"{main,dev}", "{feature,m*n}"}:   false,
		{"feature/*-web", "feature/*-db"}: true,
	} {
		a, errA := Compile(pair[0], false)
		b, errB := Compile(pair[1], false)
		if errA != nil || errB != nil {
			t.Fatal(errA, errB)
		}
		if a.Apart(b) != want || b.Apart(a) != want {
			t.Errorf("%q and %q: %v and %v, want %v", pair[0], pair[1], a.Apart(b), b.Apart(a), want)
		}
	}
}

// TestRelations: what Apart and Covers say of two patterns holds of values.
func TestRelations(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	pick := func(n int, sep string, parts ...string) string {
		out := make([]string, 1+r.IntN(n))
		for i := range out {
			out[i] = parts[r.IntN(len(parts))]
		}
		return strings.Join(out, sep)
	}
	compile := func() (*Pattern, string) {
		for {
			src := pick(4, "/", "a", "b", "ab", "*", "**", "a*", "*b", "a*b", "?", "[ab]", "{a,b}", "{a,b/a}", "a**b", "*a*")
			if p, err := Compile(src, false); err == nil {
				return p, src
			}
		}
	}
	apart, covers := 0, 0
	for range 20_000 {
		a, srcA := compile()
		b, srcB := compile()
		isApart, isCover := a.Apart(b), a.Covers(b)
		if isApart {
			apart++
		}
		if isCover {
			covers++
		}
		for range 10 {
			v := NewValue(pick(4, "/", "a", "b", "ab", "aab", "", "bab", "c"))
			inA, inB := a.Match(v), b.Match(v)
			if isApart && inA && inB {
				t.Fatalf("%q and %q are not apart: both match %q", srcA, srcB, v.Text)
			}
			if isCover && inB && !inA {
				t.Fatalf("%q does not cover %q: only that matches %q", srcA, srcB, v.Text)
			}
		}
	}
	if apart < 2000 || covers < 500 {
		t.Errorf("only %d pairs are apart, %d cover", apart, covers)
	}
}
