package pattern

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// hostile are patterns within the limits and values made against them: those
// that explode in libraries that are given the whole pattern, and the slowest
// that a search among millions found here. Values that paths may have, and
// longer ones.
func hostile() []struct{ src, value string } {
	r := strings.Repeat
	a60b, a250b := r("a", 60)+"b", r("a", 250)+"b"
	ab64 := r("{a,b}", 6) // all 64 alternatives there may be
	return []struct{ src, value string }{
		{r("*a", 6) + "c*b", a60b},
		{r("*a", 6) + "c*b", a250b},
		{r("*a", 7) + "*b", a250b},
		{"*_*_*_*_*.go", "a_b_c_d" + r("_x", 2000) + ".c"},
		{r("**/a/", 12) + "x*y", r("a/", 24) + "xzy?"},
		{r("**/*a*/", 8) + "x*z*y", r("aa/", 24) + "xy"},
		{r("*a*/", 16) + "*z*y", r("aa/", 16) + "xy"},
		{r("{a,aa}", 6) + "x", r("a", 12) + "y"},
		{r("{*a,a*}", 4) + "cb", r("a", 40) + "b"},
		{r("**/", 31) + "x", r("a/", 127) + "a"},
		{"**/" + r("*a", 7) + "*c/**", r("a", 4000) + "b"},
		{"**/" + r("*/", 15) + "{a,b,c,d,e,f,g,h}/**/y", r("x/", 127) + "y"},
		{"{" + r("*a*b*/**/,", 49) + "}" + "y", r("ab/", 127) + "x"},
		{ab64 + "/" + r("*/", 30) + "x", r("a", 6) + r("/ab", 30) + "/y"},
		{r("*/", 31) + ab64, r("ab/", 31) + "aaaaac"},
		{ab64 + r("/*a*a*a*a*", 31), "aaaaac" + r("/"+r("a", 100), 31)},
		{ab64 + r("?", 480), r("b", 6) + r("a", 479)},
		{"a**b**c**d**e**f*{,?}", r("abcdef/", 127) + "y"},
		{"*a*bbbbbbbbbbbbbbbbc*", r("a"+r("b", 15), 256)},
		{"*" + r("ab", 120) + "c*", r("ab", 2048)},
		{"*[!x]" + r("?", 13) + "x*", r("a", 4096)},
		{"*" + r("[!x]", 15) + "*x", r("é", 2047) + "x"},
		{"*{?,[!a],[!b],[!d],[!e]}c*", r("z", 4096)},
		{"*{" + classes(16) + "}*", r("z", 4096)},
		{"**/{" + classes(16) + "}*x/**/y", r(r("z", 31)+"/", 127) + "y"},
		{"**/" + r("a", 250) + "{" + classes(16) + "}" + r("?", 100) + "/**/y", r("a/", 127) + "y"},
		{"[\u0100-\u04ff]*[\u0100-\u04ff]*[\u0100-\u04ff]*[\u0100-\u04ff]x", r("\u0100\u04ff", 1024)},
		{"*a*b*", r("a", 100_000)},
		{"*a*bbbbbc*", r("abbbbb", 16_666)},
		{"**/*a*/b/**/c", r("a/", 50_000) + "a"},
		{"feature/*-[0-9][0-9][0-9]-*", "feature/" + r("-01", 33_000)},
	}
}

// classes gives n different classes, none with a z.
func classes(n int) string {
	all := make([]string, n)
	for i := range all {
		all[i] = "[a" + string(rune('b'+i)) + "]"
	}
	return strings.Join(all, ",")
}

func TestHostile(t *testing.T) {
	for _, c := range hostile() {
		name := fmt.Sprintf("%.60q on %.20q… (%d bytes)", c.src, c.value, len(c.value))
		p, err := Compile(c.src, false)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		v := NewValue(c.value)
		var got bool
		if n := testing.AllocsPerRun(1, func() { got = p.Match(v) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
		if want := read(c.src).match(dialect{}, c.value); got != want {
			t.Errorf("%s: %v, the reference says %v", name, got, want)
		}
	}
}

// TestHostileCompile: the largest that compile, and the longest way to an error.
func TestHostileCompile(t *testing.T) {
	ab64 := strings.Repeat("{a,b}", 6)
	for _, src := range []string{
		ab64 + strings.Repeat("a", 480),
		ab64 + strings.Repeat("?", 480),
		ab64 + strings.Repeat("[a-z]", 90),
		ab64 + strings.Repeat("[\u0100-\u04ff]", 4),
		ab64 + strings.Repeat("/*a*a*a*a*", 31),
		ab64 + "*" + strings.Repeat("?", 400) + "*",
		strings.Repeat("{", 4) + strings.Repeat("a,", 100) + strings.Repeat("}", 4),
		strings.Repeat("{{a,b},{c,d}}", 30),
		strings.Repeat("a**", 60),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Compile(src, false)
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 64<<20 {
			t.Errorf("%.60q: %d MB to compile (error %v)", src, n>>20, err)
		}
	}
}

// TestHostileText: any message, under the patterns that a text may have.
func TestHostileText(t *testing.T) {
	message := strings.Repeat("abbbbb\n/", 12_500)
	for src, want := range map[string]bool{
		"*a*bbbbbc*":                        false,
		"*b*":                               true,
		strings.Repeat("*b", 7) + "*":       true,
		strings.Repeat("*b", 7) + "*c":      false,
		strings.Repeat("*bb", 7) + "*/":     true,
		"a*" + strings.Repeat("b*", 6) + "": true,
		strings.Repeat("ab", 250) + "*":     false,
	} {
		p, err := CompileText(src)
		if err != nil {
			t.Errorf("%.40q: %v", src, err)
			continue
		}
		var got bool
		if n := testing.AllocsPerRun(1, func() { got = p.Match(message) }); n != 0 || got != want {
			t.Errorf("%.40q: %v with %v allocations, want %v with none", src, got, n, want)
		}
	}
}

// TestBeyondLimits: what could be slow or large does not compile, and says what
// to do.
func TestBeyondLimits(t *testing.T) {
	r := strings.Repeat
	for src, want := range map[string]string{
		r("*a", 8) + "c*b":                           "more than 8 *",
		r("{a,aa}", 24) + "x":                        "more than 64 alternatives",
		r("{{a,b},{c,d}}", 30):                       "more than 64 alternatives",
		r("{,a", 100):                                "deeper than 4",
		r("{a,b}", 6) + "**x":                        "more than 64 alternatives",
		r("a**", 60) + "b":                           "more than 8 *",
		r("**a/", 30) + "b":                          "more than 64 alternatives",
		r("**/", 32) + "x":                           "more than 32 segments",
		r("[\u0100-\u04ff]", 5):                      "more than 4096 characters together",
		"[\u0100-\u0500]":                            "more than 1024 characters",
		r("[", 300):                                  "unclosed [",
		"*" + r("?", 400) + "x*":                     "takes too long",
		"*" + r("[!x]", 16) + "*":                    "takes too long",
		"*{" + classes(17) + "}*":                    "takes too long",
		"**/{" + classes(17) + "}/**":                "takes too long",
		"**/" + r("*a*/", 8) + r("{a,b}", 4) + "/**": "takes too long",
		r("x", 513):                                  "longer than 512 bytes",
	} {
		_, err := Compile(src, false)
		var perr *Error
		switch {
		case !errors.As(err, &perr):
			t.Errorf("%.40q: error %v, want a *pattern.Error", src, err)
		case !strings.Contains(perr.Text, want) || perr.Hint == "":
			t.Errorf("%.40q: %q with the hint %q, want %q and a hint", src, perr.Text, perr.Hint, want)
		}
	}
	for src, want := range map[string]string{
		"":                  "is empty",
		r("x", 513):         "longer than 512 bytes",
		r("*a", 9):          "more than 8 *",
		"feature \xff here": "UTF-8",
	} {
		_, err := CompileText(src)
		var perr *Error
		if !errors.As(err, &perr) || !strings.Contains(perr.Text, want) || perr.Hint == "" {
			t.Errorf("text %.40q: %v, want %q and a hint", src, err, want)
		}
	}
}

// BenchmarkHostile reports the slowest pair whose value is a path within the
// limits: the median of its single matches, and how often a plain pattern
// matches the same value in that time.
func BenchmarkHostile(b *testing.B) {
	plain, err := Compile("**/*.go", false)
	if err != nil {
		b.Fatal(err)
	}
	var worst, beside time.Duration // of one and of a thousand matches
	name := ""
	for _, c := range hostile() {
		if len(c.value) > MaxPathBytes {
			continue
		}
		p, err := Compile(c.src, false)
		if err != nil {
			b.Fatal(err)
		}
		v := NewValue(c.value)
		if d := median(b.N, func() { p.Match(v) }); d > worst {
			worst = d
			beside = median(b.N, func() {
				for range 1000 {
					plain.Match(v)
				}
			})
			name = fmt.Sprintf("%.60q on %.20q… (%d bytes)", c.src, c.value, len(c.value))
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(worst.Seconds()*1e6, "µs-worst-match")
	b.ReportMetric(1000*worst.Seconds()/beside.Seconds(), "x-plain")
	if b.N > 1 {
		b.Log("slowest: ", name)
	}
}

func median(n int, f func()) time.Duration {
	times := make([]time.Duration, n)
	for i := range times {
		begin := time.Now()
		f()
		times[i] = time.Since(begin)
	}
	slices.Sort(times)
	return times[n/2]
}
