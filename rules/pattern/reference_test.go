package pattern

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// This file is a second reading of rules.md's table of patterns, for
// comparison: braces are expanded over text, and what is left becomes one
// regular expression over the whole value. It shares no code with the package
// and knows no limits; it expects a source that compiles.

// A form is one brace-free reading of a source: characters, escapes and
// classes, one an element, as they are written, and a "{" and a "}" where an
// alternative begins and ends.
type form []string

func edge(e string) bool { return e == "{" || e == "}" }

// String writes the form as a source without braces. Stars that met are "**".
func (f form) String() string {
	plain := strings.Join(slices.DeleteFunc(slices.Clone(f), edge), "")
	return threeStars.ReplaceAllString(plain, "**")
}

var threeStars = regexp.MustCompile(`\*{3,}`)

// forms expands braces as a shell does, by writing every alternative out.
func forms(src string) []form {
	out, rest := alternatives(elements(src), false)
	if len(rest) > 0 {
		panic("stray " + rest[0] + " in " + src)
	}
	return out
}

func elements(src string) form {
	var out form
	for src != "" {
		_, n := utf8.DecodeRuneInString(src)
		switch src[0] {
		case '\\':
			_, m := utf8.DecodeRuneInString(src[1:])
			n += m
		case '[':
			n = len(classSource.FindString(src))
		}
		out = append(out, src[:n])
		src = src[n:]
	}
	return out
}

var classSource = regexp.MustCompile(`^\[[!^]?\]?(?:\[:[a-z]+:\]|\\.|[^\]\\])*\]`)

// alternatives reads to the end or, within a brace, to the "," or "}" that
// ends one, and gives its forms.
func alternatives(in form, brace bool) (out []form, rest form) {
	out = []form{{}}
	for len(in) > 0 && (!brace || in[0] != ",") && in[0] != "}" {
		ways := []form{{in[0]}}
		if in[0] == "{" {
			ways = nil
			for in[0] != "}" {
				var some []form
				some, in = alternatives(in[1:], true)
				for _, w := range some {
					ways = append(ways, slices.Concat(form{"{"}, w, form{"}"}))
				}
			}
		}
		in = in[1:]
		var next []form
		for _, o := range out {
			for _, w := range ways {
				next = append(next, append(o[:len(o):len(o)], w...))
			}
		}
		out = next
	}
	return out, in
}

// A dialect says where a reading differs from rules.md; the zero value does
// not.
type dialect struct {
	self  bool // X/** matches X, too
	class bool // a class may match "/", where it holds it or is negated
	inner bool // ** inside a segment is a *
}

// slash stands for "/" in the value and in the expression, so that no class
// can hold it.
const slash = "\U0010ffff"

// A reading is a source's forms, and what they match in each dialect.
type reading struct {
	forms []form
	made  map[dialect]*regexp.Regexp
}

func read(src string) reading { return reading{forms(src), map[dialect]*regexp.Regexp{}} }

func (r reading) match(d dialect, v string) bool {
	re := r.made[d]
	if re == nil {
		texts := make([]string, len(r.forms))
		for i, f := range r.forms {
			texts[i] = d.expression(f)
		}
		re = regexp.MustCompile(`(?s)\A(?:` + strings.Join(texts, "|") + `)\z`)
		r.made[d] = re
	}
	if !d.class {
		v = strings.ReplaceAll(v, "/", slash)
	}
	return re.MatchString(v)
}

func (d dialect) expression(f form) string {
	sep := slash
	if d.class {
		sep = "/"
	}
	segs := []form{{}}
	for _, e := range f {
		last := &segs[len(segs)-1]
		switch n := len(*last); {
		case edge(e):
		case e == "/" || e == `\/`:
			segs = append(segs, form{})
		case e == "*" && n > 0 && strings.HasPrefix((*last)[n-1], "*"):
			(*last)[n-1] = "**"
		default:
			*last = append(*last, e)
		}
	}
	var b strings.Builder
	for i, seg := range segs {
		last := i == len(segs)-1
		whole := seg.String() == "**"
		switch {
		case whole && last && d.self && i > 0 && segs[i-1].String() != "**":
			return strings.TrimSuffix(b.String(), sep) + `(?:` + sep + `.*)?`
		case whole && last:
			b.WriteString(`.*`)
		case whole:
			b.WriteString(`(?:[^` + sep + `]*` + sep + `)*`)
		default:
			for _, e := range seg {
				b.WriteString(d.element(e, sep))
			}
			if !last {
				b.WriteString(sep)
			}
		}
	}
	return b.String()
}

func (d dialect) element(e, sep string) string {
	switch {
	case e == "**" && !d.inner:
		return `.*`
	case e == "**" || e == "*":
		return `[^` + sep + `]*`
	case e == "?":
		return `[^` + sep + `]`
	case e[0] == '[':
		return d.classExpression(e)
	}
	r, _ := utf8.DecodeRuneInString(strings.TrimPrefix(e, `\`))
	if e == `\\` {
		r = '\\'
	}
	return quoteRune(r)
}

// classExpression writes every character of a class as a number.
func (d dialect) classExpression(e string) string {
	var b strings.Builder
	b.WriteByte('[')
	in := e[1 : len(e)-1]
	if in[0] == '!' || in[0] == '^' {
		in = in[1:]
		b.WriteByte('^')
		if !d.class {
			b.WriteString(slash)
		}
	}
	next := func() string {
		in = strings.TrimPrefix(in, `\`)
		if in == "" { // it was a backslash that nothing follows
			return quoteRune('\\')
		}
		r, n := utf8.DecodeRuneInString(in)
		in = in[n:]
		return quoteRune(r)
	}
	for in != "" {
		if end := strings.Index(in, ":]"); strings.HasPrefix(in, "[:") && end > 0 {
			b.WriteString(in[:end+2])
			in = in[end+2:]
			continue
		}
		b.WriteString(next())
		if len(in) > 1 && in[0] == '-' {
			in = in[1:]
			b.WriteString("-" + next())
		}
	}
	return b.String() + "]"
}

func quoteRune(r rune) string { return fmt.Sprintf(`\x{%x}`, r) }
