package pattern

import (
	"fmt"
	"strings"

	"github.com/gobwas/glob"
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
	maxBraceDepth     = 4
)

// A Pattern is a compiled glob.
type Pattern struct {
	alternatives []Alternative
	globs        int // how many different ones were compiled
}

// A compiler compiles each segment of a pattern once, in however many
// alternatives it stands.
type compiler struct {
	globs map[string]*glob.Pattern
}

// An Alternative is one brace-free form of a pattern, segment by segment.
type Alternative []segment

// A segment matches one segment of a value, or, as globstar, any number of
// them.
type segment struct {
	globstar bool
	literal  string
	glob     *glob.Pattern // nil: literal is compared
	// of glob: what every match begins and ends with
	head, tail string
}

func (s segment) match(v string) bool {
	if s.glob == nil {
		return s.literal == v
	}
	return s.glob.Match(v)
}

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
	n := 10 * p.globs
	for _, a := range p.alternatives {
		n += 8 + 2*len(a)
	}
	return n
}

// Match says whether the whole value matches. It walks both lists with one way
// back, to the last globstar: every other segment consumes exactly one of the
// value's, so an earlier globstar never needs another try. Cost is at most
// len(a)·len(v.Segments) matches of a segment.
func (a Alternative) Match(value Value) bool {
	v := value.Segments
	i, j := 0, 0
	star, mark := -1, 0
	for j < len(v) {
		switch {
		case i < len(a) && a[i].globstar:
			star, mark = i, j
			i++
		case i < len(a) && a[i].match(v[j]):
			i, j = i+1, j+1
		case star >= 0:
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	for i < len(a) && a[i].globstar {
		i++
	}
	return i == len(a)
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
	p, c := &Pattern{}, compiler{map[string]*glob.Pattern{}}
	for _, form := range forms {
		alts, err := c.form(form, rooted)
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
	p.globs = len(c.globs)
	return p, nil
}

func tooMany() *Error {
	return bad(fmt.Sprintf("expands to more than %d alternatives", maxAlternatives), "write several patterns instead")
}

// form compiles one brace-free form. A "**" inside a segment crosses
// slashes: a**b is a*b or a*/**/*b, so a form may become several alternatives.
func (c compiler) form(form tokens, rooted bool) ([]Alternative, *Error) {
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
	alts := []Alternative{{}}
	for i, seg := range segs {
		if err := checkSegment(seg, i, len(segs), form); err != nil {
			return nil, err
		}
		ways, err := c.segment(seg)
		if err != nil {
			return nil, err
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

// segment gives the ways a segment can be matched, each a run of
// segments: one way, unless a "**" stands beside something else.
func (c compiler) segment(seg tokens) ([]Alternative, *Error) {
	if len(seg) == 1 && seg[0].kind == tokGlobstar {
		return []Alternative{{{globstar: true}}}, nil
	}
	for i, t := range seg {
		if t.kind != tokGlobstar {
			continue
		}
		star := token{kind: tokStar}
		within := append(append(append(tokens{}, seg[:i]...), star), seg[i+1:]...)
		head, err := c.one(append(append(tokens{}, seg[:i]...), star))
		if err != nil {
			return nil, err
		}
		same, err := c.segment(within)
		if err != nil {
			return nil, err
		}
		tails, err := c.segment(append(tokens{star}, seg[i+1:]...))
		if err != nil {
			return nil, err
		}
		ways := same
		for _, tail := range tails {
			ways = append(ways, append(Alternative{head, {globstar: true}}, tail...))
		}
		if len(ways) > maxAlternatives {
			return nil, tooMany()
		}
		return ways, nil
	}
	one, err := c.one(seg)
	if err != nil {
		return nil, err
	}
	return []Alternative{{one}}, nil
}

// one compiles a segment without "**".
func (c compiler) one(seg tokens) (segment, *Error) {
	seg = seg.collapseStars()
	if seg.literal() {
		return segment{literal: seg.String()}, nil
	}
	stars := 0
	for _, t := range seg {
		if t.kind == tokStar {
			stars++
		}
	}
	if stars > maxStarsInSegment {
		return segment{}, bad(fmt.Sprintf("has more than %d * in one segment", maxStarsInSegment), "write a simpler pattern")
	}
	text := seg.gobwas()
	g := c.globs[text]
	if g == nil {
		var err error
		if g, err = glob.Compile(text); err != nil {
			return segment{}, bad("cannot be compiled: "+err.Error(), "")
		}
		c.globs[text] = g
	}
	return segment{glob: g, head: seg.head(), tail: seg.tail()}, nil
}

var anything = glob.MustCompile("*")

// normalise merges neighbouring globstars and makes a trailing one, unless it
// stands alone, ask for at least one segment: a/** is below a, not a.
func normalise(a Alternative) Alternative {
	var out Alternative
	for _, s := range a {
		if s.globstar && len(out) > 0 && out[len(out)-1].globstar {
			continue
		}
		out = append(out, s)
	}
	if n := len(out); n > 1 && out[n-1].globstar {
		out = append(out, segment{glob: anything})
	}
	return out
}
