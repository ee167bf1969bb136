package hosttest

import (
	"crypto/sha1" // what git's ids are; nothing here is secret
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// A Kind is what a commit does to a file.
type Kind string

// The kinds of a change. The zero Kind adds the file, or modifies it where it
// is there.
const (
	Added    Kind = "added"
	Modified Kind = "modified"
	Removed  Kind = "removed"
	Renamed  Kind = "renamed"
)

// A Change is what a commit does to one file.
type Change struct {
	Path string
	From string // the old path of a rename
	Kind Kind
}

// A Repo is a repository's history. Commits stay for ever, so that what a forced
// push dropped is still found by its id, until [Repo.Forget]. It may be used by
// several goroutines at once, while its server answers.
//
// Whoever describes a history that cannot be (an unknown commit, the removal of
// a file that is not there) is told by a panic.
type Repo struct {
	name          string // owner/name
	number        int    // the server's, from 1
	defaultBranch string

	mu        sync.RWMutex
	commits   map[string]*commit
	order     []*commit // parents before children
	branches  map[string]string
	tags      map[string]string // to a commit or a tag object
	objects   map[string]string // tag object to commit
	forgotten map[string]bool
	contents  int // how many contents there are
}

// A commit never changes once it is made.
type commit struct {
	id      string
	number  int // greater than those of its parents
	parents []*commit
	message string
	name    string
	mail    string
	when    time.Time
	tree    map[string]content
}

// A content is what a file holds. Contents of one origin are so alike that a
// host takes the move from one path to another for a rename; of the same
// version they are the same.
type content struct{ origin, version int }

func newRepo(name, defaultBranch string) *Repo {
	return &Repo{
		name: name, defaultBranch: defaultBranch,
		commits: map[string]*commit{}, branches: map[string]string{},
		tags: map[string]string{}, objects: map[string]string{}, forgotten: map[string]bool{},
	}
}

// Commit makes a commit and gives its id; it moves no branch. Parents are ids,
// branches or tags, the first one first. The tree of a merge is what merging
// gives: what only one side changed since the merge base is as that side has it,
// and what both changed as the first parent has it; changes come on top. Author is
// written "Name <mail>". The same calls give the same ids.
func (r *Repo) Commit(parents []string, message, author string, changes ...Change) (id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := &commit{number: len(r.order), message: message, tree: map[string]content{}}
	c.when = time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC).Add(time.Duration(c.number) * time.Minute)
	name, mail, _ := strings.Cut(author, "<")
	c.name, c.mail = strings.TrimSpace(name), strings.TrimSuffix(strings.TrimSpace(mail), ">")
	for i, rev := range parents {
		p := r.must(rev)
		c.parents = append(c.parents, p)
		if i == 0 {
			c.tree = p.tree
		} else {
			c.tree = merged(c.tree, p.tree, treeOf(mergeBase(c.parents[0], p)))
		}
	}
	if len(changes) > 0 {
		c.tree = maps.Clone(c.tree)
	}
	for _, change := range changes {
		r.apply(c.tree, change)
	}
	sum := sha1.New()
	fmt.Fprintf(sum, "%q %q %d", message, author, c.number)
	for _, p := range c.parents {
		fmt.Fprintf(sum, " %s", p.id)
	}
	for _, path := range slices.Sorted(maps.Keys(c.tree)) {
		fmt.Fprintf(sum, " %q%v", path, c.tree[path])
	}
	c.id = hex.EncodeToString(sum.Sum(nil))
	r.commits[c.id] = c
	r.order = append(r.order, c)
	return c.id
}

func (r *Repo) apply(tree map[string]content, change Change) {
	old, from := change.Path, change.From
	if change.Kind == Renamed {
		old = from
	}
	is, there := tree[old]
	if !there && (change.Kind == Modified || change.Kind == Removed || change.Kind == Renamed) {
		panic(fmt.Sprintf("hosttest: %s: there is no file %q to be %s", r.name, old, change.Kind))
	}
	r.contents++
	switch {
	case change.Kind == Removed:
		delete(tree, change.Path)
	case change.Kind == Renamed:
		delete(tree, from)
		tree[change.Path] = is
	case there && change.Kind != Added:
		tree[change.Path] = content{origin: is.origin, version: r.contents}
	default:
		tree[change.Path] = content{origin: r.contents, version: r.contents}
	}
}

// SetBranch creates the branch, or moves it wherever it was.
func (r *Repo) SetBranch(name, commit string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.branches[name] = r.must(commit).id
}

// DeleteBranch deletes the branch, and SetBranch makes it again.
func (r *Repo) DeleteBranch(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.branches, name)
}

// Branch is the commit of a branch, "" for none.
func (r *Repo) Branch(name string) string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.branches[name]
}

// SetTag creates or moves a tag. An annotated tag has an object of its own, whose
// id [Repo.Tag] gives and a webhook may carry.
func (r *Repo) SetTag(name, commit string, annotated bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := r.must(commit).id
	if annotated {
		sum := sha1.Sum(fmt.Appendf(nil, "tag %q %s", name, at))
		object := hex.EncodeToString(sum[:])
		r.objects[object] = at
		at = object
	}
	r.tags[name] = at
}

// Tag is what a tag points to, the commit or the tag object; "" for none.
func (r *Repo) Tag(name string) string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.tags[name]
}

// DeleteTag deletes the tag.
func (r *Repo) DeleteTag(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.tags, name)
}

// Forget has the server answer as if it never had the commit, as when a host
// tidied up what no ref reaches any more.
func (r *Repo) Forget(commit string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forgotten[r.must(commit).id] = true
}

func (r *Repo) must(rev string) *commit {
	c := r.find(rev)
	if c == nil {
		panic(fmt.Sprintf("hosttest: %s: there is no commit %q", r.name, rev))
	}
	return c
}
