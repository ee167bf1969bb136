package rules

import (
	"fmt"

	"gopkg.in/yaml.v3"
)

// expectations reads what a test expects; a single entry is a list of one.
func (l *loader) expectations(test, n *yaml.Node, of string) []Expectation {
	const hint = "write expect: [] where the push starts nothing, or expect: [{rule: …}]"
	switch {
	case n == nil:
		l.fail(test, hint, "%s has no expect", of)
		return nil
	case n.Kind == yaml.ScalarNode:
		l.fail(n, hint, "expect of %s must be a list, not %s", of, kindName(n))
		return nil
	case n.Kind == yaml.SequenceNode && len(n.Content) == 0:
		return nil
	}
	var out []Expectation
	for _, item := range l.items(n, "expect of "+of) {
		out = append(out, l.expectation(item, "expect of "+of))
	}
	return out
}

func (l *loader) expectation(n *yaml.Node, what string) Expectation {
	f := l.fields(n, what, fieldsOf[expectFormat]()...)
	if f == nil {
		return Expectation{}
	}
	if len(n.Content) == 0 {
		l.fail(n, "name the build's rule, or its server and its job or plan", "%s has an empty entry, which any build would meet", what)
	}
	e := Expectation{At: l.pos(n)}
	for _, p := range []struct {
		field string
		to    *string
	}{{"rule", &e.Rule}, {"server", &e.Server}, {"job", &e.Job}, {"plan", &e.Plan}, {"branch", &e.Branch}} {
		if at := f[p.field]; p.to == &e.Branch && at != nil && at.Kind == yaml.ScalarNode && at.Value == "" {
			l.fail(at, "write none for the plan itself, or leave it out", "branch of %s is empty", what)
			continue
		}
		*p.to, _ = l.text(f[p.field], p.field+" of "+what)
	}
	e.Parameters = l.expectedValues(f["parameters"], "parameters of "+what)
	e.Variables = l.expectedValues(f["variables"], "variables of "+what)
	if _, known := l.set.index.byName[e.Rule]; e.Rule != "" && !known {
		l.fail(f["rule"], l.set.RuleHint(e.Rule), "%s: there is no rule %q", what, e.Rule)
	}
	l.expectedKind(n, f, e.Server, what)
	return e
}

// expectedValues reads values as they are; nil where none are given.
func (l *loader) expectedValues(n *yaml.Node, what string) map[string]string {
	if n == nil {
		return nil
	}
	out := map[string]string{}
	l.eachValue(n, what, func(name, text string, _ *yaml.Node) { out[name] = text })
	return out
}

// expectedKind refuses what no build can meet: a server that is not there, and
// fields of another kind of server.
func (l *loader) expectedKind(n *yaml.Node, f map[string]*yaml.Node, server, what string) {
	kind := ""
	var names []string
	for _, s := range l.set.servers {
		names = append(names, s.Name)
		if s.Name == server {
			kind = s.Kind
		}
	}
	if server != "" && kind == "" {
		l.fail(f["server"], suggest(server, names), "%s: there is no server %q", what, server)
		return
	}
	given := map[string]string{} // kind to a field of it
	for _, field := range fieldsOf[expectFormat]() {
		belongs := fieldOf(field)
		if f[field] == nil || belongs == "" {
			continue
		}
		if kind != "" && belongs != kind {
			l.fail(f[field], fmt.Sprintf("%q is for %s", field, belongs), "%s has the field %q, but its server is %s", what, field, kind)
		}
		given[belongs] = field
	}
	if kind == "" && len(given) > 1 {
		l.fail(n, "a build has a job and parameters, or a plan, a branch and variables", "%s has both %q and %q", what, given[Jenkins], given[Bamboo])
	}
}
