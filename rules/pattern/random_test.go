package pattern

import (
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// pairs is how many pairs of a pattern and a value a comparison makes:
// PUSHGATE_PAIRS, or what takes seconds.
func pairs(t *testing.T) int {
	text := os.Getenv("PUSHGATE_PAIRS")
	if text == "" {
		return 300_000
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("PUSHGATE_PAIRS=%q is no number of pairs", text)
	}
	return n
}

// A random source of patterns and of values near them. posix says whether
// classes may be written in ways that not every glob language knows.
type random struct {
	*rand.Rand
	posix bool
}

func newRandom(seed uint64, posix bool) random {
	return random{rand.New(rand.NewPCG(seed, 2)), posix}
}

// of picks one; what is written twice is picked twice as often.
func (r random) of(some ...string) string { return some[r.IntN(len(some))] }

func (r random) oneIn(n int) bool { return r.IntN(n) == 0 }

// pattern writes one to four segments. A few of them do not compile.
func (r random) pattern() string {
	segs := make([]string, 1+r.IntN(4))
	for i := range segs {
		segs[i] = r.segment(2)
	}
	return strings.Join(segs, "/")
}

func (r random) segment(depth int) string {
	if r.oneIn(4) {
		return "**"
	}
	var b strings.Builder
	for range 1 + r.IntN(3) {
		b.WriteString(r.atom(depth))
	}
	return b.String()
}

func (r random) atom(depth int) string {
	switch n := r.IntN(20); {
	case n < 8:
		return r.of("a", "b", "c", "ab", ".", "-", "é", "1", "A", ",", "!")
	case n < 12:
		return "*"
	case n < 13:
		return "**"
	case n < 14:
		return "?"
	case n < 16:
		return r.class()
	case n < 17:
		return `\` + r.of("*", "?", "[", "{", "}", ",", "!", `\`, "a", "é")
	case depth > 0:
		return r.brace(depth)
	}
	return "a"
}

func (r random) brace(depth int) string {
	alts := make([]string, 1+r.IntN(3))
	for i := range alts {
		switch r.IntN(6) {
		case 0:
		case 1:
			alts[i] = r.segment(depth-1) + "/" + r.segment(depth-1)
		case 2:
			alts[i] = "/" + r.segment(depth-1)
		case 3:
			alts[i] = r.segment(depth-1) + "/"
		default:
			alts[i] = r.segment(depth - 1)
		}
	}
	return "{" + strings.Join(alts, ",") + "}"
}

func (r random) class() string {
	var b strings.Builder
	b.WriteString(r.of("[", "[", "[!", "[^"))
	if r.posix && r.oneIn(8) {
		b.WriteByte(']')
	}
	for range 1 + r.IntN(3) {
		b.WriteString(r.of("a", "b", "a-c", "b-é", "0-9", "é", `\]`, `\-`, `\\`, ".", "*", ",", "!", "^", "--0", "+-1", "A-Z"))
		if r.posix && r.oneIn(4) {
			b.WriteString(r.of("{", "}", "[", "[:alpha:]", "[:digit:]", "[:punct:]", "[:upper:]", "[:space:]", "[:xdigit:]", "[:print:]"))
		}
	}
	if r.oneIn(8) {
		b.WriteByte('-')
	}
	return b.String() + "]"
}

// value fills one form in and then changes it a little, or not at all. It is a
// path as hosts send them: not empty, without empty segments.
func (r random) value(fs []form) string {
	var parts []string
	for _, e := range fs[r.IntN(len(fs))] {
		switch {
		case edge(e):
		case e == "*":
			for range r.IntN(3) {
				parts = append(parts, r.some())
			}
			if r.oneIn(12) {
				parts = append(parts, "/")
			}
		case e == "?":
			parts = append(parts, r.some())
		case e[0] == '[':
			parts = append(parts, r.member(e))
		case e[0] == '\\':
			parts = append(parts, e[1:])
		default:
			parts = append(parts, e)
		}
	}
	for r.oneIn(2) {
		i := r.IntN(len(parts) + 1)
		j := min(i+r.IntN(2), len(parts))
		parts = slices.Replace(parts, i, j, r.of("", r.some(), "/", r.some()+"/"))
	}
	segs := strings.FieldsFunc(strings.Join(parts, ""), func(c rune) bool { return c == '/' })
	if len(segs) == 0 {
		return r.some()
	}
	return strings.Join(segs, "/")
}

func (r random) some() string {
	return r.of("a", "b", "c", "a", "b", "c", ".", "-", "é", "1", "A", ",", "*", "{", "ø", "\n", "!", "]", `\`, "\xff", "\xc3", "\xa9")
}

// member guesses what a class matches: often something it names.
func (r random) member(class string) string {
	in := []rune(strings.Trim(class, "[]!^"))
	if len(in) == 0 || r.oneIn(3) {
		return r.some()
	}
	return string(in[r.IntN(len(in))])
}
