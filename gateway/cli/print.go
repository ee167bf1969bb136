package cli

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

func (p *program) printJSON(v any) error {
	// A ref is bytes to Git: what is no UTF-8 is shown as the replacement character.
	text, err := json.Marshal(v, json.Deterministic(true), jsontext.WithIndent("  "), jsontext.AllowInvalidUTF8(true))
	if err != nil {
		return fmt.Errorf("print JSON: %w", err)
	}
	var out strings.Builder
	for _, r := range string(text) {
		// Outside strings JSON is printable ASCII and newlines, so this escapes
		// in strings only, and only what plain quotes.
		if r == '\n' || unicode.IsPrint(r) {
			out.WriteRune(r)
			continue
		}
		for _, u := range utf16.Encode([]rune{r}) {
			fmt.Fprintf(&out, `\u%04x`, u)
		}
	}
	fmt.Fprintln(p.out, out.String())
	return nil
}

// plain makes text from a push fit for a terminal: what could steer it, or turn
// its lines around, is quoted.
func plain(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }) {
		return strconv.QuoteToASCII(s)
	}
	return s
}

func short(commit string) string { return commit[:min(len(commit), 12)] }

func orNone(s string) string {
	if s == "" {
		return "?"
	}
	return plain(s)
}
