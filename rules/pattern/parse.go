package pattern

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// An Error says what is wrong with a pattern, as the end of a sentence about
// it, and what to write instead.
type Error struct{ Text, Hint string }

func (e *Error) Error() string { return e.Text }

func bad(text, hint string) *Error { return &Error{text, hint} }

type tokenKind uint8

const (
	tokRune tokenKind = iota
	tokSlash
	tokAny      // ?
	tokStar     // *
	tokGlobstar // **
	tokClass    // [...]
	tokBrace    // {…,…}, gone after expand
)

type token struct {
	kind   tokenKind
	negate bool
	r      rune
	class  []rune // sorted, without "/"
	alts   []tokens
}

// tokens are a parsed pattern or a part of one.
type tokens []token

// parser reads the grammar of rules.md's table of patterns; its errors
// are meant for the author of a rule.
type parser struct {
	src   string
	pos   int
	depth int
}

func parse(src string) (tokens, error) {
	switch {
	case src == "":
		return nil, bad("is empty", `write "**" for everything`)
	case len(src) > maxBytes:
		return nil, bad(fmt.Sprintf("is longer than %d bytes", maxBytes), "write several shorter patterns")
	case !utf8.ValidString(src):
		return nil, bad("is not valid UTF-8", "save the file as UTF-8")
	}
	p := &parser{src: src}
	seq, err := p.sequence()
	if err != nil {
		return nil, err
	}
	if p.pos < len(p.src) {
		return nil, bad(fmt.Sprintf("has a stray } at character %d", p.pos+1), `write \} for a literal brace`)
	}
	return seq, nil
}

// sequence reads up to the end of the pattern, or to the "," or "}" that ends
// an alternative.
func (p *parser) sequence() (tokens, error) {
	seq := make(tokens, 0, len(p.src)-p.pos)
	for p.pos < len(p.src) {
		rest := p.src[p.pos:]
		r, size := utf8.DecodeRuneInString(rest)
		switch {
		case r == '}', r == ',' && p.depth > 0:
			return seq, nil
		case r == '/':
			seq = append(seq, token{kind: tokSlash})
		case r == '?':
			seq = append(seq, token{kind: tokAny})
		case strings.HasPrefix(rest, "***"):
			return nil, bad("holds ***", "write ** for any directories, * for a part of a name")
		case strings.HasPrefix(rest, "**"):
			seq = append(seq, token{kind: tokGlobstar})
			size = 2
		case r == '*':
			seq = append(seq, token{kind: tokStar})
		case r == '\\':
			if len(rest) == 1 {
				return nil, bad(`ends with a \`, `write \\ for a literal backslash`)
			}
			c, n := utf8.DecodeRuneInString(rest[1:])
			if c == '/' {
				seq = append(seq, token{kind: tokSlash})
			} else {
				seq = append(seq, token{kind: tokRune, r: c})
			}
			size += n
		case r == '[':
			t, n, err := parseClass(rest)
			if err != nil {
				return nil, err
			}
			seq = append(seq, t)
			size = n
		case r == '{':
			t, err := p.brace()
			if err != nil {
				return nil, err
			}
			seq = append(seq, t)
			continue
		default:
			seq = append(seq, token{kind: tokRune, r: r})
		}
		p.pos += size
	}
	return seq, nil
}

var rangeBrace = regexp.MustCompile(`^\{\w+\.\.\w+\}`)

func (p *parser) brace() (token, error) {
	rest := p.src[p.pos:]
	switch {
	case strings.HasPrefix(rest, "{}"):
		return token{}, bad("holds {}", `name the alternatives: {a,b}; \{\} for literal braces`)
	case rangeBrace.MatchString(rest):
		return token{}, bad("holds a range in braces", "name the alternatives: {1,2,3}, or use a class: [1-3]")
	case p.depth == maxBraceDepth:
		return token{}, bad(fmt.Sprintf("nests braces deeper than %d", maxBraceDepth), "write several patterns instead")
	}
	p.depth++
	defer func() { p.depth-- }()
	t := token{kind: tokBrace}
	for {
		p.pos++ // the "{" or ","
		seq, err := p.sequence()
		if err != nil {
			return token{}, err
		}
		t.alts = append(t.alts, seq)
		if p.pos == len(p.src) {
			return token{}, bad("has an unclosed {", `close it with }, or write \{ for a literal brace`)
		}
		if p.src[p.pos] == '}' {
			p.pos++
			return t, nil
		}
	}
}

// expand gives every brace-free form of seq, in the order they are written.
func expand(seq tokens) ([]tokens, error) {
	if !slices.ContainsFunc(seq, func(t token) bool { return t.kind == tokBrace }) {
		return []tokens{seq}, nil
	}
	forms := []tokens{{}}
	for len(seq) > 0 {
		n := slices.IndexFunc(seq, func(t token) bool { return t.kind == tokBrace })
		if n < 0 {
			n = len(seq)
		}
		ways := []tokens{seq[:n]}
		if n == 0 {
			n, ways = 1, nil
			for _, alt := range seq[0].alts {
				sub, err := expand(alt)
				if err != nil {
					return nil, err
				}
				ways = append(ways, sub...)
			}
		}
		seq = seq[n:]
		if len(forms)*len(ways) > maxAlternatives {
			return nil, tooMany()
		}
		next := make([]tokens, 0, len(forms)*len(ways))
		for _, f := range forms {
			for _, way := range ways {
				next = append(next, slices.Concat(f, way))
			}
		}
		forms = next
	}
	return forms, nil
}

// split cuts at slashes, after runs of stars that expansion brought together
// became "**".
func (ts tokens) split() []tokens {
	segs := []tokens{{}}
	for _, t := range ts {
		last := len(segs) - 1
		if t.kind == tokSlash {
			segs = append(segs, tokens{})
			continue
		}
		if n := len(segs[last]); n > 0 && t.star() && segs[last][n-1].star() {
			segs[last][n-1].kind = tokGlobstar
			continue
		}
		segs[last] = append(segs[last], t)
	}
	return segs
}

func (t token) star() bool { return t.kind == tokStar || t.kind == tokGlobstar }

// collapseStars makes neighbouring "*" one, as they match the same.
func (ts tokens) collapseStars() tokens {
	return slices.CompactFunc(slices.Clone(ts), func(a, b token) bool {
		return a.kind == tokStar && b.kind == tokStar
	})
}

func (ts tokens) literal() bool {
	return !slices.ContainsFunc(ts, func(t token) bool { return t.kind != tokRune && t.kind != tokSlash })
}

// String writes tokens as a person would read them.
func (ts tokens) String() string {
	var b strings.Builder
	for _, t := range ts {
		switch t.kind {
		case tokRune:
			b.WriteRune(t.r)
		case tokSlash:
			b.WriteByte('/')
		case tokAny:
			b.WriteByte('?')
		case tokStar:
			b.WriteByte('*')
		case tokGlobstar:
			b.WriteString("**")
		case tokClass:
			b.WriteString("[…]")
		case tokBrace:
			b.WriteString("{…}")
		}
	}
	return b.String()
}

// head and tail are the runs of plain characters at both ends.
func (ts tokens) head() string {
	n := slices.IndexFunc(ts, func(t token) bool { return t.kind != tokRune })
	return ts[:max(n, 0)].String()
}

func (ts tokens) tail() string {
	n := len(ts)
	for n > 0 && ts[n-1].kind == tokRune {
		n--
	}
	return ts[n:].String()
}

// gobwas writes one segment in the dialect of gobwas/glob, which reads classes
// otherwise than it says: a class is given as its characters, "-" first.
func (ts tokens) gobwas() string {
	var b strings.Builder
	for _, t := range ts {
		switch t.kind {
		case tokAny:
			b.WriteByte('?')
		case tokStar:
			b.WriteByte('*')
		case tokClass:
			t.writeClass(&b)
		default:
			writeEscaped(&b, t.r)
		}
	}
	return b.String()
}

func writeEscaped(b *strings.Builder, r rune) {
	if strings.ContainsRune(`*?[]{}\!,-^`, r) {
		b.WriteByte('\\')
	}
	b.WriteRune(r)
}
