package rules

import (
	"crypto/sha256"
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
			key := a.build
			if a.ofRule {
				key += r.name
			}
			for _, other := range byBuild[key] {
				if !l.try(1) {
					return
				}
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
// rules for different repositories have no commit in common. To GitHub names that
// differ in case are one.
func (l *loader) contexts() {
	said := map[[sha256.Size]byte][]asking{}
	// No text that a rule gives is what a template makes of this push.
	sample := *samplePushes()[0]
	sample.Ref, sample.Repo, sample.After, sample.Before = "\x00ref", "\x00owner/\x00name", "\x00after", "\x00before"
	hint := `give one of them report: {context: "another"}, or report: false`
	fold := func(s string) string { return s }
	if slices.ContainsFunc(l.set.sources, func(s Source) bool { return s.Host == GitHub }) {
		hint += "; GitHub takes names in any case for one"
		fold = strings.ToLower
	}
	for _, r := range l.set.rules {
		data := newTemplateData(&sample, r)
		for i := range r.starts {
			st := &r.starts[i]
			if st.noReport {
				continue
			}
			if st.context != nil && !l.spend(&l.room.size, len(st.context.text)/16) {
				return
			}
			context, err := st.status(r, st.target, data)
			if err != nil {
				continue // it was tried when it was read, on pushes that people make
			}
			if st.context != nil && len(context) > maxContext {
				l.failAt(st.reportAt, `write report: {context: "a short name"}`, "a start reports under a name of more than %d bytes", maxContext)
				continue
			}
			key := sha256.Sum256([]byte(fold(context)))
			for _, other := range said[key] {
				if l.sameCommit(r, other.r) {
					l.failAt(st.reportAt, hint, "two starts report as %q, the first at %s", context, other.reportAt)
					break
				}
			}
			if len(said[key]) < maxTwins {
				said[key] = append(said[key], asking{st, r})
			}
		}
	}
}

// identity is the same for starts of the same build, as they are written. With
// ofRule that depends on the rule, too.
func (st *start) identity() (build string, ofRule bool) {
	var text strings.Builder
	add := func(s string) {
		text.WriteString(strconv.Itoa(len(s)))
		text.WriteByte(':')
		text.WriteString(s)
		ofRule = ofRule || strings.Contains(s, ".Rule") || strings.Contains(s, ".Each")
	}
	for _, s := range []string{st.server, st.target, st.branch, strconv.FormatBool(st.scan)} {
		add(s)
	}
	for _, name := range slices.Sorted(maps.Keys(st.values)) {
		add(name)
		add(st.values[name].text)
	}
	sum := sha256.Sum256([]byte(text.String()))
	return string(sum[:]), ofRule
}

// options are what the first of two askings gives. What is reported is none of
// them: each asking has its own status.
func (a asking) options() any {
	return struct {
		delay                                          int64
		createBranch, allStages, anyRevision, noFollow bool
		stage, supersede, since                        string
	}{
		int64(a.delay), a.createBranch, a.allStages, a.anyRevision, a.noFollow,
		a.stage, a.r.supersede, a.r.since,
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
	if !l.tryEntry(e, x) {
		return true // whatever follows, nothing is told of it
	}
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
