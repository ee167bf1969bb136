package cli

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode"
	"unicode/utf16"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/pushgate/pushgate/rules"
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

func (p *program) printExplanation(e *rules.Explanation) {
	fmt.Fprintf(p.out, "%s %s of %s: %s", e.Kind, plain(e.Ref), plain(e.Repo), e.Event)
	if e.Commit != "" {
		fmt.Fprintf(p.out, ", %s → %s", orNone(short(e.Before)), plain(short(e.Commit)))
	}
	fmt.Fprintf(p.out, "\nfiles: %s", e.Files.Completeness)
	if n := len(e.Files.Paths); n > 0 {
		fmt.Fprintf(p.out, ", %d known", n)
	}
	fmt.Fprintln(p.out)
	if len(e.Builds) == 0 {
		fmt.Fprintln(p.out, "starts nothing")
	}
	for i := range e.Builds {
		fmt.Fprintf(p.out, "starts %s\n", buildLine(&e.Builds[i]))
	}
	w := tabwriter.NewWriter(p.out, 0, 4, 2, ' ', 0)
	for _, v := range e.Rules {
		verdict := "no match"
		if v.Matched {
			verdict = "matched"
		}
		fmt.Fprintf(w, "  %s\t%s\t\t\t%s\n", v.Name, verdict, v.At)
		for _, c := range v.Checks {
			mark := "✓"
			if !c.OK {
				mark = "✗"
			}
			said := c.Note
			if c.Pattern != "" {
				said = strings.TrimSuffix(plain(c.Pattern)+"; "+said, "; ")
			}
			at := ""
			if c.At.Line > 0 {
				at = c.At.String()
			}
			fmt.Fprintf(w, "    %s %s\t%s\t%s\t\t%s\n", mark, c.Field, plain(c.Value), said, at)
		}
	}
	w.Flush()
	fmt.Fprintln(p.out)
}

func buildLine(b *rules.Build) string {
	if b.Error != "" {
		return fmt.Sprintf("nothing on %s for rule %s: %s", b.Server, strings.Join(b.Rules, ", "), plain(b.Error))
	}
	s := fmt.Sprintf("%s on %s", plain(b.Target()), b.Server)
	if b.Branch != "" {
		s += " for plan branch " + plain(b.Branch)
	}
	for _, name := range slices.Sorted(maps.Keys(b.Values())) {
		s += fmt.Sprintf(" %s=%s", name, plain(b.Values()[name]))
	}
	return s + fmt.Sprintf(" (rule %s)", strings.Join(b.Rules, ", "))
}

func short(commit string) string { return commit[:min(len(commit), 12)] }

func orNone(s string) string {
	if s == "" {
		return "?"
	}
	return plain(s)
}
