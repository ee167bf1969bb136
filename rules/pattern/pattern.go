package pattern

import (
	"fmt"
	"slices"
	"strings"
)

// The limits that keep every match cheap, and the message readable.
const (
	// MaxPathBytes and MaxPathLevels bound what is asked of a pattern; whoever
	// has longer values must not ask.
	MaxPathBytes  = 4096
	MaxPathLevels = 128

	maxBytes          = 512
	maxSegments       = 32
	maxAlternatives   = 64
	maxStarsInSegment = 8
	maxClassRunes     = 1024
	maxClassRunesAll  = 4096 // of all classes of a pattern
	maxBraceDepth     = 4
)

// A Pattern is a compiled glob.
type Pattern struct {
	alternatives []Alternative
}

// An Alternative is one brace-free form of a pattern, segment by segment.
type Alternative []segment

// A Value is a string to match, split once for all patterns.
type Value struct {
	Text     string
	Segments []string
}

// NewValue splits s at its slashes.
func NewValue(s string) Value {
	return Value{Text: s, Segments: strings.Split(s, "/")}
}

// Match says whether the whole value matches. It does not allocate.
func (p *Pattern) Match(v Value) bool {
	for _, a := range p.alternatives {
		if a.Match(v) {
			return true
		}
	}
	return false
}

// Alternatives are the brace-free forms; the pattern matches what one of them
// matches.
func (p *Pattern) Alternatives() []Alternative { return p.alternatives }

// Size is about what the pattern takes of memory, in parts of 100 bytes.
func (p *Pattern) Size() int {
	n := 0
	for _, a := range p.alternatives {
		n += 8 + 4*len(a)
	}
	return n
}

// Match says whether the whole value matches. Segments behind the last globstar
// have one place, the end. The others are walked with one way back, to the last
// globstar passed: every segment consumes exactly one of the value's, so an
// earlier globstar never needs another try, and no segment is asked twice of
// the same one of the value's.
func (a Alternative) Match(value Value) bool {
	v := value.Segments
	for len(a) > 0 && !a[len(a)-1].globstar {
		if len(v) == 0 || !a[len(a)-1].match(v[len(v)-1]) {
			return false
		}
		a, v = a[:len(a)-1], v[:len(v)-1]
	}
	if len(a) == 0 {
		return len(v) == 0
	}
	i, j := 0, 0
	star, mark := -1, 0
	for i < len(a)-1 {
		switch {
		case a[i].globstar:
			star, mark = i, j
			i++
		case j == len(v):
			return false
		case a[i].match(v[j]):
			i, j = i+1, j+1
		case star >= 0:
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	return true
}

// Compile compiles one pattern without its leading "!". With rooted set
// (file paths) a leading "/" is ignored, elsewhere it is an error. An error is
// an [*Error].
func Compile(src string, rooted bool) (*Pattern, error) {
	seq, err := parse(src)
	if err != nil {
		return nil, err
	}
	forms, err := expand(seq)
	if err != nil {
		return nil, err
	}
	p := &Pattern{}
	for _, form := range forms {
		alts, err := compileForm(form, rooted)
		if err != nil {
			if len(forms) > 1 {
				err.Text += fmt.Sprintf(" (in the alternative %q)", form)
			}
			return nil, err
		}
		if p.alternatives = append(p.alternatives, alts...); len(p.alternatives) > maxAlternatives {
			return nil, tooMany()
		}
	}
	if err := affordable(p.alternatives); err != nil {
		return nil, err
	}
	return p, nil
}

func tooMany() *Error {
	return bad(fmt.Sprintf("expands to more than %d alternatives", maxAlternatives), "write several patterns instead")
}

// compileForm compiles one brace-free form. A "**" inside a segment crosses
// slashes: a**b is a*b or a*/**/*b, so a form may become several alternatives.
func compileForm(form tokens, rooted bool) ([]Alternative, *Error) {
	segs := form.split()
	if len(segs) > 1 && len(segs[0]) == 0 {
		if !rooted {
			return nil, bad("begins with /", "leave the leading / out")
		}
		segs = segs[1:]
	}
	if len(segs) > maxSegments {
		return nil, bad(fmt.Sprintf("has more than %d segments", maxSegments), "use ** for the middle part")
	}
	alts := []Alternative{make(Alternative, 0, len(segs)+1)}
	for i, seg := range segs {
		if err := checkSegment(seg, i, len(segs), form); err != nil {
			return nil, err
		}
		ways, err := compileSegment(seg)
		if err != nil {
			return nil, err
		}
		if len(ways) == 1 {
			for i := range alts {
				alts[i] = append(alts[i], ways[0]...)
			}
			continue
		}
		var next []Alternative
		for _, a := range alts {
			for _, way := range ways {
				next = append(next, append(a[:len(a):len(a)], way...))
			}
		}
		if alts = next; len(alts) > maxAlternatives {
			return nil, tooMany()
		}
	}
	for i, a := range alts {
		alts[i] = normalise(a)
	}
	return alts, nil
}

func checkSegment(seg tokens, i, n int, form tokens) *Error {
	text := seg.String()
	switch {
	case len(seg) == 0 && n == 1:
		return bad("is empty", `write "**" for everything`)
	case len(seg) == 0 && i == n-1:
		return bad("ends with /", fmt.Sprintf("write %q for everything below it", form.String()+"**"))
	case len(seg) == 0:
		return bad("holds //", "write one /")
	case seg.literal() && (text == "." || text == ".."):
		return bad(fmt.Sprintf("holds the segment %q", text), "paths start at the repository's root; leave it out")
	}
	return nil
}

// compileSegment gives the ways a segment can be matched, each a run of
// segments: one way, unless a "**" stands beside something else.
func compileSegment(seg tokens) ([]Alternative, *Error) {
	if len(seg) == 1 && seg[0].kind == tokGlobstar {
		return []Alternative{{{globstar: true, text: "**"}}}, nil
	}
	for i, t := range seg {
		if t.kind != tokGlobstar {
			continue
		}
		star := token{kind: tokStar}
		within := append(append(append(tokens{}, seg[:i]...), star), seg[i+1:]...)
		head, err := compileOne(append(append(tokens{}, seg[:i]...), star))
		if err != nil {
			return nil, err
		}
		same, err := compileSegment(within)
		if err != nil {
			return nil, err
		}
		tails, err := compileSegment(append(tokens{star}, seg[i+1:]...))
		if err != nil {
			return nil, err
		}
		ways := same
		for _, tail := range tails {
			ways = append(ways, append(Alternative{head, {globstar: true, text: "**"}}, tail...))
		}
		if len(ways) > maxAlternatives {
			return nil, tooMany()
		}
		return ways, nil
	}
	one, err := compileOne(seg)
	if err != nil {
		return nil, err
	}
	return []Alternative{{one}}, nil
}

// normalise merges neighbouring globstars and makes a trailing one, unless it
// stands alone, ask for at least one segment: a/** is below a, not a.
func normalise(a Alternative) Alternative {
	a = slices.CompactFunc(a, func(x, y segment) bool { return x.globstar && y.globstar })
	if n := len(a); n > 1 && a[n-1].globstar {
		a = append(a, anySegment())
	}
	return a
}
