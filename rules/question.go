package rules

import (
	"strings"

	"github.com/pushgate/pushgate/rules/pattern"
)

// A question is a push prepared for asking many rules: its values are split
// once, on first use, and answers of equal lists are remembered.
type question struct {
	push   *Push
	owed   Owed
	files  Files // of the push, within the limits
	repo   pattern.Value
	ref    pattern.Value
	source pattern.Value
	// Two names each: name and e-mail.
	author, pusher [2]pattern.Value
	message        pattern.Value
	endless        bool // the repository's or the ref's name is beyond the limits
	open           bool // what the push leaves open counts as what passes, see Lacks

	paths    []pattern.Value // of files, the first of them split
	segments []string        // what all values are cut into
	known    []uint8         // by id of list: unasked, yes or no; nil: remember nothing
	gates    []uint8         // by gate of rule, the same
	finding                  // of the index
	// Of the evidence of all rules: what the decision was, and what is left of
	// maxEvidence.
	bounded bool
	matched []*rule
	left    int
}

const (
	unasked uint8 = iota
	yes
	no
)

// ask prepares q for a push.
func (q *question) ask(p *Push, files Files, owed Owed) {
	q.push, q.files, q.owed, q.open = p, files, owed, false
	q.paths, q.segments = q.paths[:0], q.segments[:0]
	repo, ref := p.Repo, p.Ref
	if q.endless = !fits(repo) || !fits(ref); q.endless {
		repo, ref = "", ""
	}
	q.repo = q.value(strings.ToLower(repo))
	q.ref = q.value(ref)
	q.source = q.value(p.Source)
	head := p.Head()
	q.author = [2]pattern.Value{{Text: head.Author.Name}, {Text: head.Author.Email}}
	q.pusher = [2]pattern.Value{{Text: p.Pusher.Name}, {Text: p.Pusher.Email}}
	q.message = pattern.Value{Text: strings.TrimSuffix(strings.TrimSuffix(head.Message, "\n"), "\r")}
}

// forget lets go of the push.
func (q *question) forget() {
	none := pattern.Value{}
	q.push, q.files, q.owed = nil, Files{}, nil
	q.repo, q.ref, q.source, q.message = none, none, none, none
	q.author, q.pusher = [2]pattern.Value{}, [2]pattern.Value{}
}

// value cuts s at its slashes.
func (q *question) value(s string) pattern.Value {
	from := len(q.segments)
	rest := s
	for {
		name, after, more := strings.Cut(rest, "/")
		q.segments = append(q.segments, name)
		if !more {
			return pattern.Value{Text: s, Segments: q.segments[from:len(q.segments):len(q.segments)]}
		}
		rest = after
	}
}

// path gives the i-th file.
func (q *question) path(i int) pattern.Value {
	for len(q.paths) <= i {
		q.paths = append(q.paths, q.value(q.files.Paths[len(q.paths)]))
	}
	return q.paths[i]
}

// in says whether one of the values is in the list, and where it is not
// remembered, which entry decided.
func (q *question) in(l *list, vs ...pattern.Value) (bool, *entry) {
	if q.known == nil {
		return l.ask(vs...)
	}
	if at := &q.known[l.id]; *at != unasked {
		return *at == yes, nil
	} else if ok, _ := l.ask(vs...); ok {
		*at = yes
	} else {
		*at = no
	}
	return q.known[l.id] == yes, nil
}

// passes asks all conditions of a rule but paths.
func (q *question) passes(r *rule) bool {
	if q.gates == nil {
		return r.passes(q)
	}
	if q.gates[r.gate] == unasked {
		q.gates[r.gate] = no
		if r.passes(q) {
			q.gates[r.gate] = yes
		}
	}
	return q.gates[r.gate] == yes
}

// fits says that a pattern may be asked about s.
func fits(s string) bool {
	return len(s) < pattern.MaxPathLevels || len(s) <= pattern.MaxPathBytes && strings.Count(s, "/") < pattern.MaxPathLevels
}

// withinLimits drops paths beyond the limits of matching; the list is partial
// then.
func withinLimits(f Files) Files {
	if f.Completeness == "" {
		f.Completeness = Unknown
	}
	for i, p := range f.Paths {
		if fits(p) {
			continue
		}
		out := Files{Completeness: Partial, Paths: append([]string{}, f.Paths[:i]...), Note: f.Note}
		for _, p := range f.Paths[i:] {
			if fits(p) {
				out.Paths = append(out.Paths, p)
			}
		}
		if f.Completeness == Unknown {
			out.Completeness = Unknown
		}
		return out
	}
	return f
}
