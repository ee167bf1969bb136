package rules

import (
	"slices"
	"strings"

	"github.com/pushgate/pushgate/rules/pattern"
)

// An answer is what one condition of a rule says of a push.
type answer struct {
	asked bool // false: the rule does not ask, or not of such a push; ok then
	ok    bool
	list  *list  // that was asked, may be nil
	entry *entry // that decided, may be nil
	value string // what was seen
	note  string
	files int    // changed files that were asked, for a note
	why   string // the list of files is not complete, for a note; may be empty
	at    Pos    // where list is nil
}

// A condition of rules.
type condition struct {
	field string
	ask   func(*rule, *question) answer
}

// conditions are what a rule asks, in this order: the first that fails is the
// answer people get. Paths, which cost most, are last.
func conditions() [9]condition {
	return [...]condition{
		{"repos", (*rule).askRepo},
		{"sources", (*rule).askSource},
		{"skip_markers", (*rule).askMarkers},
		{"branches", (*rule).askRef},
		{"events", (*rule).askEvent},
		{"authors", (*rule).askAuthor},
		{"pushers", (*rule).askPusher},
		{"messages", (*rule).askMessage},
		{"paths", (*rule).askPaths},
	}
}

// passes asks all conditions but paths.
func (r *rule) passes(q *question) bool {
	all := conditions()
	for _, c := range all[:len(all)-1] {
		if !c.ask(r, q).ok {
			return false
		}
	}
	return true
}

// matches is the decision about one rule.
func (r *rule) matches(q *question) bool { return q.passes(r) && r.askPaths(q).ok }

// passed is the answer of what is not asked.
func passed() answer { return answer{ok: true} }

// endless is said of a push whose repository or ref has a name that no pattern
// may be asked about; no rule is for it.
const endless = "the name of the repository or the ref is beyond 4096 bytes or 128 levels"

func (r *rule) askRepo(q *question) answer {
	if q.endless {
		return answer{asked: true, note: endless}
	}
	return q.answer(r.repos, q.push.Repo, q.repo)
}

func (r *rule) askSource(q *question) answer {
	return q.answer(r.sources, q.push.Source, q.source)
}

// headless says that a push is about no head commit of a branch: a tag or a
// deletion, of which paths, messages and skip markers are not asked.
func (q *question) headless() bool { return q.push.Kind == Tag || q.push.Event == Deleted }

// headOpen says that who wrote the head commit, and what it says, may still come.
func (q *question) headOpen() bool {
	return q.open && len(q.push.Commits) == 0 && q.push.Event != Deleted
}

func (r *rule) askMarkers(q *question) answer {
	if r.skip == nil || q.headless() {
		return passed()
	}
	found, e := q.in(r.skip, q.message)
	if !found {
		return passed() // nothing to tell
	}
	return answer{asked: true, list: r.skip, entry: e, value: q.message.Text, note: "the head commit's message says so"}
}

// askRef asks a branch of branches and a tag of tags. With neither given every
// branch passes and no tag does; with one given, nothing of the other.
func (r *rule) askRef(q *question) answer {
	own, other := r.branches, r.tags
	if q.push.Kind == Tag {
		own, other = r.tags, r.branches
	}
	switch {
	case own != nil:
		return q.answer(own, q.push.Ref, q.ref)
	case q.push.Kind != Tag && other == nil:
		return passed()
	case q.push.Kind != Tag:
		return answer{asked: true, value: q.push.Ref, note: "the rule names tags only"}
	case other != nil:
		return answer{asked: true, value: q.push.Ref, note: "the rule names branches only"}
	}
	return answer{asked: true, value: q.push.Ref, note: "a rule without tags is for branches"}
}

func (r *rule) askEvent(q *question) answer {
	a := answer{asked: true, value: string(q.push.Event), at: r.eventsAt}
	if r.takes(q.push.Event) || q.open && q.push.Event == Pushed && r.takes(Forced) {
		a.ok = true
		a.asked = r.eventsAt.Line != 0
		a.note = "asked for"
		return a
	}
	if r.eventsAt.Line == 0 {
		a.note = "events not given: push and create only"
	} else {
		a.note = "not among the events asked for"
	}
	return a
}

// takes says that the rule is for such an event; a forced push is a push.
func (r *rule) takes(event Event) bool {
	return slices.Contains(r.events, event) || event == Forced && slices.Contains(r.events, Pushed)
}

func (r *rule) askAuthor(q *question) answer {
	if q.headOpen() {
		return passed()
	}
	return q.askPerson(r.authors, q.author, "who wrote the head commit is not known")
}

func (r *rule) askPusher(q *question) answer {
	return q.askPerson(r.pushers, q.pusher, "who pushed is not known")
}

func (q *question) askPerson(l *list, names [2]pattern.Value, unknown string) answer {
	if l == nil {
		return passed()
	}
	shown := strings.TrimSpace(names[0].Text)
	switch email := names[1].Text; {
	case shown == "":
		shown = email
	case email != "" && email != shown:
		shown += " <" + email + ">"
	}
	a := q.answer(l, shown, names[:]...)
	if shown == "" {
		a.note = unknown
	}
	return a
}

func (r *rule) askMessage(q *question) answer {
	if r.messages == nil || q.headless() || q.headOpen() {
		return passed()
	}
	a := q.answer(r.messages, q.message.Text, q.message)
	if len(q.push.Commits) == 0 {
		a.note = "the head commit's message is not known"
	}
	return a
}

// answer asks a list; nil asks nothing.
func (q *question) answer(l *list, shown string, vs ...pattern.Value) answer {
	if l == nil {
		return passed()
	}
	ok, e := q.in(l, vs...)
	return answer{asked: true, ok: ok, list: l, entry: e, value: shown}
}

// maxEvidence bounds the work that evidence takes, in segments of files asked
// about: what matched is known by then, and a page about it must not keep a
// machine busy.
const maxEvidence = 1 << 25

// askPaths looks for a changed or owed file. Without one, only a complete list
// proves that nothing relevant changed; otherwise unknown_files decides.
func (r *rule) askPaths(q *question) answer {
	switch {
	case r.paths == nil:
		return passed()
	case q.push.Kind == Tag:
		return answer{asked: true, ok: true, note: "not asked of tags"}
	case q.push.Event == Deleted:
		return answer{asked: true, ok: true, note: "not asked of deletions"}
	}
	if q.left < 0 {
		_, ok := slices.BinarySearchFunc(q.matched, r.n, func(m *rule, n int32) int { return int(m.n - n) })
		return answer{asked: true, ok: ok, list: r.paths, note: "there are too many files and rules to tell which file decided"}
	}
	var taken answer // by a "!"
	for i := range q.files.Paths {
		v := q.path(i)
		if q.bounded {
			q.left -= len(r.paths.entries) + len(v.Segments)
		}
		ok, e := r.paths.ask(v)
		if ok {
			return answer{asked: true, ok: true, list: r.paths, entry: e, value: v.Text}
		}
		if e != nil {
			taken.entry, taken.value = e, v.Text
		}
	}
	debt, owes := q.owed[r.name]
	owed := withinLimits(debt)
	for _, f := range owed.Paths {
		if ok, e := r.paths.ask(q.value(f)); ok {
			return answer{asked: true, ok: true, list: r.paths, entry: e, value: f, note: "owed: changed by an earlier push that was not built"}
		}
	}
	completeness, why := q.files.Completeness, q.files.Note
	if completeness == Complete && owes {
		completeness, why = owed.Completeness, ""
	}
	if completeness != Complete {
		return answer{asked: true, ok: !r.skipUnknown, at: r.unknownAt, note: unknownNote(completeness, r.skipUnknown), why: why}
	}
	return answer{
		asked: true, list: r.paths, entry: taken.entry, value: taken.value,
		note: "no file changed", files: len(q.files.Paths) + len(owed.Paths),
	}
}

func unknownNote(c Completeness, skip bool) string {
	switch {
	case c == Partial && skip:
		return "the list of changed files is partial: unknown_files: skip"
	case c == Partial:
		return "the list of changed files is partial: unknown_files: build"
	case skip:
		return "the list of changed files is unknown: unknown_files: skip"
	}
	return "the list of changed files is unknown: unknown_files: build"
}
