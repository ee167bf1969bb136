package rules

import (
	"fmt"
	"strings"

	"github.com/gobwas/glob"
)

// The limits that keep every match cheap, and the message readable.
const (
	maxPatternBytes   = 512
	maxSegments       = 32
	maxAlternatives   = 64
	maxStarsInSegment = 8
	maxClassRunes     = 1024
	maxBraceDepth     = 4
	maxListEntries    = 64
	maxPathBytes      = 4096
	maxPathLevels     = 128
)

// A pattern is a compiled glob. The source is split at "/" and its braces are
// expanded here, "**" is a loop over segments, and gobwas/glob is given one
// segment at a time without separators or braces: compiled whole, a pattern of
// fifteen bytes can take seconds for one match.
type pattern struct {
	alternatives []alternative
}

// An alternative is one brace-free form of a pattern, segment by segment.
type alternative []segment

// A segment matches one path segment, or, as globstar, any number of them.
type segment struct {
	globstar bool
	literal  string
	glob     *glob.Pattern // nil: literal is compared
}

func (s segment) match(v string) bool {
	if s.glob == nil {
		return s.literal == v
	}
	return s.glob.Match(v)
}

// A value is a string to match, split once for all patterns.
type value struct {
	text     string
	segments []string
}

func newValue(s string) value {
	return value{text: s, segments: strings.Split(s, "/")}
}

func (p pattern) match(v value) bool {
	for _, a := range p.alternatives {
		if a.match(v.segments) {
			return true
		}
	}
	return false
}

// match walks both lists with one way back, to the last globstar: every other
// segment consumes exactly one of v, so an earlier globstar never needs another
// try. Cost is at most len(a)·len(v) segment matches.
func (a alternative) match(v []string) bool {
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

// compilePattern compiles one pattern without its leading "!". With rooted set
// (file paths) a leading "/" is ignored, elsewhere it is an error.
func compilePattern(src string, rooted bool) (pattern, error) {
	seq, err := parsePattern(src)
	if err != nil {
		return pattern{}, err
	}
	forms, err := expand(seq)
	if err != nil {
		return pattern{}, err
	}
	var p pattern
	for _, form := range forms {
		alts, err := compileForm(form, rooted)
		if err != nil {
			if len(forms) > 1 {
				err.text += fmt.Sprintf(" (in the alternative %q)", form)
			}
			return pattern{}, err
		}
		if p.alternatives = append(p.alternatives, alts...); len(p.alternatives) > maxAlternatives {
			return pattern{}, tooMany()
		}
	}
	return p, nil
}

func tooMany() *patternError {
	return badPattern(fmt.Sprintf("expands to more than %d alternatives", maxAlternatives), "write several patterns instead")
}

// compileForm compiles one brace-free form. A "**" inside a segment crosses
// slashes: a**b is a*b or a*/**/*b, so a form may become several alternatives.
func compileForm(form tokens, rooted bool) ([]alternative, *patternError) {
	segs := form.split()
	if len(segs) > 1 && len(segs[0]) == 0 {
		if !rooted {
			return nil, badPattern("begins with /", "leave the leading / out")
		}
		segs = segs[1:]
	}
	if len(segs) > maxSegments {
		return nil, badPattern(fmt.Sprintf("has more than %d segments", maxSegments), "use ** for the middle part")
	}
	alts := []alternative{{}}
	for i, seg := range segs {
		if err := checkSegment(seg, i, len(segs), form); err != nil {
			return nil, err
		}
		ways, err := compileSegment(seg)
		if err != nil {
			return nil, err
		}
		var next []alternative
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

func checkSegment(seg tokens, i, n int, form tokens) *patternError {
	text := seg.String()
	switch {
	case len(seg) == 0 && n == 1:
		return badPattern("is empty", `write "**" for everything`)
	case len(seg) == 0 && i == n-1:
		return badPattern("ends with /", fmt.Sprintf("write %q for everything below it", form.String()+"**"))
	case len(seg) == 0:
		return badPattern("holds //", "write one /")
	case seg.literal() && (text == "." || text == ".."):
		return badPattern(fmt.Sprintf("holds the segment %q", text), "paths start at the repository's root; leave it out")
	}
	return nil
}

// compileSegment gives the ways a segment can be matched, each a run of
// segments: one way, unless a "**" stands beside something else.
func compileSegment(seg tokens) ([]alternative, *patternError) {
	if len(seg) == 1 && seg[0].kind == tokGlobstar {
		return []alternative{{{globstar: true}}}, nil
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
			ways = append(ways, append(alternative{head, {globstar: true}}, tail...))
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
	return []alternative{{one}}, nil
}

// compileOne compiles a segment without "**".
func compileOne(seg tokens) (segment, *patternError) {
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
		return segment{}, badPattern(fmt.Sprintf("has more than %d * in one segment", maxStarsInSegment), "write a simpler pattern")
	}
	g, err := glob.Compile(seg.gobwas())
	if err != nil {
		return segment{}, badPattern("cannot be compiled: "+err.Error(), "")
	}
	return segment{glob: g}, nil
}

// normalise merges neighbouring globstars and makes a trailing one, unless it
// stands alone, ask for at least one segment: a/** is below a, not a.
func normalise(a alternative) alternative {
	var out alternative
	for _, s := range a {
		if s.globstar && len(out) > 0 && out[len(out)-1].globstar {
			continue
		}
		out = append(out, s)
	}
	if n := len(out); n > 1 && out[n-1].globstar {
		out = append(out, segment{glob: glob.MustCompile("*")})
	}
	return out
}
