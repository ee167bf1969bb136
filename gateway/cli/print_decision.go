package cli

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/pushgate/pushgate/rules"
)

// printExplanation prints a decision: what starts, and one line a rule.
func (p *program) printExplanation(e *rules.Explanation) {
	p.printPush(e)
	w := tabwriter.NewWriter(p.out, 0, 4, 2, ' ', 0)
	for _, v := range e.Rules {
		c := deciding(&v)
		fmt.Fprintf(w, "%s %s\t%s\t%s\n", mark(v.Matched), v.Name, sentence(once(c, e)), checkPlace(c, &v))
	}
	w.Flush()
	fmt.Fprintln(p.out)
}

// printDepth prints a decision with all that each rule asked.
func (p *program) printDepth(e *rules.Explanation) {
	p.printPush(e)
	w := tabwriter.NewWriter(p.out, 0, 4, 2, ' ', 0)
	for _, v := range e.Rules {
		said := "does not match"
		if v.Matched {
			said = "matches"
		}
		fmt.Fprintf(w, "%s %s\t%s\t%s\n", mark(v.Matched), v.Name, said, v.At)
		for _, c := range v.Checks {
			fmt.Fprintf(w, "  %s\t%s\t%s\n", mark(c.OK), sentence(once(&c, e)), checkPlace(&c, nil))
		}
	}
	w.Flush()
	fmt.Fprintln(p.out)
}

// printPush prints what was pushed and what that starts.
func (p *program) printPush(e *rules.Explanation) {
	fmt.Fprintf(p.out, "%s %s of %s: %s", e.Kind, plain(e.Ref), plain(e.Repo), e.Event)
	if e.Commit != "" {
		fmt.Fprintf(p.out, ", %s → %s", orNone(short(e.Before)), plain(short(e.Commit)))
	}
	fmt.Fprintf(p.out, "\nfiles: %s", e.Files.Completeness)
	if n := len(e.Files.Paths); n > 0 {
		fmt.Fprintf(p.out, ", %d known", n)
	}
	if e.Files.Note != "" {
		fmt.Fprintf(p.out, " (%s)", plain(e.Files.Note))
	}
	fmt.Fprintln(p.out)
	if len(e.Builds) == 0 {
		fmt.Fprint(p.out, "starts nothing")
		if e.Skipped != "" {
			fmt.Fprintf(p.out, ": %s", plain(e.Skipped))
		}
		fmt.Fprintln(p.out)
	}
	for i := range e.Builds {
		fmt.Fprintf(p.out, "starts %s\n", buildLine(&e.Builds[i]))
	}
}

func mark(ok bool) string {
	if ok {
		return "✓"
	}
	return "✗"
}

// deciding is the check a person asks about: the one that failed, or the last.
func deciding(v *rules.Verdict) *rules.Check {
	if len(v.Checks) == 0 {
		return &rules.Check{OK: true, Note: "the rule has no condition"}
	}
	return &v.Checks[len(v.Checks)-1]
}

// once leaves out why the list of files is not known: that stands above the rules.
func once(c *rules.Check, e *rules.Explanation) *rules.Check {
	said := *c
	if e.Files.Note != "" {
		said.Note = strings.Replace(c.Note, " ("+e.Files.Note+")", "", 1)
	}
	return &said
}

// sentence says what a check found.
func sentence(c *rules.Check) string {
	var said []string
	switch value := plain(c.Value); {
	case c.Pattern == "":
		if c.Value != "" {
			said = append(said, value)
		}
	case c.Field == "skip_markers":
		said = append(said, "holds "+plain(c.Pattern))
	case c.OK:
		said = append(said, value+" matches "+plain(c.Pattern))
	default:
		said = append(said, value+" is taken away by "+plain(c.Pattern))
	}
	if c.Note != "" {
		said = append(said, plain(c.Note))
	}
	text := strings.Join(said, ", ")
	if c.Field == "" {
		return text
	}
	return c.Field + ": " + text
}

// checkPlace is where the check stands in the rule file, or its rule.
func checkPlace(c *rules.Check, v *rules.Verdict) string {
	switch {
	case c.At.Line > 0:
		return c.At.String()
	case v != nil:
		return v.At.String()
	}
	return ""
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
