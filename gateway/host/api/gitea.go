package api

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/pushgate/pushgate/gateway/host"
	"github.com/pushgate/pushgate/rules"
)

// Gitea's and Forgejo's API, version 1; only the fields used. Source: Gitea's
// source code. Its comparison came with 1.22, compares branches and tags only in
// some versions (go-gitea/gitea#31838), and gives the commits of one side in one
// answer without bound, each with its files and the costly count of lines. The
// list of commits with "not" gives the same in pages, so that is asked. The files
// of a commit are those against its first parent, a rename as two; it leaves out
// a file of which only the type changed, as from a file to a link.
type gitea struct{ *caller }

const (
	// giteaPage is the largest page of most installations.
	giteaPage = 50
	// giteaCommits is how many commits of a push are read at most.
	giteaCommits = 5000
	// giteaText and giteaLink bound the texts of a status, which the host does
	// not.
	giteaText = 255
	giteaLink = 2000
)

func newGitea(base string, o Options) codeHost { return forgeOf(base, o) }

func forgeOf(base string, o Options) *gitea {
	g := &gitea{newCaller(strings.TrimSuffix(base, "/api/v1")+"/api/v1", o)}
	if o.API.Token != "" {
		g.bearer("Authorization", "token ", string(o.API.Token))
	}
	return g
}

// A giteaCommit has null files where they were not asked for.
type giteaCommit struct {
	SHA     string     `json:"sha"`
	Parents []githubID `json:"parents"`
	Commit  struct {
		Message string `json:"message"`
		Author  struct {
			rules.Person
			Date string `json:"date"`
		} `json:"author"`
	} `json:"commit"`
	Files []struct {
		Name string `json:"filename"`
	} `json:"files"`
}

type giteaBranch struct {
	Name   string `json:"name"`
	Commit struct {
		ID string `json:"id"`
	} `json:"commit"`
}

func (b *giteaBranch) head() Head { return Head{Branch: b.Name, Commit: b.Commit.ID} }

// A side is what one commit has and another has not.
type side struct {
	commits int
	way     []string // from the newest, the oldest first
	// merged are commits that both have and that came in by the other sides of
	// merges, the newest merge of the way first.
	merged []string
	why    string
}

// changed gathers the files of the commits that came and, of a forced push, of
// those that went. That is all that differs where the ways of both end at the
// same commit; if the one before came in by a merge's other side, what lies
// between is added.
func (g *gitea) changed(ctx context.Context, repo, before, after string) (diff comparison, err error) {
	op := comparing(repo, before, after)
	came, err := g.side(ctx, op, repo, after, before, &diff.files)
	if err != nil {
		return diff, err
	}
	diff.known, diff.why = true, came.why
	if !sameCommit(came.way[0], before) {
		went, err := g.side(ctx, op, repo, before, after, &diff.files)
		if err != nil {
			return diff, err
		}
		diff.forced = went.commits > 0
		if !diff.forced && came.why == "" && came.way[0] != "" {
			if went, err = g.side(ctx, op, repo, before, came.way[0], &diff.files); err != nil {
				return diff, err
			}
		}
		diff.why = cmp.Or(diff.why, went.why)
		if went.way[0] != came.way[0] || came.way[0] == "" {
			diff.why = cmp.Or(diff.why, "the host lists no way of commits from one to the other")
		}
	}
	diff.complete = diff.why == ""
	return diff, nil
}

// gained gathers the files of the commits that the branch has not.
func (g *gitea) gained(ctx context.Context, repo, branch, commit string) (diff comparison, err error) {
	op := comparing(repo, branch, commit)
	var b giteaBranch
	if err := g.get(ctx, op, &b, repo, "branches", branch); err != nil {
		return diff, err
	}
	if b.Commit.ID == "" {
		return diff, foreign(op)
	}
	came, err := g.side(ctx, op, repo, commit, b.Commit.ID, &diff.files)
	if err != nil {
		return diff, err
	}
	diff.why = came.why
	if len(came.merged) > 0 {
		// The branch was merged meanwhile: what is new is so since that merge.
		since, err := g.side(ctx, op, repo, came.merged[0], came.way[0], &diff.files)
		if err != nil {
			return diff, err
		}
		diff.why = cmp.Or(diff.why, since.why)
		if since.way[0] != came.way[0] {
			diff.why = cmp.Or(diff.why, "the host lists no way of commits from one to the other")
		}
	}
	if came.commits > 0 && came.way[0] == "" {
		diff.why = cmp.Or(diff.why, "the commits have no common ancestor")
	}
	diff.complete = diff.why == ""
	return diff, nil
}

// side adds the files of the commits that newer has and older has not.
func (g *gitea) side(ctx context.Context, op, repo, newer, older string, files *host.FileSet) (side, error) {
	at, err := g.at(op, repo, "commits")
	if err != nil {
		return side{}, err
	}
	s, steps, others, ignored := side{}, parents{}, map[string][]string{}, false
	query := url.Values{"sha": {newer}, "not": {older}, "stat": {"false"}, "verification": {"false"}, "files": {"true"}}
	bare, nameless := false, false // a commit without a list of files, a file without a name
	s.why, err = numbered(ctx, g.caller, paging{
		call: call{op: op, path: at, query: query}, size: giteaPage, sizeName: "limit", shorter: true, most: giteaCommits / giteaPage,
	}, func(list *[]giteaCommit) (int, bool) {
		had := len(steps)
		for _, c := range *list {
			ignored = ignored || c.SHA == "" || sameCommit(c.SHA, older)
			bare = bare || c.Files == nil
			steps[c.SHA] = ""
			for i, p := range c.Parents {
				if i == 0 {
					steps[c.SHA] = p.SHA
				} else {
					others[c.SHA] = append(others[c.SHA], p.SHA)
				}
			}
			if sameCommit(c.SHA, newer) {
				newer = c.SHA
			}
			for _, f := range c.Files {
				nameless = nameless || f.Name == ""
				files.Add(f.Name)
			}
		}
		return len(*list), len(steps) > had && !ignored && !files.Full()
	})
	switch {
	case err != nil:
		return s, g.absent(ctx, repo, err, older, newer)
	case ignored:
		return s, cannot(op, "the host does not tell what one commit has and another has not", "update the host: Gitea and Forgejo do since about version 1.20")
	case files.Full():
		s.why = longer(files)
	case bare:
		s.why = cmp.Or(s.why, "the host lists commits without their files")
	case nameless:
		s.why = cmp.Or(s.why, unnamed)
	}
	s.commits, s.way = len(steps), steps.way(newer)
	for i := len(s.way) - 1; i >= 0; i-- {
		for _, p := range others[s.way[i]] {
			if _, own := steps[p]; !own && p != s.way[0] {
				s.merged = append(s.merged, p)
			}
		}
	}
	return s, nil
}

// absent gives the error that is meant by a 500, which the host answers where it
// has no such commit.
func (g *gitea) absent(ctx context.Context, repo string, err error, ids ...string) error {
	if AsError("", err).Status != http.StatusInternalServerError {
		return err
	}
	for _, id := range ids {
		if _, e := g.commit(ctx, repo, id); e != nil && AsError("", e).Status == http.StatusNotFound {
			return e
		}
	}
	return err
}

func (g *gitea) commit(ctx context.Context, repo, id string) (rules.Commit, error) {
	return g.commitAt(ctx, repo, id, "git", "commits", id)
}

func (g *gitea) commitAt(ctx context.Context, repo, id string, resource ...string) (rules.Commit, error) {
	op := fmt.Sprintf("ask for commit %.12s of %s", id, repo)
	var c giteaCommit
	if err := g.get(ctx, op, &c, repo, resource...); err != nil {
		return rules.Commit{}, err
	}
	if c.SHA == "" {
		return rules.Commit{}, foreign(op)
	}
	return rules.Commit{ID: c.SHA, Message: c.Commit.Message, Author: c.Commit.Author.Person, Time: host.TimeOf(c.Commit.Author.Date)}, nil
}

func (g *gitea) defaultBranch(ctx context.Context, repo string) (string, error) {
	return forgeDefault(repo, func(op string, into any) error { return g.get(ctx, op, into, repo) })
}

func (g *gitea) heads(ctx context.Context, repo string) ([]Head, error) {
	op := "list the branches of " + repo
	at, err := g.at(op, repo, "branches")
	if err != nil {
		return nil, err
	}
	return numberedHeads(ctx, g.caller, paging{call: call{op: op, path: at}, size: giteaPage, sizeName: "limit", shorter: true}, (*giteaBranch).head)
}

// report adds a status: the newest of a context counts.
func (g *gitea) report(ctx context.Context, repo, commit string, s Status) error {
	op := reporting(s, commit, repo)
	at, err := g.at(op, repo, "statuses", commit)
	if err != nil {
		return err
	}
	_, err = g.send(ctx, call{op: op, method: http.MethodPost, path: at, body: forgeStatus(s, giteaText, giteaText, giteaLink)})
	if err != nil {
		err = g.absent(ctx, repo, err, commit)
	}
	return err
}

// at is the path of a resource of a repository.
func (g *gitea) at(op, repo string, resource ...string) (string, error) {
	owner, name, err := splitRepo(op, repo)
	return path(append([]string{"repos", owner, name}, resource...)...), err
}

// get asks for a resource, without what costs the host time and is not used.
func (g *gitea) get(ctx context.Context, op string, into any, repo string, resource ...string) error {
	at, err := g.at(op, repo, resource...)
	if err != nil {
		return err
	}
	k := call{op: op, path: at, into: into}
	if len(resource) > 1 && resource[0] == "git" {
		k.query = url.Values{"stat": {"false"}, "verification": {"false"}, "files": {"false"}}
	}
	_, err = g.send(ctx, k)
	return err
}
