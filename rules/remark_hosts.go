package rules

import (
	"slices"
	"strings"

	"github.com/pushgate/pushgate/rules/pattern"
)

// remarkHosts knows what the POST service never tells: tags, creations and
// deletions; and forced pushes and the default branch, unless an API is asked.
func (l *loader) remarkHosts(r *rule) {
	if len(l.set.sources) == 0 || !l.try(len(l.set.sources)) {
		return
	}
	admitted, asked := 0, 0 // asked: by an API
	for i := range l.set.sources {
		s := &l.set.sources[i]
		if !r.admits(s) {
			continue
		}
		if admitted++; s.Host != BitbucketPost {
			return
		}
		if s.API != nil {
			asked++
		}
	}
	for i := range r.starts {
		st := &r.starts[i]
		if asked < admitted && st.plan != nil && st.followsBranch() && r.defaultBranch == "" && r.takesMain() {
			l.warn(st.at, "write default_branch: main (or whatever it is) in the rule or in defaults", "rule %q: the POST service does not tell the default branch, so Bamboo is asked for a plan branch of it, and not for the plan", r.name)
		}
	}
	switch {
	case admitted == 0:
		l.never(r, r.sources.entries[0].at, "its sources leave none over")
	case r.tags != nil && r.branches == nil:
		l.never(r, r.tags.entries[0].at, "the POST service sends no tags")
	case r.eventsAt.Line != 0 && !slices.Contains(r.events, Pushed) && !(asked > 0 && slices.Contains(r.events, Forced)):
		l.never(r, r.eventsAt, "the POST service sends every change as push")
	}
}

// admits says that the rule takes pushes of a source.
func (r *rule) admits(s *Source) bool {
	if r.sources == nil {
		return true
	}
	ok, _ := r.sources.ask(pattern.NewValue(s.Name))
	return ok
}

// takesMain says that the rule takes one of the usual default branches.
func (r *rule) takesMain() bool {
	if r.branches == nil {
		return r.tags == nil
	}
	for _, name := range []string{"main", "master"} {
		if ok, _ := r.branches.ask(pattern.NewValue(name)); ok {
			return true
		}
	}
	return false
}

// remarkReport finds rules that say what to report where nobody is told.
func (l *loader) remarkReport(r *rule) {
	i := slices.IndexFunc(r.starts, func(st start) bool { return st.reportSkipped || st.context != nil })
	if i < 0 || !l.try(len(l.set.sources)) {
		return
	}
	admitted, gogs, nobody := false, false, false
	for k := range l.set.sources {
		s := &l.set.sources[k]
		if !r.admits(s) {
			continue
		}
		if s.API != nil && s.Host != Gogs && !s.API.anonymous {
			return
		}
		admitted = true
		gogs = gogs || s.API != nil && s.Host == Gogs
		nobody = nobody || s.API != nil && s.API.anonymous
	}
	name := strings.TrimSuffix(r.name, "/"+r.each)
	switch {
	case gogs:
		l.warn(r.starts[i].reportAt, "take it out", "rule %q: Gogs has no API for commit statuses: no status is reported", name)
	case nobody:
		l.warn(r.starts[i].reportAt, "give the api of the source credentials, or take it out", "rule %q: the api of its source has no credentials: no status is reported", name)
	case admitted:
		l.warn(r.starts[i].reportAt, "write api: {url: https://…, token: …} in the source, or take it out", "rule %q: no source of this rule has an api: no status is reported", name)
	}
}
