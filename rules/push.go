package rules

import "time"

// A Kind says what a ref is.
type Kind string

// The kinds of refs.
const (
	Branch Kind = "branch"
	Tag    Kind = "tag"
)

// An Event says what happened to a ref.
type Event string

// The events. A forced push is a push as well: rules for either match it.
const (
	Pushed  Event = "push"
	Created Event = "create"
	Deleted Event = "delete"
	Forced  Event = "force"
)

// A Completeness says how far a list of changed files can be trusted.
type Completeness string

// The degrees of completeness. Only a complete list can prove that nothing
// relevant changed.
const (
	Complete Completeness = "complete"
	Partial  Completeness = "partial"
	Unknown  Completeness = "unknown"
)

// Files are the paths that a push changed, from the repository's root, both
// names of a rename among them.
type Files struct {
	Completeness Completeness `json:"completeness"`
	Paths        []string     `json:"paths"`
	// Note says why the list is not complete, in words; may be empty.
	Note string `json:"note,omitzero"`
}

// A Person is an author or a pusher as the code host names them; either field
// may be empty.
type Person struct {
	Name  string `json:"name,omitzero"`
	Email string `json:"email,omitzero"`
}

// String is the name, and the e-mail in angle brackets.
func (p Person) String() string {
	switch {
	case p.Email == "" || p.Email == p.Name:
		return p.Name
	case p.Name == "":
		return p.Email
	}
	return p.Name + " <" + p.Email + ">"
}

// A Commit is what is kept of a pushed commit.
type Commit struct {
	ID      string    `json:"id"`
	Message string    `json:"message,omitzero"`
	Author  Person    `json:"author,omitzero"`
	Time    time.Time `json:"time,omitzero"`
}

// A Push is one ref that moved. All of it is the sender's word.
type Push struct {
	// Source is the configured source it came through, Delivery the id of the
	// delivery that brought it.
	Source   string `json:"source,omitzero"`
	Delivery string `json:"delivery,omitzero"`
	// Repo is "owner/name" in the host's spelling.
	Repo string `json:"repo"`
	Kind Kind   `json:"kind"`
	// Ref is the short name of the branch or tag.
	Ref   string `json:"ref"`
	Event Event  `json:"event"`
	// Before and After are commits, abbreviated where the host abbreviates;
	// Before is empty for a new ref and where it is not known, After is empty
	// for a deletion.
	Before string `json:"before,omitzero"`
	After  string `json:"after,omitzero"`
	// Commits are the pushed commits the host listed, oldest first; the last is
	// the head. May be empty.
	Commits       []Commit `json:"commits,omitzero"`
	Pusher        Person   `json:"pusher,omitzero"`
	DefaultBranch string   `json:"default_branch,omitzero"`
	Files         Files    `json:"files"`
	// CommitURL and CompareURL are pages for people; never requested.
	CommitURL  string `json:"commit_url,omitzero"`
	CompareURL string `json:"compare_url,omitzero"`
	// Asked says that no webhook told of the move: the host was asked for its
	// branches.
	Asked bool `json:"asked,omitzero"`
}

// Head is the newest commit the host listed, or a zero Commit.
func (p *Push) Head() Commit {
	if len(p.Commits) == 0 {
		return Commit{}
	}
	return p.Commits[len(p.Commits)-1]
}

// Commit is the commit a build of this push is about: After, and for a
// deletion what was there before.
func (p *Push) Commit() string {
	if p.Event == Deleted {
		return p.Before
	}
	return p.After
}

// Owed holds, by rule name, files of earlier pushes of the same ref that a
// rule matched and that were not built after all. A rule is asked about them
// besides the files of the push.
type Owed map[string]Files
