package hosttest

import (
	"maps"
	"slices"
	"strings"
)

// none says that an id is what hosts write for no commit.
func none(id string) bool { return strings.Trim(id, "0") == "" }

// find gives the commit of an id, a branch, a tag or the beginning of an id; nil
// for none. The lock is held.
func (r *Repo) find(rev string) *commit {
	if rev == "HEAD" {
		rev = r.defaultBranch
	}
	rev = strings.TrimPrefix(strings.TrimPrefix(rev, "refs/heads/"), "refs/tags/")
	for _, ids := range []map[string]string{r.branches, r.tags} {
		if id := ids[rev]; id != "" {
			rev = id
			break
		}
	}
	if id := r.objects[rev]; id != "" {
		rev = id
	}
	if r.forgotten[rev] {
		return nil
	}
	if c := r.commits[rev]; c != nil {
		return c
	}
	if len(rev) < 7 || len(rev) >= 40 {
		return nil
	}
	var found *commit
	for id, c := range r.commits {
		if strings.HasPrefix(id, rev) && !r.forgotten[id] {
			if found != nil {
				return nil
			}
			found = c
		}
	}
	return found
}

// commit is find for those without the lock.
func (r *Repo) commit(rev string) *commit {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.find(rev)
}

// branchNames are the branches in the order of their names, with their commits.
func (r *Repo) branchHeads() (names []string, heads map[string]*commit) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	heads = map[string]*commit{}
	for name, id := range r.branches {
		heads[name] = r.commits[id]
	}
	return slices.Sorted(maps.Keys(heads)), heads
}

// ancestors are the commits that the given ones reach, themselves too.
func ancestors(of ...*commit) map[*commit]bool {
	seen := map[*commit]bool{}
	stack := slices.Clone(of)
	for len(stack) > 0 {
		c := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if c != nil && !seen[c] {
			seen[c] = true
			stack = append(stack, c.parents...)
		}
	}
	return seen
}

// between are the commits that head reaches and not one of without does, newest
// first.
func between(head *commit, without ...*commit) []*commit {
	known := ancestors(without...)
	var found []*commit
	for c := range ancestors(head) {
		if !known[c] {
			found = append(found, c)
		}
	}
	slices.SortFunc(found, func(a, b *commit) int { return b.number - a.number })
	return found
}

// mergeBase is the best common ancestor, nil for none: the newest common one has
// none of the others below it. Where several are best, one of them is given.
func mergeBase(a, b *commit) *commit {
	of := ancestors(a)
	var best *commit
	for c := range ancestors(b) {
		if of[c] && (best == nil || c.number > best.number) {
			best = c
		}
	}
	return best
}

// treeOf is the tree of a commit, and the empty one of none.
func treeOf(c *commit) map[string]content {
	if c == nil {
		return nil
	}
	return c.tree
}

// merged is the tree of a merge; where both sides changed a file, ours stays.
func merged(ours, theirs, base map[string]content) map[string]content {
	out := maps.Clone(ours)
	for path, is := range theirs {
		if was, there := base[path]; there != has(ours, path) || was != ours[path] {
			continue
		}
		out[path] = is
	}
	for path, was := range base {
		if is, there := ours[path]; there && is == was && !has(theirs, path) {
			delete(out, path)
		}
	}
	return out
}

func has(tree map[string]content, path string) bool {
	_, there := tree[path]
	return there
}

// changes are what leads from one commit's tree to another's, in the order of
// the paths; from and to may be nil. A removed file and an added one of the same
// origin are a rename, the ones with the same content before those that differ.
func changes(from, to *commit) []Change {
	old, now := treeOf(from), treeOf(to)
	var out []Change
	var gone, come []string
	for path := range old {
		if !has(now, path) {
			gone = append(gone, path)
		}
	}
	for path, is := range now {
		switch was, there := old[path]; {
		case !there:
			come = append(come, path)
		case was != is:
			out = append(out, Change{Path: path, Kind: Modified})
		}
	}
	slices.Sort(gone)
	slices.Sort(come)
	paired := map[string]bool{}
	for _, alike := range []func(a, b content) bool{
		func(a, b content) bool { return a == b },
		func(a, b content) bool { return a.origin == b.origin },
	} {
		for _, path := range come {
			if paired[path] {
				continue
			}
			i := slices.IndexFunc(gone, func(g string) bool { return alike(old[g], now[path]) })
			if i < 0 {
				continue
			}
			paired[path] = true
			out = append(out, Change{Path: path, From: gone[i], Kind: Renamed})
			gone = slices.Delete(gone, i, i+1)
		}
	}
	for _, path := range come {
		if !paired[path] {
			out = append(out, Change{Path: path, Kind: Added})
		}
	}
	for _, path := range gone {
		out = append(out, Change{Path: path, Kind: Removed})
	}
	slices.SortFunc(out, func(a, b Change) int { return strings.Compare(a.Path, b.Path) })
	return out
}

// ownChanges are what a commit did to its first parent's tree.
func (c *commit) ownChanges() []Change {
	if len(c.parents) == 0 {
		return changes(nil, c)
	}
	return changes(c.parents[0], c)
}
