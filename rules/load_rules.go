package rules

import (
	"fmt"
	"slices"

	"gopkg.in/yaml.v3"
)

// rules reads a list of rules over the defaults of its file.
func (l *loader) rules(n *yaml.Node, defaults *rule) {
	if n.Kind != yaml.SequenceNode {
		l.fail(n, "write a dash before each rule: - name: …", "rules must be a list, not %s", kindName(n))
		return
	}
	if len(n.Content) == 0 {
		l.fail(n, "add one: - name: …", "there are no rules")
	}
	if defaults == nil {
		defaults = l.baseRule()
	}
	known := fieldsOf[ruleFormat]()
	for _, item := range n.Content {
		item = resolve(item)
		name := scalarField(item, "name")
		if l.room.full {
			return
		}
		what := fmt.Sprintf("rule %q", short(name))
		if name == "" {
			what = "a rule without a name"
		}
		r := l.rule(item, what, known, defaults)
		if r == nil {
			continue
		}
		r.name, r.at = name, l.pos(item)
		switch first, again := l.firstByName[name]; {
		case name == "":
			l.fail(item, "write name: …; it is how decisions and pages speak of it", "a rule has no name")
		case again:
			l.fail(item, "names are unique", "the rule %q is given twice, first at %s", name, first)
		default:
			l.checkName(item, "rule", name)
			l.firstByName[name] = r.at
		}
		if !r.hasStart && fieldNode(item, "<<") == nil {
			l.fail(item, "write start: {server: …, job: …}", "%s starts nothing", what)
		}
		if each := fieldNode(item, "each"); each != nil {
			l.multiply(each, item, what, r)
		} else {
			l.add(r)
		}
	}
}

func (l *loader) add(r *rule) {
	if !l.spend(&l.room.size, r.size()) {
		return
	}
	r.n = int32(len(l.set.rules))
	l.set.rules = append(l.set.rules, r)
}

// multiply makes one rule for each entry of "each".
func (l *loader) multiply(each, item *yaml.Node, what string, r *rule) {
	if paths := fieldNode(item, "paths"); paths != nil {
		l.fail(paths, "put these paths into each entry of each, by a set", "%s has both paths and each", what)
	}
	if each.Kind == yaml.MappingNode && len(each.Content) == 0 {
		l.fail(each, "write each: {web: [\"services/web/**\"]}", "each of %s is empty", what)
	}
	l.named(each, "entry of each", "entries of each", func(key *yaml.Node, name string, val *yaml.Node) {
		if l.room.full {
			return
		}
		one := *r
		one.name, one.each, one.at = r.name+"/"+name, name, l.pos(key)
		one.paths = l.patterns(val, "paths", "each of "+what, dialect{rooted: true})
		l.add(&one)
	})
}

func fieldNode(n *yaml.Node, name string) *yaml.Node {
	if n.Kind == yaml.MappingNode {
		for i := 0; i < len(n.Content); i += 2 {
			if resolve(n.Content[i]).Value == name {
				return resolve(n.Content[i+1])
			}
		}
	}
	return nil
}

func scalarField(n *yaml.Node, name string) string {
	if v := fieldNode(n, name); v != nil && v.Kind == yaml.ScalarNode {
		return v.Value
	}
	return ""
}

// rule reads the fields of a rule, or of defaults, over those of base.
func (l *loader) rule(n *yaml.Node, what string, known []string, base *rule) *rule {
	f := l.fields(n, what, known...)
	if f == nil {
		return nil
	}
	r := *base
	if f["name"] != nil {
		l.text(f["name"], "name of "+what)
	}
	if f["branches"] != nil || f["tags"] != nil {
		r.branches, r.tags = nil, nil // one condition: the rule's own replaces both
	}
	for _, p := range []struct {
		field string
		to    **list
		dialect
	}{
		{"repos", &r.repos, dialect{fold: true}},
		{"branches", &r.branches, dialect{}},
		{"tags", &r.tags, dialect{}},
		{"authors", &r.authors, dialect{text: true}},
		{"pushers", &r.pushers, dialect{text: true}},
		{"messages", &r.messages, dialect{text: true}},
		{"paths", &r.paths, dialect{rooted: true}},
	} {
		if f[p.field] != nil {
			*p.to = l.patterns(f[p.field], p.field, what, p.dialect)
		}
	}
	r.ownPaths = f["paths"] != nil
	if f["sources"] != nil {
		r.sources = l.sourceNames(f["sources"], what)
	}
	if f["skip_markers"] != nil {
		r.skip = l.markers(f["skip_markers"], "skip_markers of "+what)
	}
	if e := f["events"]; e != nil {
		r.events, r.eventsAt = nil, l.pos(e)
		for _, item := range l.items(e, "events of "+what) {
			s := Event(l.choice(item, "events of "+what, wordsOf[event]()...))
			if s != "" && !slices.Contains(r.events, s) {
				r.events = append(r.events, s)
			}
		}
	}
	if u := f["unknown_files"]; u != nil {
		r.skipUnknown = l.choice(u, "unknown_files of "+what, wordsOf[unknownFiles]()...) == "skip"
		r.unknownAt = l.pos(u)
	}
	if s, ok := l.plain(f["default_branch"], "default_branch of "+what, "write the name of the branch"); ok {
		r.defaultBranch = s
	}
	if s := f["supersede"]; s != nil {
		r.supersede = l.choice(s, "supersede of "+what, wordsOf[supersede]()...)
		if r.supersede == "none" {
			r.supersede = ""
		}
	}
	if s := f["since"]; s != nil {
		r.since = l.choice(s, "since of "+what, wordsOf[since]()...)
		if r.since == "build" {
			r.since = ""
		}
	}
	if s := f["start"]; s != nil {
		r.starts, r.hasStart = nil, true
		for _, item := range l.items(s, "start of "+what) {
			if st, ok := l.start(item, what); ok {
				r.starts = append(r.starts, st)
			}
		}
	}
	return &r
}
