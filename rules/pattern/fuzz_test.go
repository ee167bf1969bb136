package pattern

import "testing"

// FuzzPattern: any text either compiles or gets an error with words in it, and
// what compiles can be asked anything: it answers as its alternatives do, their
// keys hold of what they match, and it covers itself.
func FuzzPattern(f *testing.F) {
	for _, src := range []string{"a/**/b", "[a-z]?*", "{a,b/**,}c", `\*`, "a**b**c", "[[:alpha:]-]", "*[!a]?*", "**/b/*.md"} {
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
		if n := len(p.Alternatives()); n == 0 || n > maxAlternatives {
			t.Errorf("%q: %d alternatives", src, n)
		}
		if !p.Covers(p) {
			t.Errorf("%q does not cover itself", src)
		}
		value := NewValue(v)
		matched := false
		for _, a := range p.Alternatives() {
			keys := a.Keys()
			if !a.Match(value) {
				if len(keys) == 1 && keys[0].Kind == Below && keys[0].holds(v) {
					t.Errorf("%q, alternative %q, has the key %v and does not match %q", src, a, keys[0], v)
				}
				continue
			}
			matched = true
			for _, k := range keys {
				if !k.holds(v) {
					t.Errorf("%q, alternative %q, matches %q, and the key %v does not hold", src, a, v, k)
				}
			}
		}
		if p.Match(value) != matched {
			t.Errorf("%q on %q: %v, its alternatives %v", src, v, !matched, matched)
		}
		if literal, ok := p.Literal(); ok && matched != (v == literal) {
			t.Errorf("%q is the literal %q, on %q %v", src, literal, v, matched)
		}
	})
}
