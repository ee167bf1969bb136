package rules

// Lacks says what a push leaves open that some rule needs to know: what asking
// the code host's API could add to it.
type Lacks struct {
	// Files: which files changed.
	Files bool `json:"files,omitzero"`
	// Force: whether it was a forced push. Whether the code host would have told
	// is for the caller to know.
	Force bool `json:"force,omitzero"`
	// Head: message and author of the head commit.
	Head bool `json:"head,omitzero"`
	// DefaultBranch: the default branch of the repository.
	DefaultBranch bool `json:"default_branch,omitzero"`
}

// Any says that something is lacking.
func (l Lacks) Any() bool { return l != Lacks{} }

// The traits by which a rule needs one thing.
const (
	needsFiles = asksPaths | rendersFiles
	needsHead  = asksHead | asksMessage | rendersHead
)

// Lacks says what the push leaves open that some rule needs, which is one that
// may match as far as the push tells. Where nothing is lacking, no list of files,
// head commit or default branch that agrees with the push changes what Decide
// makes of it; files that are owed are not looked at.
//
// Of a tag neither the files nor the default branch are ever lacking, of a
// deletion nothing is.
func (s *Set) Lacks(p *Push) Lacks {
	open := p.open() & s.index.traits
	if open == 0 {
		return Lacks{}
	}
	files := withinLimits(p.Files)
	partial := files.Completeness != Complete
	files.Completeness = Complete
	q := s.question(p, files, nil)
	defer s.keep(q)
	q.open = true
	var found traits
	for _, b := range s.buckets(q) {
		if b != nil && open&b.traits&^found != 0 {
			found |= q.lacks(b, open&^found, partial)
		}
	}
	return Lacks{
		Files:         found&needsFiles != 0,
		Force:         found&asksForce != 0,
		Head:          found&needsHead != 0,
		DefaultBranch: found&needsDefault != 0,
	}
}

// open gives the traits of rules that a push may not tell enough.
func (p *Push) open() traits {
	var open traits
	if p.Event == Deleted {
		return open
	}
	if p.Event == Pushed {
		open |= asksForce
	}
	if len(p.Commits) == 0 {
		open |= asksHead | rendersHead
	}
	if p.Kind == Tag {
		return open
	}
	if len(p.Commits) == 0 {
		open |= asksMessage
	}
	if p.Files.Completeness != Complete {
		open |= needsFiles
	}
	if p.DefaultBranch == "" {
		open |= needsDefault
	}
	return open
}

// lacks looks in a bucket for rules with open traits that need what these are
// about, until there is one for each. The files count as all there are, so that
// unknown_files has no say; partial says that they may be more.
func (q *question) lacks(b *bucket, open traits, partial bool) traits {
	if open &= b.traits; open&^needsHead != 0 {
		q.askBucket(b)
	}
	var found traits
	for _, r := range b.rules {
		needs := r.traits & open
		if needs == 0 || !q.passes(r) {
			continue
		}
		switch matches := has(q.matching, r.n); {
		case matches:
			needs &^= asksPaths
		case !partial:
			needs &= needsHead
		}
		for _, group := range [...]traits{needsFiles, needsHead} {
			if needs&group != 0 {
				needs |= group
			}
		}
		found |= needs
		if open &^= needs; open == 0 {
			break
		}
	}
	return found
}
