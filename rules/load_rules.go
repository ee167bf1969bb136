package rules

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/pushgate/pushgate/rules/pattern"
)

// maxListEntries bounds a list of patterns, sets inserted.
const maxListEntries = 64

var (
	ruleFields  = []string{"name", "repos", "branches", "tags", "events", "paths", "unknown_files", "default_branch", "start"}
	startFields = []string{"server", "job", "parameters", "delay", "scan", "plan", "variables", "branch", "create_branch", "stage", "all_stages", "revision", "follow"}
)

func (l *loader) rules(n *yaml.Node, defaults *rule) {
	if n.Kind != yaml.SequenceNode {
		l.fail(n, "write a dash before each rule: - name: …", "rules must be a list, not %s", kindName(n))
		return
	}
	if len(n.Content) == 0 {
		l.fail(n, "add one: - name: …", "there are no rules")
	}
	seen := map[string]Pos{}
	for _, item := range n.Content {
		item = resolve(item)
		name := ruleName(item)
		what := fmt.Sprintf("rule %q", name)
		if name == "" {
			what = "a rule without a name"
		}
		r := l.rule(item, what, ruleFields, defaults)
		if r == nil {
			continue
		}
		r.name, r.at = name, l.pos(item)
		switch first, again := seen[name]; {
		case name == "":
			l.fail(item, "write name: …; it is how decisions and pages speak of it", "a rule has no name")
		case again:
			l.fail(item, "names are unique", "the rule %q is given twice, first at %s", name, first)
		default:
			l.checkName(item, "rule", name)
			seen[name] = r.at
		}
		if len(r.starts) == 0 && !hasField(item, "start") && !hasField(item, "<<") {
			l.fail(item, "write start: {server: …, job: …}", "%s starts nothing", what)
		}
		l.warnNeverMatches(r)
		l.set.rules = append(l.set.rules, r)
	}
}

func ruleName(n *yaml.Node) string {
	if n.Kind == yaml.MappingNode {
		for i := 0; i < len(n.Content); i += 2 {
			if v := resolve(n.Content[i+1]); n.Content[i].Value == "name" && v.Kind == yaml.ScalarNode {
				return v.Value
			}
		}
	}
	return ""
}

func hasField(n *yaml.Node, name string) bool {
	for i := 0; i < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return true
		}
	}
	return false
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
	for _, p := range []struct {
		field        string
		to           **list
		fold, rooted bool
	}{
		{"repos", &r.repos, true, false},
		{"branches", &r.branches, false, false},
		{"tags", &r.tags, false, false},
		{"paths", &r.paths, false, true},
	} {
		if f[p.field] != nil {
			*p.to = l.patterns(f[p.field], p.field+" of "+what, p.fold, p.rooted)
		}
	}
	if e := f["events"]; e != nil {
		r.events, r.eventsAt = nil, l.pos(e)
		for _, item := range l.items(e, "events of "+what) {
			if s := l.choice(item, "events of "+what, string(Pushed), string(Created), string(Deleted), string(Forced)); s != "" {
				r.events = append(r.events, Event(s))
			}
		}
	} else if r.events == nil {
		r.events = []Event{Pushed, Created}
	}
	if u := f["unknown_files"]; u != nil {
		r.skipUnknown = l.choice(u, "unknown_files of "+what, "build", "skip") == "skip"
		r.unknownAt = l.pos(u)
	}
	if s, ok := l.text(f["default_branch"], "default_branch of "+what); ok {
		r.defaultBranch = s
	}
	if s := f["start"]; s != nil {
		r.starts = nil
		for _, item := range l.items(s, "start of "+what) {
			if st, ok := l.start(item, what); ok {
				r.starts = append(r.starts, st)
			}
		}
	}
	return &r
}

func (l *loader) patterns(n *yaml.Node, what string, fold, rooted bool) *list {
	out := &list{negative: true}
	items := l.items(n, what)
	if len(items) > maxListEntries {
		l.fail(n, "split the rule, or write broader patterns", "%s has more than %d patterns", what, maxListEntries)
	}
	for _, item := range items {
		text, ok := l.text(item, "a pattern in "+what)
		if !ok {
			continue
		}
		e, err := newEntry(text, l.pos(item), fold, rooted)
		if err != nil {
			hint := ""
			if pe, ok := err.(*pattern.Error); ok {
				hint = pe.Hint
			}
			l.fail(item, hint, "in %s: the pattern %q %v", what, text, err)
			continue
		}
		out.negative = out.negative && e.negate
		out.entries = append(out.entries, e)
	}
	if len(out.entries) == 0 {
		return nil
	}
	if first := out.entries[0]; first.negate && !out.negative {
		l.warn(first.at, "put it behind the pattern it takes away from", "in %s: %q has nothing to take away, as it comes first", what, first.text)
	}
	return out
}

// warnNeverMatches finds rules that no push of the configured sources can
// match. The POST service sends branches only, and never tells a creation, a
// deletion or a forced push from a push.
func (l *loader) warnNeverMatches(r *rule) {
	if len(l.set.sources) == 0 {
		return
	}
	for _, s := range l.set.sources {
		if s.Host != BitbucketPost {
			return
		}
	}
	if r.tags != nil && r.branches == nil {
		l.warn(r.tags.entries[0].at, "the POST service sends no tags", "the rule %q can never match", r.name)
	}
	if r.eventsAt.Line != 0 && !slices.Contains(r.events, Pushed) {
		l.warn(r.eventsAt, "the POST service sends every change as push", "the rule %q can never match", r.name)
	}
}

func (l *loader) start(n *yaml.Node, rule string) (start, bool) {
	what := "start of " + rule
	f := l.fields(n, what, startFields...)
	if f == nil {
		return start{}, false
	}
	st := start{at: l.pos(n)}
	before := len(l.problems)
	kind := l.startServer(n, f["server"], what, &st)
	for _, name := range startFields {
		if belongs := fieldOf(name); f[name] != nil && kind != "" && belongs != "" && belongs != kind {
			l.fail(f[name], fmt.Sprintf("%q is for %s", name, belongs), "%s has the field %q, but its server is %s", what, name, kind)
		}
	}
	switch kind {
	case Jenkins:
		l.jenkinsStart(n, f, what, &st)
	case Bamboo:
		l.bambooStart(n, f, what, &st)
	}
	if f["follow"] != nil {
		st.noFollow = !l.boolean(f["follow"], "follow of "+what)
	}
	return st, len(l.problems) == before
}

// fieldOf gives the kind of server a field is for, or "" for both.
func fieldOf(name string) string {
	switch name {
	case "job", "parameters", "delay", "scan":
		return Jenkins
	case "plan", "variables", "branch", "create_branch", "stage", "all_stages", "revision":
		return Bamboo
	}
	return ""
}

func (l *loader) startServer(n, name *yaml.Node, what string, st *start) (kind string) {
	var names []string
	for _, s := range l.set.servers {
		names = append(names, s.Name)
	}
	if name == nil {
		l.fail(n, "name one of servers: "+strings.Join(names, ", "), "%s names no server", what)
		return ""
	}
	s, ok := l.text(name, "server of "+what)
	if !ok {
		return ""
	}
	st.server = s
	for _, srv := range l.set.servers {
		if srv.Name == s {
			l.used[s] = true
			return srv.Kind
		}
	}
	l.fail(name, suggest(s, names), "%s names the unknown server %q", what, s)
	return ""
}

func (l *loader) jenkinsStart(n *yaml.Node, f map[string]*yaml.Node, what string, st *start) {
	if f["job"] == nil {
		l.fail(n, "write job: folder/name", "%s names no job", what)
	} else if s, ok := l.text(f["job"], "job of "+what); ok {
		var err error
		if st.job, err = compileJob(s); err != nil {
			hint := "write folder/name, without a leading or trailing slash"
			if strings.Contains(s, "{{") {
				hint = "fields: .Branch .Tag .Commit .Repo .Owner .Name .Event .Author.Name and more"
			}
			l.fail(f["job"], hint, "job of %s: %v", what, err)
		}
	}
	st.values = l.values(f["parameters"], "parameters of "+what)
	if s, ok := l.text(f["delay"], "delay of "+what); ok {
		d, err := time.ParseDuration(s)
		if err != nil || d < 0 || d%time.Second != 0 {
			l.fail(f["delay"], "write whole seconds: 5s, 2m", "delay of %s cannot be %q", what, s)
		}
		st.delay = d
	}
	st.scan = l.boolean(f["scan"], "scan of "+what)
}

func (l *loader) bambooStart(n *yaml.Node, f map[string]*yaml.Node, what string, st *start) {
	if f["plan"] == nil {
		l.fail(n, "write plan: PROJ-PLAN", "%s names no plan", what)
	} else if s, ok := l.text(f["plan"], "plan of "+what); ok {
		t, err := compileTemplate(s, false)
		switch {
		case err != nil:
			l.fail(f["plan"], "", "plan of %s: %v", what, err)
		case !t.dynamic() && !planKey.MatchString(s):
			l.fail(f["plan"], "write the plan's key, such as PROJ-PLAN, in capitals", "plan of %s cannot be %q", what, s)
		}
		st.plan = &t
	}
	st.values = l.values(f["variables"], "variables of "+what)
	st.branch, _ = l.text(f["branch"], "branch of "+what)
	st.createBranch = l.boolean(f["create_branch"], "create_branch of "+what)
	st.stage, _ = l.text(f["stage"], "stage of "+what)
	st.allStages = l.boolean(f["all_stages"], "all_stages of "+what)
	if f["revision"] != nil {
		st.anyRevision = !l.boolean(f["revision"], "revision of "+what)
	}
}

func (l *loader) values(n *yaml.Node, what string) map[string]tmpl {
	out := map[string]tmpl{}
	if n == nil {
		return out
	}
	if n.Kind != yaml.MappingNode {
		l.fail(n, "write {NAME: value}", "%s must be a mapping of names, not %s", what, kindName(n))
		return out
	}
	for i := 0; i < len(n.Content); i += 2 {
		key, val := n.Content[i], resolve(n.Content[i+1])
		if key.Value == "" || strings.ContainsFunc(key.Value, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
			l.fail(key, "", "%s: %q cannot be a name", what, key.Value)
			continue
		}
		if _, again := out[key.Value]; again {
			l.fail(key, "keep one of them", "%q is given twice in %s", key.Value, what)
			continue
		}
		if val.Kind != yaml.ScalarNode {
			l.fail(val, `put quotes around it: a value that begins with { or [ needs them`, "%s: %s must be text, not %s", what, key.Value, kindName(val))
			continue
		}
		text := val.Value
		if val.Tag == "!!null" {
			text = ""
		}
		t, err := compileTemplate(text, false)
		if err != nil {
			l.fail(val, "fields: .Branch .Tag .Commit .Repo .Owner .Name .Event .Message .Author.Name and more", "%s: %s: %v", what, key.Value, err)
			continue
		}
		out[key.Value] = t
	}
	return out
}
