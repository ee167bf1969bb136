package pattern

import "testing"

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
