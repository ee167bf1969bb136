package api

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/pushgate/pushgate/gateway/host"
	"github.com/pushgate/pushgate/rules"
)

// GitLab's REST API, version 4; only the fields used. Sources: its reference
// (Repositories, Commits, Branches, Projects) and its source code: that
// compare_timeout says that files are missing from a comparison (the instance
// bounds their number, lines and bytes), while the list of a single commit's
// files ends without a word, which is why commits are compared, too, and never
// asked for theirs; what statuses it takes; that addresses end at 255 characters.
type gitlab struct{ *caller }

// gitlabText bounds the texts of a status, in characters. Of a description it is
// caution.
const gitlabText = 255

func newGitLab(base string, o Options) codeHost {
	g := &gitlab{newCaller(strings.TrimSuffix(base, "/api/v4")+"/api/v4", o)}
	if o.API.Token != "" {
		g.bearer("PRIVATE-TOKEN", "", string(o.API.Token))
	}
	return g
}

// A gitlabComparison lists the files that differ and the commits that the older
// has not.
type gitlabComparison struct {
	Commits []gitlabCommit `json:"commits"`
	Diffs   []struct {
		OldPath string `json:"old_path"`
		NewPath string `json:"new_path"`
	} `json:"diffs"`
	Cut *bool `json:"compare_timeout"` // true where files are missing
}

// cut says that files are missing, for all that the host says.
func (c *gitlabComparison) cut() bool {
	for i := range c.Diffs {
		if c.Diffs[i].OldPath == "" || c.Diffs[i].NewPath == "" {
			return true
		}
	}
	return c.Cut == nil || *c.Cut
}

type gitlabCommit struct {
	ID            string   `json:"id"`
	Parents       []string `json:"parent_ids"`
	Message       string   `json:"message"`
	AuthorName    string   `json:"author_name"`
	AuthorEmail   string   `json:"author_email"`
	CommittedDate string   `json:"committed_date"`
}

// changed compares the two trees, so that a forced push is compared right as
// well; whether it was one, the merge base tells.
func (g *gitlab) changed(ctx context.Context, repo, before, after string) (diff comparison, err error) {
	op := comparing(repo, before, after)
	c, err := g.compare(ctx, op, repo, before, after, true, &diff.files)
	if err != nil {
		return diff, err
	}
	base, err := g.mergeBase(ctx, op, repo, before, after)
	if err != nil {
		return diff, err
	}
	diff.known, diff.forced = true, !sameCommit(base, before)
	switch {
	case !c.cut():
	case base == "":
		diff.why = "the host lists not all of them, and the commits have no common ancestor"
	default:
		diff.why, err = g.walk(ctx, op, repo, c, after, base, &diff.files)
		if err == nil && diff.forced {
			// What the push dropped is along the way from the merge base, too.
			var missing string
			if c, err = g.compare(ctx, op, repo, after, before, true, &diff.files); err == nil {
				missing, err = g.walk(ctx, op, repo, c, before, base, &diff.files)
			}
			diff.why = cmp.Or(diff.why, missing)
		}
	}
	diff.complete = diff.why == ""
	return diff, err
}

func (g *gitlab) gained(ctx context.Context, repo, branch, commit string) (diff comparison, err error) {
	op := comparing(repo, branch, commit)
	c, err := g.compare(ctx, op, repo, branch, commit, false, &diff.files)
	if err == nil && c.cut() {
		var base string
		if base, err = g.mergeBase(ctx, op, repo, branch, commit); err == nil {
			diff.why, err = g.walk(ctx, op, repo, c, commit, base, &diff.files)
		}
	}
	diff.complete = diff.why == ""
	return diff, err
}

// compare adds what differs: between the two, or since their merge base.
func (g *gitlab) compare(ctx context.Context, op, repo, from, to string, straight bool, files *host.FileSet) (*gitlabComparison, error) {
	c := &gitlabComparison{}
	query := url.Values{"from": {from}, "to": {to}, "straight": {fmt.Sprint(straight)}}
	if err := g.get(ctx, op, c, query, repo, "repository", "compare"); err != nil {
		return nil, err
	}
	if c.Diffs == nil {
		return nil, foreign(op)
	}
	for _, d := range c.Diffs {
		files.Add(d.OldPath, d.NewPath)
	}
	return c, nil
}

// walk adds what a comparison lacks that was cut.
func (g *gitlab) walk(ctx context.Context, op, repo string, c *gitlabComparison, newer, base string, files *host.FileSet) (why string, err error) {
	steps := parents{}
	for _, commit := range c.Commits {
		steps[commit.ID] = ""
		if len(commit.Parents) > 0 {
			steps[commit.ID] = commit.Parents[0]
		}
		if sameCommit(commit.ID, newer) {
			newer = commit.ID
		}
	}
	w := walker{
		between: func(ctx context.Context, from, to string, files *host.FileSet) (bool, error) {
			c, err := g.compare(ctx, op, repo, from, to, true, files)
			return err == nil && !c.cut(), err
		},
		alone: func(_ context.Context, commit string, _ *host.FileSet) (string, error) {
			return fmt.Sprintf("commit %.12s changes more than the host lists", commit), nil
		},
	}
	return w.walk(ctx, steps.way(newer), base, files)
}

// mergeBase gives the newest common ancestor, "" for none.
func (g *gitlab) mergeBase(ctx context.Context, op, repo, one, two string) (string, error) {
	var c gitlabCommit
	err := g.get(ctx, op, &c, url.Values{"refs[]": {one, two}}, repo, "repository", "merge_base")
	if e := AsError(op, err); err != nil && e.Status == http.StatusNotFound && e.Err != nil && strings.Contains(e.Err.Error(), "Merge Base") {
		return "", nil
	}
	if err == nil && c.ID == "" {
		err = foreign(op)
	}
	return c.ID, err
}

func (g *gitlab) commit(ctx context.Context, repo, id string) (rules.Commit, error) {
	op := fmt.Sprintf("ask for commit %.12s of %s", id, repo)
	var c gitlabCommit
	if err := g.get(ctx, op, &c, url.Values{"stats": {"false"}}, repo, "repository", "commits", id); err != nil {
		return rules.Commit{}, err
	}
	if c.ID == "" {
		return rules.Commit{}, foreign(op)
	}
	return rules.Commit{ID: c.ID, Message: c.Message, Author: rules.Person{Name: c.AuthorName, Email: c.AuthorEmail}, Time: host.TimeOf(c.CommittedDate)}, nil
}

func (g *gitlab) defaultBranch(ctx context.Context, repo string) (string, error) {
	op := "ask for the default branch of " + repo
	var p struct {
		Path          string `json:"path_with_namespace"`
		DefaultBranch string `json:"default_branch"` // null where there is none
	}
	if err := g.get(ctx, op, &p, nil, repo); err != nil {
		return "", err
	}
	if p.Path == "" {
		return "", foreign(op)
	}
	return p.DefaultBranch, nil
}

func (g *gitlab) heads(ctx context.Context, repo string) ([]Head, error) {
	type branch struct {
		Name   string       `json:"name"`
		Commit gitlabCommit `json:"commit"`
	}
	k := call{op: "list the branches of " + repo, path: path("projects", repo, "repository", "branches")}
	return numberedHeads(ctx, g.caller, paging{call: k, size: 100, sizeName: "per_page"},
		func(b *branch) Head { return Head{Branch: b.Name, Commit: b.Commit.ID} })
}

// report moves the status that is under way, or where the last one has ended
// begins another of the same name: that one counts from then on. The host does
// not move a status to where it is, nor back from running to pending; both times
// there is nothing left to tell. A build that is not needed is a success: a
// pipeline of skipped ones alone does not let a merge request pass, unless its
// project says so, and older versions do not take the state.
func (g *gitlab) report(ctx context.Context, repo, commit string, s Status) error {
	op := reporting(s, commit, repo)
	states := map[State]string{
		Pending: "pending", Running: "running", Success: "success", Skipped: "success", Failure: "failed", Aborted: "canceled",
	}
	_, err := g.send(ctx, call{op: op, method: http.MethodPost, path: path("projects", repo, "statuses", commit), body: statusBody{
		State: states[s.State], Context: contextOf(s.Context, gitlabText),
		Description: cut(strings.Join(strings.Fields(s.Description), " "), gitlabText), TargetURL: linkOf(s, gitlabText),
	}})
	if err == nil {
		return nil
	}
	e := AsError(op, err)
	switch {
	case e.Status == http.StatusBadRequest && e.Err != nil && slices.Contains(there(states[s.State]), transition(e.Err.Error())):
		return nil
	case e.Status == http.StatusConflict:
		e.Temporary = true // another status of the commit is just being written
	}
	return e
}

// there are the states at which a status need not be moved to a state.
func there(state string) []string {
	if state == "pending" {
		return []string{"pending", "running"}
	}
	return []string{state}
}

// transition gives the state of "Cannot transition status via :run from :state".
func transition(words string) string {
	_, rest, _ := strings.Cut(words, "Cannot transition status via :")
	_, rest, _ = strings.Cut(rest, " from :")
	state, _, _ := strings.Cut(rest, " ")
	return state
}

// get asks for a resource of a project, whose whole path is one segment.
func (g *gitlab) get(ctx context.Context, op string, into any, query url.Values, repo string, resource ...string) error {
	_, err := g.send(ctx, call{op: op, path: path(append([]string{"projects", repo}, resource...)...), query: query, into: into})
	return err
}
