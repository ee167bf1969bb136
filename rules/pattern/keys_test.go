package pattern

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// holds says what a key promises of a value, in the words of its kind.
func (k Key) holds(v string) bool {
	dir, base := "", v
	if at := strings.LastIndexByte(v, '/'); at >= 0 {
		dir, base = v[:at], v[at+1:]
	}
	switch k.Kind {
	case Exact:
		return v == k.Text
	case Below, Dir:
		return strings.HasPrefix(v, k.Text+"/")
	case Prefix:
		return strings.HasPrefix(v, k.Text)
	case Base:
		return base == k.Text
	case Name:
		return strings.Contains("/"+dir+"/", "/"+k.Text+"/")
	case Ext:
		at := strings.LastIndexByte(base, '.')
		return at >= 0 && base[at:] == k.Text
	}
	return false
}

func TestKeys(t *testing.T) {
	for src, want := range map[string][]Key{
		"go.mod":              {{Exact, "go.mod"}},
		`a/\*b`:               {{Exact, "a/*b"}},
		"docs/**":             {{Below, "docs"}},
		"a/b/**/*":            {{Below, "a/b"}},
		"docs/*":              {{Dir, "docs"}},
		"docs/**/*.md":        {{Dir, "docs"}, {Ext, ".md"}},
		"docs/intro-*.tar.gz": {{Dir, "docs"}, {Prefix, "docs/intro-"}, {Ext, ".gz"}},
		"v*":                  {{Prefix, "v"}},
		"**/go.mod":           {{Base, "go.mod"}},
		"a/*/c":               {{Dir, "a"}, {Base, "c"}},
		"a/**/b/**/c":         {{Dir, "a"}, {Base, "c"}, {Name, "b"}},
		"**/b/**":             {{Name, "b"}},
		"**/*.[ch]":           nil,
		"**":                  nil,
		"*":                   nil,
		"**/*":                nil,
	} {
		p, err := Compile(src, false)
		if err != nil || len(p.Alternatives()) != 1 {
			t.Errorf("%q: error %v, %d alternatives", src, err, len(p.Alternatives()))
			continue
		}
		if diff := cmp.Diff(want, p.Alternatives()[0].Keys()); diff != "" {
			t.Errorf("%q: (-want +got)\n%s", src, diff)
		}
	}
}

// TestKeysHold: every key of an alternative holds of every value that the
// alternative matches, and everything under Below matches.
func TestKeysHold(t *testing.T) {
	t.Parallel()
	r := newRandom(5, true)
	checked := map[Kind]int{}
	for range 6_000 {
		src := r.pattern()
		p, err := Compile(src, false)
		if err != nil {
			continue
		}
		ref := read(src)
		for range 8 {
			v := NewValue(r.value(ref.forms))
			for _, a := range p.Alternatives() {
				if !a.Match(v) {
					continue
				}
				for _, k := range a.Keys() {
					checked[k.Kind]++
					if !k.holds(v.Text) {
						t.Errorf("%q, alternative %q, matches %q, and the key %v does not hold", src, a, v.Text, k)
					}
				}
			}
		}
		for _, a := range p.Alternatives() {
			for _, k := range a.Keys() {
				if v := k.Text + "/" + r.value(ref.forms); k.Kind == Below && !a.Match(NewValue(v)) {
					t.Errorf("%q, alternative %q, has the key %v and does not match %q", src, a, k, v)
				}
			}
		}
	}
	for kind := Exact; kind <= Ext; kind++ {
		if checked[kind] < 200 {
			t.Errorf("only %d keys of kind %d checked", checked[kind], kind)
		}
	}
	t.Logf("keys checked by kind: %v", checked)
}

// TestLiteral: the value given is matched, and no other is.
func TestLiteral(t *testing.T) {
	for src, want := range map[string]string{
		"main": "main", "a/b.c": "a/b.c", `v1\*`: "v1*", `\{a\}`: "{a}", "{a}": "a", "é": "é",
		"*": "", "a?": "", "{a,b}": "", "**": "", "a/**": "", "[a]": "",
	} {
		p, err := Compile(src, false)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := p.Literal(); got != want || ok != (want != "") {
			t.Errorf("%q: %q, %v", src, got, ok)
		}
	}
	r := newRandom(6, false)
	seen := 0
	for range 6_000 {
		src := r.pattern()
		p, err := Compile(src, false)
		if err != nil {
			continue
		}
		literal, ok := p.Literal()
		if !ok {
			continue
		}
		seen++
		ref := read(src)
		for range 20 {
			v := r.value(ref.forms)
			if p.Match(NewValue(v)) != (v == literal) {
				t.Errorf("%q is the literal %q and asked for %q says %v", src, literal, v, v != literal)
			}
		}
		if !p.Match(NewValue(literal)) {
			t.Errorf("%q does not match its literal %q", src, literal)
		}
	}
	if seen < 50 {
		t.Errorf("only %d literals", seen)
	}
}
