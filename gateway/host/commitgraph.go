package host

import "slices"

// maxVisits bounds the walks over one body's commits, all branches together: a
// body of many branches on a long chain would otherwise cost their product.
const maxVisits = 200_000

// A commitGraph finds which commits of a body belong to which branch. In a
// chain only the head names its branch, and a merged-in commit names none
// (its "branches" are branches that did not move), so what a branch gained is
// everything in the body that its head reaches through parents.
type commitGraph struct {
	commits  []postCommit
	byNode   map[string]int   // the first nodeDigits digits → index
	branches []string         // in the order of their heads
	own      map[string][]int // branch → its commits, the head last
	visits   int
}

func newCommitGraph(commits []postCommit) *commitGraph {
	g := &commitGraph{commits: commits, byNode: make(map[string]int, len(commits)), own: map[string][]int{}}
	for i := range commits {
		c := &commits[i]
		g.byNode[short(c.id())] = i
		if c.Branch != nil && *c.Branch != "" {
			g.own[*c.Branch] = append(g.own[*c.Branch], i)
		}
	}
	for b := range g.own {
		g.branches = append(g.branches, b)
	}
	slices.SortFunc(g.branches, func(a, b string) int { return g.head(a) - g.head(b) })
	return g
}

func (g *commitGraph) head(branch string) int {
	own := g.own[branch]
	return own[len(own)-1]
}

func short(node string) string { return node[:min(len(node), nodeDigits)] }

// reach gives the commits that the branch's own reach, in the order of the
// body. all is false where the walk was cut short.
func (g *commitGraph) reach(branch string) (reached []int, all bool) {
	seen := map[int]bool{}
	stack := []int{}
	add := func(i int) {
		if !seen[i] {
			seen[i] = true
			stack = append(stack, i)
		}
	}
	for _, i := range g.own[branch] {
		add(i)
	}
	all = true
	for len(stack) > 0 {
		if g.visits++; g.visits > maxVisits {
			all = false
			break
		}
		i := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		for _, parent := range g.commits[i].Parents {
			if j, ok := g.byNode[short(parent)]; ok && parent != "" {
				add(j)
			}
		}
	}
	for i := range seen {
		reached = append(reached, i)
	}
	slices.Sort(reached)
	return reached, all
}

// before follows first parents from the branch's head until they leave the
// body; "" where they end in a root commit.
func (g *commitGraph) before(branch string) string {
	at := g.head(branch)
	for range g.commits {
		g.visits++
		parents := g.commits[at].Parents
		if len(parents) == 0 || parents[0] == "" {
			return ""
		}
		next, inside := g.byNode[short(parents[0])]
		if !inside {
			return parents[0]
		}
		if g.visits > maxVisits {
			return ""
		}
		at = next
	}
	return ""
}
