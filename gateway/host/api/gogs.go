package api

import (
	"context"

	"github.com/pushgate/pushgate/rules"
)

// Gogs's API, version 1, out of which Gitea's grew; only the fields used. Source:
// its source code. It has neither comparisons nor statuses, gives the first line
// of a message, and all branches at once.
type gogs struct{ *gitea }

func newGogs(base string, o Options) codeHost { return gogs{forgeOf(base, o)} }

func (g gogs) changed(_ context.Context, repo, before, after string) (comparison, error) {
	return comparison{}, cannot(comparing(repo, before, after), "Gogs compares no commits through its API", "")
}

func (g gogs) gained(_ context.Context, repo, branch, commit string) (comparison, error) {
	return comparison{}, cannot(comparing(repo, branch, commit), "Gogs compares no commits through its API", "")
}

func (g gogs) commit(ctx context.Context, repo, id string) (rules.Commit, error) {
	return g.commitAt(ctx, repo, id, "commits", id)
}

func (g gogs) heads(ctx context.Context, repo string) ([]Head, error) {
	op := "list the branches of " + repo
	var list listed[giteaBranch]
	if err := g.get(ctx, op, &list, repo, "branches"); err != nil {
		return nil, err
	}
	heads := make([]Head, len(list))
	for i := range list {
		heads[i] = list[i].head()
	}
	return heads, nil
}

func (g gogs) report(_ context.Context, repo, commit string, s Status) error {
	return cannot(reporting(s, commit, repo), "Gogs keeps no statuses of commits", "")
}
