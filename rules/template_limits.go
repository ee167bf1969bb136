package rules

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"text/template"
)

// The limits of templates, in bytes: no rule and no push can make one that
// works for long or fills the memory.
const (
	maxTemplate = 16 << 10 // as written
	maxRendered = 64 << 10 // one value
	maxPart     = 1 << 20  // what a function gives
	maxTurns    = 32 << 20 // of all ranges, each turn as long as the template
)

var errTooLong = fmt.Errorf("renders to more than %d bytes", maxRendered)

// aTurn is what a range is made to write at the beginning of each turn, see
// prepare: no bytes, but these.
var aTurn = make([]byte, 0, 1)

// A limitedBuilder takes what a template renders, and counts the turns.
type limitedBuilder struct {
	strings.Builder
	turn, turns int
}

func (b *limitedBuilder) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxRendered {
		return 0, errTooLong
	}
	if len(p) == 0 && cap(p) > 0 && &p[:1][0] == &aTurn[:1][0] {
		if b.turns += b.turn; b.turns > maxTurns {
			return 0, errors.New("a range takes too many turns")
		}
	}
	return b.Builder.Write(p)
}

// templateFuncs are the functions of the language, and those of text/template
// that make text of text, none of which gives more than maxPart.
func templateFuncs() template.FuncMap {
	return template.FuncMap{
		"lower":      one(strings.ToLower),
		"upper":      one(strings.ToUpper),
		"replace":    replace,
		"trimPrefix": func(prefix, s string) string { return strings.TrimPrefix(s, prefix) },
		"trimSuffix": func(suffix, s string) string { return strings.TrimSuffix(s, suffix) },
		"join":       join,
		"default": func(other, s string) string {
			if s == "" {
				return other
			}
			return s
		},
		"slug":     one(slug),
		"dirs":     dirs,
		nameFunc:   one(encodeItemName),
		"print":    all(fmt.Sprint),
		"println":  all(fmt.Sprintln),
		"printf":   printf,
		"html":     all(template.HTMLEscaper),
		"js":       all(template.JSEscaper),
		"urlquery": all(template.URLQueryEscaper),
	}
}

func limited(n int) error {
	if n > maxPart {
		return fmt.Errorf("gives more than %d bytes", maxPart)
	}
	return nil
}

func one(f func(string) string) func(string) (string, error) {
	return func(s string) (string, error) {
		if err := limited(len(s)); err != nil {
			return "", err
		}
		return f(s), nil
	}
}

func all(f func(...any) string) func(...any) (string, error) {
	return func(args ...any) (string, error) {
		if err := limited(length(args)); err != nil {
			return "", err
		}
		return f(args...), nil
	}
}

// length is about that of the text that values make.
func length(args []any) int {
	n := 0
	for _, a := range args {
		switch a := a.(type) {
		case string:
			n += len(a)
		case []string:
			for _, s := range a {
				n += len(s) + 1
			}
		default:
			n += 32
		}
	}
	return n
}

func replace(old, new, s string) (string, error) {
	if err := limited(len(s) + strings.Count(s, old)*(len(new)-len(old))); err != nil {
		return "", err
	}
	return strings.ReplaceAll(s, old, new), nil
}

func join(sep string, list []string) (string, error) {
	if err := limited(length([]any{list}) + len(sep)*len(list)); err != nil {
		return "", err
	}
	return strings.Join(list, sep), nil
}

var formatNumber = regexp.MustCompile(`[0-9]+|\*`)

// printf takes no width from a value, and as many verbs as leave room for the
// longest value and the widest width at each.
func printf(format string, args ...any) (string, error) {
	widest := 0
	for _, number := range formatNumber.FindAllString(format, -1) {
		width, err := strconv.Atoi(number)
		if err != nil {
			width = maxPart
		}
		widest = max(widest, width)
	}
	verbs := strings.Count(format, "%")
	if err := limited(len(format) + verbs*widest + verbs*length(args)); err != nil {
		return "", err
	}
	return fmt.Sprintf(format, args...), nil
}
