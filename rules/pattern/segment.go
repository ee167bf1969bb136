package pattern

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gobwas/glob"
)

// A segment matches one segment of a value, or, as globstar, any number of
// them.
type segment struct {
	globstar bool
	text     string // identifies it: two of the same text match the same
	literal  string // compared, where there are neither glob nor pieces
	glob     *glob.Pattern
	pieces   []piece // what stands between its stars, one more than there are
	slow     bool    // more than literals and stars
	// of glob and pieces: what every match begins and ends with
	head, tail string
}

// A segment whose only star has nothing but plain characters behind it is
// gobwas/glob's whole: one pass, no state. With more it would keep a state for
// every step and take the square of the value's length, so such a segment is cut
// at its stars.

// A piece is a part of a segment without stars: it takes as many characters as
// it has, so the leftmost place where it fits is as good as any later one, and
// nothing is ever tried twice.
type piece struct {
	literal string
	// nil: literal is compared. Without stars gobwas/glob goes over its value
	// once and keeps no state.
	glob *glob.Pattern
	// of glob: the characters that it takes, and what it costs to ask: one for
	// each "?", class and literal, and one more if there are several
	runes, steps int
}

func anySegment() segment { return segment{text: "*", glob: glob.MustCompile("*")} }

// fixed says that the segment matches one name only.
func (s segment) fixed() bool { return !s.globstar && s.glob == nil && s.pieces == nil }

func (s segment) any() bool { return s.text == "*" }

func (s segment) match(v string) bool {
	switch {
	case s.glob != nil:
		return s.glob.Match(v)
	case s.pieces != nil:
		return matchPieces(s.pieces, v)
	}
	return s.literal == v
}

// matchPieces matches the first piece at the start, the last at the end, and
// each between them at the first place behind the one before.
func matchPieces(pieces []piece, v string) bool {
	n := pieces[0].front(v)
	last := len(pieces) - 1
	if last == 0 || n < 0 {
		return n == len(v)
	}
	v = v[n:]
	if n = pieces[last].back(v); n < 0 {
		return false
	}
	v = v[:len(v)-n]
	for _, p := range pieces[1:last] {
		end := p.find(v)
		if end < 0 {
			return false
		}
		v = v[end:]
	}
	return true
}

// front says how many bytes the piece takes at the start of v; -1 if it does
// not fit.
func (p piece) front(v string) int {
	if p.glob == nil {
		if strings.HasPrefix(v, p.literal) {
			return len(p.literal)
		}
		return -1
	}
	n := p.span(v)
	if n < 0 || !p.glob.Match(v[:n]) {
		return -1
	}
	return n
}

// back says how many bytes the piece takes at the end of v; -1 if it does not
// fit.
func (p piece) back(v string) int {
	if p.glob == nil {
		if strings.HasSuffix(v, p.literal) {
			return len(p.literal)
		}
		return -1
	}
	n := len(v)
	if n < p.runes {
		return -1
	}
	for range p.runes {
		_, size := utf8.DecodeLastRuneInString(v[:n])
		n -= size
	}
	if !p.glob.Match(v[n:]) {
		return -1
	}
	return len(v) - n
}

// find says where the first place in v ends that the piece fits; -1 if none
// does.
func (p piece) find(v string) int {
	if p.glob == nil {
		if at := strings.Index(v, p.literal); at >= 0 {
			return at + len(p.literal)
		}
		return -1
	}
	at, end := 0, p.span(v)
	for end >= 0 {
		if p.glob.Match(v[at:end]) {
			return end
		}
		if end == len(v) {
			break
		}
		at += width(v[at:])
		end += width(v[end:])
	}
	return -1
}

// span is that of as many characters as glob takes; -1 if v is too short.
func (p piece) span(v string) int {
	if len(v) < p.runes {
		return -1
	}
	n := 0
	for range p.runes {
		n += width(v[n:])
	}
	return n
}

// width is that of the first character: 0 if there is none, and 1 for a byte
// that is no UTF-8.
func width(v string) int {
	_, size := utf8.DecodeRuneInString(v)
	return size
}

// compileOne compiles a segment without "**".
func compileOne(seg tokens) (segment, *Error) {
	seg = seg.collapseStars()
	s := segment{text: seg.gobwas()}
	if seg.literal() {
		s.literal = s.text
		if strings.Contains(s.text, `\`) {
			s.literal = seg.String()
		}
		return s, nil
	}
	s.head, s.tail = seg.head(), seg.tail()
	s.slow = slices.ContainsFunc(seg, func(t token) bool { return t.kind != tokRune && t.kind != tokStar })
	if seg.simple() {
		g, err := glob.Compile(s.text)
		if err != nil {
			return s, bad("cannot be compiled: "+err.Error(), "")
		}
		s.glob = g
		return s, nil
	}
	from := 0
	for i := 0; i <= len(seg); i++ {
		if i < len(seg) && seg[i].kind != tokStar {
			continue
		}
		p, err := compilePiece(seg[from:i])
		if err != nil {
			return s, err
		}
		s.pieces = append(s.pieces, p)
		from = i + 1
	}
	if len(s.pieces)-1 > maxStarsInSegment {
		return s, bad(fmt.Sprintf("has more than %d * in one segment", maxStarsInSegment), "write a simpler pattern")
	}
	return s, nil
}

// simple says that there is at most one star, and only literals behind it.
func (ts tokens) simple() bool {
	star := slices.IndexFunc(ts, token.star)
	return star < 0 || ts[star+1:].literal()
}

func compilePiece(ts tokens) (piece, *Error) {
	if ts.literal() {
		return piece{literal: ts.String()}, nil
	}
	g, err := glob.Compile(ts.gobwas())
	if err != nil {
		return piece{}, bad("cannot be compiled: "+err.Error(), "")
	}
	p := piece{glob: g, runes: len(ts)}
	for i, t := range ts {
		if i == 0 || t.kind != tokRune || ts[i-1].kind != tokRune {
			p.steps++
		}
	}
	if p.steps > 1 {
		p.steps++
	}
	return p, nil
}
