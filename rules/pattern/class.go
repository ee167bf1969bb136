package pattern

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// posixClass lists the characters of a POSIX class; they are ASCII.
func posixClass(name string) (func(byte) bool, bool) {
	lower := func(c byte) bool { return 'a' <= c && c <= 'z' }
	upper := func(c byte) bool { return 'A' <= c && c <= 'Z' }
	digit := func(c byte) bool { return '0' <= c && c <= '9' }
	alnum := func(c byte) bool { return lower(c) || upper(c) || digit(c) }
	graph := func(c byte) bool { return '!' <= c && c <= '~' }
	f, ok := map[string]func(byte) bool{
		"lower": lower, "upper": upper, "digit": digit, "alnum": alnum, "graph": graph,
		"alpha":  func(c byte) bool { return lower(c) || upper(c) },
		"blank":  func(c byte) bool { return c == ' ' || c == '\t' },
		"space":  func(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' },
		"cntrl":  func(c byte) bool { return c < ' ' || c == 0x7f },
		"print":  func(c byte) bool { return graph(c) || c == ' ' },
		"punct":  func(c byte) bool { return graph(c) && !alnum(c) },
		"xdigit": func(c byte) bool { return digit(c) || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F' },
	}[name]
	return f, ok
}

// parseClass reads the class at the start of src and says how many bytes it
// took.
func parseClass(src string) (token, int, error) {
	t := token{kind: tokClass, group: &group{}}
	pos := 1
	if pos < len(src) && (src[pos] == '!' || src[pos] == '^') {
		t.negate = true
		pos++
	}
	unclosed := bad("has an unclosed [", `close the class with ], or write \[ for a literal bracket`)
	for first := true; ; first = false {
		if pos >= len(src) {
			if first || src[1] == ']' {
				return t, 0, bad("holds an empty class", `name its characters: [abc]; \[\] for literal brackets`)
			}
			return t, 0, unclosed
		}
		if src[pos] == ']' && !first {
			pos++
			break
		}
		if name, ok := strings.CutPrefix(src[pos:], "[:"); ok {
			end := strings.Index(name, ":]")
			if end < 0 {
				return t, 0, unclosed
			}
			in, ok := posixClass(name[:end])
			if !ok {
				return t, 0, bad(fmt.Sprintf("names the unknown class [:%s:]", name[:end]), "known: alpha, digit, alnum, upper, lower, space, blank, punct, print, graph, cntrl, xdigit")
			}
			for c := range byte(utf8.RuneSelf) {
				if in(c) {
					t.class = append(t.class, rune(c))
				}
			}
			pos += len("[:") + end + len(":]")
			continue
		}
		lo, n, err := classRune(src[pos:])
		if err != nil {
			return t, 0, err
		}
		pos += n
		hi := lo
		if len(src) > pos+1 && src[pos] == '-' && src[pos+1] != ']' {
			if hi, n, err = classRune(src[pos+1:]); err != nil {
				return t, 0, err
			}
			pos += 1 + n
		}
		switch {
		case hi < lo:
			return t, 0, bad(fmt.Sprintf("holds the reversed range %c-%c", lo, hi), fmt.Sprintf("write %c-%c", hi, lo))
		case int(hi-lo)+len(t.class) >= maxClassRunes:
			return t, 0, bad(fmt.Sprintf("has a class of more than %d characters", maxClassRunes), "use ? or a negated class")
		}
		for r := lo; r <= hi; r++ {
			t.class = append(t.class, r)
		}
	}
	slices.Sort(t.class)
	t.class = slices.DeleteFunc(slices.Compact(t.class), func(r rune) bool { return r == '/' })
	return t, pos, nil
}

// classRune reads one character of a class, which "\" may escape.
func classRune(src string) (rune, int, error) {
	r, n := utf8.DecodeRuneInString(src)
	if r == '\\' && len(src) > 1 {
		var m int
		r, m = utf8.DecodeRuneInString(src[1:])
		n += m
	}
	if r == '/' {
		return 0, 0, bad("has a / in a class", "a class matches one character of a name, never /")
	}
	return r, n, nil
}

func (t token) writeClass(b *strings.Builder) {
	set := t.class
	if t.negate {
		set = append([]rune{'/'}, set...)
	}
	if len(set) == 1 && !t.negate {
		writeEscaped(b, set[0])
		return
	}
	b.WriteByte('[')
	if t.negate {
		b.WriteByte('!')
	}
	if slices.Contains(set, '-') {
		b.WriteByte('-')
	}
	for _, r := range set {
		if r == '-' {
			continue
		}
		if strings.ContainsRune(`![]\`, r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	b.WriteByte(']')
}
