package rules

import "slices"

// traits are what the index knows of rules, and together of all in a bucket, so
// that those which do not care are not asked.
type traits uint8

const (
	asksPaths    traits = 1 << iota
	rendersFiles        // in a template of a start
	asksHead            // of any push: its author
	asksMessage         // of pushes of branches only: skip markers, too
	rendersHead         // its message or author, in a template of a start
	asksForce           // it is for forced pushes, and for no others
	needsDefault        // it starts the plan branch, or the plan of the default branch
	tellsSkipped        // to the code host, where it did not match
)

// findTraits looks at all of a rule.
func (r *rule) findTraits() traits {
	var found traits
	add := func(t traits, has bool) {
		if has {
			found |= t
		}
	}
	add(asksPaths, r.paths != nil)
	add(asksHead, r.authors != nil)
	add(asksMessage, r.messages != nil || r.skip != nil)
	add(asksForce, slices.Contains(r.events, Forced) && !slices.Contains(r.events, Pushed))
	for i := range r.starts {
		st := &r.starts[i]
		add(needsDefault, st.plan != nil && st.followsBranch() && r.defaultBranch == "")
		add(tellsSkipped, st.reportSkipped)
		for _, t := range st.job {
			found |= t.traits
		}
		for _, t := range st.values {
			found |= t.traits
		}
		for _, t := range []*tmpl{st.plan, st.context} {
			if t != nil {
				found |= t.traits
			}
		}
	}
	return found
}

// followsBranch says that a Bamboo start builds the plan branch of the pushed
// branch.
func (st *start) followsBranch() bool { return st.branch == "auto" || st.branch == "" }
