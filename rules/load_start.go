package rules

import (
	"fmt"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

const templateHint = "fields: .Branch .Tag .Commit .Repo .Owner .Name .Event .Message .Author.Name and more"

func (l *loader) start(n *yaml.Node, rule string) (start, bool) {
	what := "start of " + rule
	known := l.startFields
	f := l.fields(n, what, known...)
	if f == nil {
		return start{}, false
	}
	st := start{at: l.pos(n)}
	before := len(l.problems)
	l.startServer(n, f["server"], what, &st)
	for _, name := range known {
		if belongs := fieldOf(name); f[name] != nil && st.kind != "" && belongs != "" && belongs != st.kind {
			l.fail(f[name], fmt.Sprintf("%q is for %s", name, belongs), "%s has the field %q, but its server is %s", what, name, st.kind)
		}
	}
	switch st.kind {
	case Jenkins:
		l.jenkinsStart(n, f, what, &st)
	case Bamboo:
		l.bambooStart(n, f, what, &st)
	}
	if f["follow"] != nil {
		st.noFollow = !l.boolean(f["follow"], "follow of "+what)
	}
	l.report(f["report"], what, &st)
	st.build, st.ofRule = st.identity()
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

func (l *loader) startServer(n, name *yaml.Node, what string, st *start) {
	if name == nil {
		var names []string
		for _, s := range l.set.servers {
			names = append(names, s.Name)
		}
		hint := "name one of servers: " + strings.Join(names, ", ")
		if len(names) == 0 {
			hint = "add servers: {ci: {jenkins: https://…}}, and name it here; a file that is included is checked with the one that includes it"
		}
		l.fail(n, hint, "%s names no server", what)
		return
	}
	s, ok := l.text(name, "server of "+what)
	if !ok {
		return
	}
	st.server = s
	var names []string
	for _, srv := range l.set.servers {
		if srv.Name == s {
			l.usedServers[s] = true
			st.kind = srv.Kind
			return
		}
		names = append(names, srv.Name)
	}
	hint := suggest(s, names)
	if len(names) == 0 {
		hint = "add it to servers; a file that is included is checked with the one that includes it"
	}
	l.fail(name, hint, "%s names the unknown server %q", what, s)
}

func (l *loader) jenkinsStart(n *yaml.Node, f map[string]*yaml.Node, what string, st *start) {
	if f["job"] == nil {
		l.fail(n, "write job: folder/name", "%s names no job", what)
	} else if s, ok := l.text(f["job"], "job of "+what); ok {
		st.target = s
		job, seen := l.jobs[s]
		if !seen {
			l.spendText(s)
			var err error
			if job, err = compileJob(s); err != nil {
				l.fail(f["job"], jobHint(s), "job of %s: %v", what, err)
			} else {
				l.jobs[s] = job
			}
		}
		st.job = job
		if rest, ok := strings.CutPrefix(s, "job/"); ok {
			l.warn(l.pos(f["job"]), "leave out the job/ of Jenkins' addresses: "+strings.ReplaceAll(rest, "/job/", "/"), "job of %s: %q asks for folders named job", what, s)
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

func jobHint(s string) string {
	switch {
	case strings.Contains(s, "{{"):
		return templateHint
	case strings.Contains(s, "://"):
		return "write the job's path, folder/name; the address of the server stands in servers"
	}
	return "write folder/name, without a leading or trailing slash"
}

func (l *loader) bambooStart(n *yaml.Node, f map[string]*yaml.Node, what string, st *start) {
	if f["plan"] == nil {
		l.fail(n, "write plan: PROJ-PLAN", "%s names no plan", what)
	} else if s, ok := l.text(f["plan"], "plan of "+what); ok {
		st.target = s
		t, err := l.template(s)
		switch {
		case err != nil:
			l.fail(f["plan"], templateHint, "plan of %s: %v", what, err)
		case !t.dynamic() && !planKey.MatchString(s):
			l.fail(f["plan"], "write the plan's key, such as PROJ-PLAN, in capitals", "plan of %s cannot be %q", what, s)
		}
		st.plan = &t
	}
	st.values = l.values(f["variables"], "variables of "+what)
	st.branch, _ = l.plain(f["branch"], "branch of "+what, "write auto, or nothing, for the branch that was pushed")
	st.createBranch = l.boolean(f["create_branch"], "create_branch of "+what)
	st.stage, _ = l.plain(f["stage"], "stage of "+what, "write the name of the stage")
	st.allStages = l.boolean(f["all_stages"], "all_stages of "+what)
	if f["revision"] != nil {
		st.anyRevision = !l.boolean(f["revision"], "revision of "+what)
	}
}

// report reads what is told to the code host: false, or a context and so on.
func (l *loader) report(n *yaml.Node, what string, st *start) {
	st.reportAt = st.at
	if n == nil {
		return
	}
	st.reportAt = l.pos(n)
	what = "report of " + what
	if n.Kind == yaml.ScalarNode {
		if n.Tag != "!!bool" {
			l.fail(n, "write report: false, or report: {context: …}", "%s cannot be %s", what, kindName(n))
			return
		}
		st.noReport = !l.boolean(n, what)
		return
	}
	f := l.fields(n, what, fieldsOf[reportFormat]()...)
	if f == nil {
		return
	}
	if s, ok := l.text(f["context"], "context of "+what); ok {
		t, err := l.template(s)
		if err == nil && len(s) > maxContext {
			err = fmt.Errorf("is longer than %d bytes", maxContext)
		}
		if err != nil {
			l.fail(f["context"], templateHint, "context of %s: %v", what, err)
			return
		}
		st.context, st.reportAt = &t, l.pos(f["context"])
	}
	st.reportSkipped = l.boolean(f["skipped"], "skipped of "+what)
}

// maxContext bounds the name of a commit status as it is written.
const maxContext = 512

func (l *loader) values(n *yaml.Node, what string) map[string]tmpl {
	out := map[string]tmpl{}
	if n == nil {
		return out
	}
	l.eachValue(n, what, func(name, text string, val *yaml.Node) {
		t, err := l.template(text)
		if err != nil {
			l.fail(val, templateHint, "%s: %s: %v", what, name, err)
			return
		}
		out[name] = t
	})
	return out
}

// eachValue visits the texts of a mapping of names, each name once.
func (l *loader) eachValue(n *yaml.Node, what string, visit func(name, text string, val *yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		l.fail(n, "write {NAME: value}", "%s must be a mapping of names, not %s", what, kindName(n))
		return
	}
	seen := map[string]bool{}
	for i := 0; i < len(n.Content) && l.spend(&l.room.size, 2); i += 2 {
		key, val := resolve(n.Content[i]), resolve(n.Content[i+1])
		if key.Value == "" || strings.ContainsFunc(key.Value, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
			l.fail(key, "names hold no spaces", "%s: %q cannot be a name", what, key.Value)
			continue
		}
		if seen[key.Value] {
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
		seen[key.Value] = true
		visit(key.Value, text, val)
	}
}

// spendText takes what compiling a template takes.
func (l *loader) spendText(text string) {
	if strings.Contains(text, "{{") {
		l.spend(&l.room.size, 24+len(text)/2)
	}
}

// template compiles each text once, however many rules have it.
func (l *loader) template(text string) (tmpl, error) {
	t, seen := l.templates[text]
	if !seen {
		l.spendText(text)
		var err error
		if t, err = compileTemplate(text, false); err != nil {
			return tmpl{}, err
		}
		l.templates[text] = t
	}
	return t, nil
}
