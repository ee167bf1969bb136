package pattern

import (
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestText holds text patterns to an independent reading, by regexp.
func TestText(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	pick := func(n int, parts ...string) string {
		var b strings.Builder
		for range 1 + r.IntN(n) {
			b.WriteString(parts[r.IntN(len(parts))])
		}
		return b.String()
	}
	for range 20_000 {
		src := pick(6, "a", "b", "ab", "*", "/", "é", "[")
		p, err := CompileText(src)
		if err != nil {
			t.Fatal(err)
		}
		re := regexp.MustCompile(`(?s)\A` + strings.ReplaceAll(regexp.QuoteMeta(src), `\*`, ".*") + `\z`)
		for range 8 {
			v := pick(10, "a", "b", "é", "/", "\n", "[")
			if got, want := p.Match(v), re.MatchString(v); got != want {
				t.Fatalf("%q on %q: %v, the regexp %s says %v", src, v, got, re, want)
			}
		}
	}
}

// TestTextLong: a message is as long as its author likes, and asking it takes
// no longer than reading it a few times.
func TestTextLong(t *testing.T) {
	long := strings.Repeat("a/", 2<<20)
	for _, src := range []string{"*/a/*/b/*/c*", "*a*a*a*a*a*a*a*b", "*a/a/a/a/b*", "a*/*/*/*x"} {
		p, err := CompileText(src)
		if err != nil {
			t.Fatal(err)
		}
		from := time.Now()
		if p.Match(long) {
			t.Errorf("%q matches", src)
		}
		if took := time.Since(from); took > 5*time.Second {
			t.Errorf("%q took %v", src, took)
		}
	}
}
