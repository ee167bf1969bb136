package rules

import (
	"slices"
	"strings"

	"github.com/pushgate/pushgate/rules/pattern"
)

// remarks warns about what loads and cannot be meant.
func (l *loader) remarks() {
	samples := samplePushes()
	for _, r := range l.set.rules {
		l.remarkNever(r)
		l.remarkRender(r, samples)
	}
	l.remarkTwins()
	l.remarkUnused()
}

func (l *loader) never(r *rule, at Pos, hint string) {
	l.warn(at, hint, "the rule %q can never match", r.name)
}

// remarkNever finds rules that no push can match.
func (l *loader) remarkNever(r *rule) {
	for _, li := range []*list{r.repos, r.branches, r.tags, r.authors, r.pushers, r.messages, r.paths} {
		if li != nil && !li.negative && !li.leaves() {
			l.never(r, li.entries[0].at, "everything in this list is taken away again")
		}
	}
	if r.repos != nil && !r.repos.negative && !slices.ContainsFunc(r.repos.entries, hasOwner) {
		first := &r.repos.entries[0]
		l.never(r, first.at, `repositories are owner/name: write "*/`+first.text+`", or "**" for all`)
	}
	l.remarkRefs(r, "branches", r.branches, "branch")
	l.remarkRefs(r, "tags", r.tags, "tag")
	if r.tags != nil && r.branches == nil && r.ownPaths {
		l.warn(r.paths.entries[0].at, "take the paths out, or add branches", "the paths of rule %q are never asked: it is for tags", r.name)
	}
	if r.each != "" && len(r.starts) > 0 && !slices.ContainsFunc(r.starts, usesEach) {
		l.warn(r.starts[0].at, "name the entry in the job, the plan or a value by {{.Each}}, or write one rule with all paths", "the entries of each of rule %q start the same", strings.TrimSuffix(r.name, "/"+r.each))
	}
	l.remarkHosts(r)
	l.remarkReport(r)
}

// usesEach says that a start differs by the entry of each.
func usesEach(st start) bool {
	for _, t := range st.values {
		if namesEntry(t.text) {
			return true
		}
	}
	return namesEntry(st.target) || namesEntry(st.branch)
}

func namesEntry(text string) bool {
	return strings.Contains(text, ".Each") || strings.Contains(text, ".Rule")
}

// remarkRefs finds full names of refs, which no push has.
func (l *loader) remarkRefs(r *rule, field string, li *list, kind string) {
	if li == nil {
		return
	}
	for i := range li.entries {
		e := &li.entries[i]
		name := strings.TrimPrefix(e.text, "!")
		if short, full := strings.CutPrefix(name, "refs/"); full {
			short = strings.TrimPrefix(strings.TrimPrefix(short, "heads/"), "tags/")
			l.warn(e.at, "write the short name: "+strings.TrimSuffix(e.text, name)+short, "in %s of rule %q: no %s is named %q", field, r.name, kind, name)
		}
	}
}

// leaves says that something that an entry matches is not taken away again.
func (l *list) leaves() bool {
	for i := range l.entries {
		e := &l.entries[i]
		if !e.negate && !slices.ContainsFunc(l.entries[i+1:], func(later entry) bool { return later.negate && later.covers(e) }) {
			return true
		}
	}
	return false
}

// hasOwner says that an entry can match a name of two segments.
func hasOwner(e entry) bool {
	return !e.negate && slices.ContainsFunc(e.glob.Alternatives(), func(a pattern.Alternative) bool {
		return len(a) > 1 || strings.HasPrefix(a.String(), "**")
	})
}

// remarkRender tries each start on a push that the rule is for.
func (l *loader) remarkRender(r *rule, samples []*Push) {
	for _, p := range samples {
		own, other := r.branches, r.tags
		if p.Kind == Tag {
			own, other = r.tags, r.branches
		}
		if own == nil && (other != nil || p.Kind == Tag) {
			continue
		}
		named := *p
		if ref, ok := own.literal(); ok {
			named.Ref = ref
		}
		data := newTemplateData(&named, r)
		for i := range r.starts {
			st := &r.starts[i]
			if !l.try(1 + len(st.target)/4) {
				return
			}
			_, _, err := st.job.render(data)
			if st.plan != nil {
				_, err = st.plan.render(data)
			}
			if st.plan != nil && err == nil {
				if _, err := st.planBranch(r, p); err != nil {
					l.warn(st.at, "", "the rule %q can start nothing for a %s: %v", r.name, p.Kind, err)
				}
			}
			if err != nil && st.asksFor(absent(p, r)) {
				l.warn(st.at, renderHint(st.target), "the rule %q can start nothing for a %s: %v", r.name, p.Kind, err)
			}
		}
	}
}

// absent are the fields that a rule's push of such a kind does not have.
func absent(p *Push, r *rule) []string {
	fields := []string{".Tag"}
	if p.Kind == Tag {
		fields[0] = ".Branch"
	}
	if r.each == "" {
		fields = append(fields, ".Each")
	}
	return fields
}

func (st *start) asksFor(fields []string) bool {
	return slices.ContainsFunc(fields, func(f string) bool { return strings.Contains(st.target, f) })
}

func renderHint(target string) string {
	if strings.Contains(target, ".Each") {
		return "only a rule with each has .Each"
	}
	return ".Branch is empty for a tag and .Tag for a branch: write .Ref, or make two rules of it"
}

func (l *loader) remarkUnused() {
	for _, s := range l.set.servers {
		if !l.usedServers[s.Name] {
			l.warn(s.At, "take it out, or start something there", "no rule uses the server %q", s.Name)
		}
	}
	for _, s := range l.set.sources {
		name := pattern.NewValue(s.Name)
		if len(l.set.rules) > 0 && !slices.ContainsFunc(l.set.rules, func(r *rule) bool {
			if r.sources == nil || !l.try(len(r.sources.entries)) {
				return true
			}
			ok, _ := r.sources.ask(name)
			return ok
		}) {
			l.warn(s.At, "take it out, or name it in the sources of a rule", "no rule takes pushes of the source %q", s.Name)
		}
	}
	for _, name := range l.setNames() {
		if s := l.sets[name]; !s.used {
			l.warn(s.at, `take it out, or insert it: "$`+name+`"`, "no rule uses the set %q", name)
		}
	}
}
