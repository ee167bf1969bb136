package cli

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/pushgate/pushgate/rules"
)

// A table is text in aligned columns, without blanks at the ends of lines.
type table struct{ rows []string }

func (t *table) row(cells ...string) { t.rows = append(t.rows, strings.Join(cells, "\t")) }

func (t *table) String() string {
	var aligned, out strings.Builder
	w := tabwriter.NewWriter(&aligned, 0, 4, 2, ' ', 0)
	for _, row := range t.rows {
		fmt.Fprintln(w, row)
	}
	w.Flush()
	for line := range strings.Lines(aligned.String()) {
		out.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	return out.String()
}

// maxReasons is how many rules a failed test tells of.
const maxReasons = 20

// difference says how the builds of a test that failed differ from those it
// expects, and why the rules in question matched or did not. It is fit for a
// terminal.
func difference(r *rules.Result) string {
	e, evidence := r.Decision.Explain(), r.Evidence()
	push := fmt.Sprintf("%s %s of %s: %s, %s\n", e.Kind, plain(e.Ref), plain(e.Repo), e.Event, count(len(e.Files.Paths), "file"))
	switch {
	case e.Skipped != "":
		push += "starts nothing: " + plain(e.Skipped) + "\n"
	case len(evidence) == 0:
		push += "no rule for this repository starts builds there\n"
	}
	var reasons table
	for i := range evidence[:min(len(evidence), maxReasons)] {
		v := &evidence[i]
		c := deciding(v)
		reasons.row(mark(v.Matched)+" "+v.Name, sentence(c), checkPlace(c, v))
	}
	if n := len(evidence) - maxReasons; n > 0 {
		reasons.row(fmt.Sprintf("… and %s more", count(n, "rule")))
	}
	return push + builds(r).String() + reasons.String()
}

// builds lists what was expected and not built, and what was built and not
// expected; values where they are compared.
func builds(r *rules.Result) *table {
	var t table
	compared := false
	for _, e := range r.Missing {
		values := e.Parameters
		if e.Variables != nil {
			values = e.Variables
		}
		compared = compared || values != nil
		t.row("- "+orAny(e.Rule), orAny(e.Server), orAny(plain(e.Job+e.Plan)), detail(e.Branch, values))
	}
	for _, b := range r.Unexpected {
		target, branch, values := plain(b.Target()), b.Branch, b.Values()
		if b.Plan != "" && branch == "" {
			branch = "none"
		}
		if !compared || len(values) == 0 {
			values = nil
		}
		if b.Error != "" {
			target, branch, values = "cannot be started: "+plain(b.Error), "", nil
		}
		t.row("+ "+strings.Join(b.Rules, ", "), b.Server, target, detail(branch, values))
	}
	return &t
}

// orAny stands for what an expectation leaves open.
func orAny(s string) string {
	if s == "" {
		return "*"
	}
	return s
}

func detail(branch string, values map[string]string) string {
	var words []string
	if branch != "" {
		words = append(words, "branch="+plain(branch))
	}
	if values != nil && len(values) == 0 {
		words = append(words, "no values")
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		words = append(words, plain(name)+"="+plain(values[name]))
	}
	return strings.Join(words, " ")
}
