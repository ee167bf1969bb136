package rules

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// An asking is a start with its rule.
type asking struct {
	*start
	r *rule
}

// maxTwins bounds how many starts of one build are compared with each other.
const maxTwins = 64

// remarkTwins finds rules that start the same build with different options.
func (l *loader) remarkTwins() {
	byBuild := map[string][]asking{}
	for _, r := range l.set.rules {
		for i := range r.starts {
			a := asking{&r.starts[i], r}
			key := a.build()
			for _, other := range byBuild[key] {
				if a.options() != other.options() && l.mayShare(r, other.r) {
					who := fmt.Sprintf("the rules %q and %q start", other.r.name, r.name)
					if r == other.r {
						who = fmt.Sprintf("the rule %q starts", r.name)
					}
					l.warn(a.at, "the first gives the options; make them equal, or take one out", "%s the same build with different options", who)
					break
				}
			}
			if len(byBuild[key]) < maxTwins {
				byBuild[key] = append(byBuild[key], a)
			}
		}
	}
}

// contexts refuses two starts that would overwrite each other's status; those of
// rules for different repositories have no commit in common.
func (l *loader) contexts() {
	said := map[string][]asking{}
	// No text that a rule gives is what a template makes of this push.
	sample := *samplePushes()[0]
	sample.Ref, sample.Repo, sample.After, sample.Before = "\x00ref", "\x00owner/\x00name", "\x00after", "\x00before"
	for _, r := range l.set.rules {
		data := newTemplateData(&sample, r)
		for i := range r.starts {
			st := &r.starts[i]
			if st.noReport {
				continue
			}
			b := Build{Rules: []string{r.name}, Server: st.server, Job: st.target}
			if st.context != nil {
				b.Context, _ = st.context.render(data) // it was tried when it was read
			}
			context := b.StatusContext()
			for _, other := range said[context] {
				if l.sameCommit(r, other.r) {
					l.failAt(st.reportAt, `give one of them report: {context: "another"}, or report: false`, "two starts report as %q, the first at %s", context, other.reportAt)
					break
				}
			}
			if len(said[context]) < maxTwins {
				said[context] = append(said[context], asking{st, r})
			}
		}
	}
}

// build identifies what is started, as written.
func (a asking) build() string {
	parts := []string{a.server, a.target, a.branch, strconv.FormatBool(a.scan)}
	for _, name := range slices.Sorted(maps.Keys(a.values)) {
		parts = append(parts, name, a.values[name].text)
	}
	if all := strings.Join(parts, ""); strings.Contains(all, ".Rule") || strings.Contains(all, ".Each") {
		parts = append(parts, a.r.name)
	}
	return strings.Join(parts, "\x00")
}

// options are what the first of two askings gives.
func (a asking) options() any {
	context := ""
	if a.context != nil {
		context = a.context.text
	}
	return struct {
		delay                                                          int64
		createBranch, allStages, anyRevision, noFollow, quiet, skipped bool
		stage, supersede, since, context                               string
	}{
		int64(a.delay), a.createBranch, a.allStages, a.anyRevision, a.noFollow, a.noReport, a.reportSkipped,
		a.stage, a.r.supersede, a.r.since, context,
	}
}

// mayShare says that one push might match both rules, as far as their
// conditions tell.
func (l *loader) mayShare(a, b *rule) bool {
	branches := a.branches == nil && a.tags != nil || b.branches == nil && b.tags != nil || l.apart(a.branches, b.branches)
	tags := a.tags == nil || b.tags == nil || l.apart(a.tags, b.tags)
	return (!branches || !tags) && shareEvents(a, b) && l.sameCommit(a, b) &&
		!l.apart(a.authors, b.authors) && !l.apart(a.pushers, b.pushers) && !l.apart(a.messages, b.messages)
}

// sameCommit says that pushes of one commit might match both rules.
func (l *loader) sameCommit(a, b *rule) bool {
	return !l.apart(a.repos, b.repos) && !l.apart(a.sources, b.sources)
}

func shareEvents(a, b *rule) bool {
	for _, e := range []Event{Pushed, Created, Deleted, Forced} {
		if a.takes(e) && b.takes(e) {
			return true
		}
	}
	return false
}

// apart says that nothing is in both lists, as far as their patterns tell.
func (l *loader) apart(x, y *list) bool {
	return x != nil && y != nil && (l.leavesOut(x, y) || l.leavesOut(y, x))
}

// leavesOut says that x has nothing of what y has.
func (l *loader) leavesOut(x, y *list) bool {
	return !y.negative && !slices.ContainsFunc(y.entries, func(e entry) bool { return !e.negate && !l.without(x, &e) })
}

// without says that nothing that e matches is in x.
func (l *loader) without(x *list, e *entry) bool {
	for i := len(x.entries) - 1; i >= 0; i-- {
		switch f := &x.entries[i]; {
		case f.negate && f.covers(e):
			return true
		case !f.negate && !f.apart(e):
			return false
		}
	}
	return !x.negative
}
