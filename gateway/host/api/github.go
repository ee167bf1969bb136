package api

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/pushgate/pushgate/gateway/host"
	"github.com/pushgate/pushgate/rules"
)

// GitHub's REST API, version 2022-11-28; only the fields used. Sources: its
// reference (Commits, Branches, Commit statuses, Pagination, Rate limits). That a
// description has 140 characters at most is in recorded answers. A guess is that
// the files of a merge are those against its first parent, which counts only
// where these are more than githubFiles.
type github struct{ *caller }

const (
	// githubFiles is how many files a comparison lists at most, githubCommitFiles
	// how many a commit.
	githubFiles       = 300
	githubCommitFiles = 3000
	// githubCommits is how many commits of a comparison are read at most.
	githubCommits = 10000
	// githubPage is the largest page.
	githubPage = 100
	// githubText bounds a description, in characters; githubLink, which is caution,
	// an address.
	githubText = 140
	githubLink = 2000
	// githubContext bounds a context, which caution sets to what many refusals
	// name.
	githubContext = 255
)

func newGitHub(base string, o Options) codeHost {
	g := &github{newCaller(base, o)}
	g.client.SetHeader("Accept", "application/vnd.github+json").SetHeader("X-GitHub-Api-Version", "2022-11-28")
	if o.API.Token != "" {
		g.bearer("Authorization", "Bearer ", string(o.API.Token))
	}
	return g
}

type githubID struct {
	SHA string `json:"sha"`
}

// A githubFile has the other name of a rename, and of a copy, whose origin did
// not change.
type githubFile struct {
	Name     string `json:"filename"`
	Previous string `json:"previous_filename"`
	Status   string `json:"status"`
}

// A githubComparison lists the newer commit's files against the merge base, all
// on its first page, and the commits that the older has not.
type githubComparison struct {
	Status    string       `json:"status"` // of the newer: ahead, behind, diverged or identical
	Base      githubID     `json:"base_commit"`
	MergeBase githubID     `json:"merge_base_commit"`
	Total     int          `json:"total_commits"`
	Files     []githubFile `json:"files"`
	Commits   []struct {
		githubID
		Parents []githubID `json:"parents"`
	} `json:"commits"`
}

// whole says that all files are listed, and that nothing else in the answer
// speaks against it.
func (c *githubComparison) whole() bool {
	for i := range c.Files {
		if !c.Files[i].named() {
			return false
		}
	}
	ahead := c.Status == "ahead" || c.Status == "diverged"
	if ahead {
		return len(c.Files) < githubFiles && c.Files != nil && c.Total > 0
	}
	return len(c.Files) == 0 && c.Total == 0 && (c.Status == "behind" || c.Status == "identical")
}

// named says that the file has all names it must have.
func (f *githubFile) named() bool {
	return f.Name != "" && (f.Status != "renamed" || f.Previous != "")
}

type githubCommit struct {
	githubID
	Commit struct {
		Message   string       `json:"message"`
		Author    rules.Person `json:"author"`
		Committer struct {
			Date string `json:"date"`
		} `json:"committer"`
	} `json:"commit"`
	Files []githubFile `json:"files"`
}

// changed compares from the merge base; where the older commit was dropped, what
// it had beyond is found by comparing the other way round, too. Without a common
// ancestor the host does not compare at all: 404.
func (g *github) changed(ctx context.Context, repo, before, after string) (diff comparison, err error) {
	status, err := g.side(ctx, repo, before, after, &diff)
	if err != nil {
		return diff, err
	}
	diff.known = true
	switch {
	case status == "ahead", status == "identical" && sameCommit(before, after):
	case status == "behind", status == "diverged":
		diff.forced = true
		var back string
		back, err = g.side(ctx, repo, after, before, &diff)
		if back != map[string]string{"behind": "ahead", "diverged": "diverged"}[status] {
			diff.why = cmp.Or(diff.why, contradicts)
		}
	default:
		diff.known = false
		diff.why = cmp.Or(diff.why, contradicts)
	}
	diff.complete = diff.why == ""
	return diff, err
}

func (g *github) gained(ctx context.Context, repo, branch, commit string) (diff comparison, err error) {
	_, err = g.side(ctx, repo, branch, commit, &diff)
	diff.complete = diff.why == ""
	return diff, err
}

// side adds what the newer commit has since the merge base, and gives how it
// stands to the older.
func (g *github) side(ctx context.Context, repo, older, newer string, diff *comparison) (status string, err error) {
	op := comparing(repo, older, newer)
	first, err := g.compare(ctx, op, repo, older, newer)
	if err != nil {
		return "", err
	}
	githubNames(&diff.files, first.Files)
	if first.whole() {
		return first.Status, nil
	}
	steps, newest := parents{}, newer
	// A branch may move while its pages are read: the commit does not.
	at, err := g.at(op, repo, "compare", cmp.Or(first.Base.SHA, older)+"..."+newer)
	if err != nil {
		return "", err
	}
	why, err := numbered(ctx, g.caller, paging{call: call{op: op, path: at}, size: githubPage, sizeName: "per_page", most: githubCommits / githubPage},
		func(page *githubComparison) (int, bool) {
			had := len(steps)
			for _, c := range page.Commits {
				parent := ""
				if len(c.Parents) > 0 {
					parent = c.Parents[0].SHA
				}
				steps[c.SHA] = parent
				if sameCommit(c.SHA, newer) {
					newest = c.SHA
				}
			}
			return len(page.Commits), len(steps) > had
		})
	if err != nil {
		return "", err
	}
	w := walker{
		between: func(ctx context.Context, from, to string, files *host.FileSet) (bool, error) {
			c, err := g.compare(ctx, op, repo, from, to)
			if err != nil {
				return false, err
			}
			githubNames(files, c.Files)
			return c.whole() && (c.Status == "ahead" || c.Status == "identical"), nil
		},
		alone: func(ctx context.Context, commit string, files *host.FileSet) (string, error) {
			return g.commitFiles(ctx, op, repo, commit, files)
		},
	}
	missing, err := w.walk(ctx, steps.way(newest), first.MergeBase.SHA, &diff.files)
	diff.why = cmp.Or(diff.why, why, missing)
	return first.Status, err
}

// compare gives a comparison with its files, and as good as no commits.
func (g *github) compare(ctx context.Context, op, repo, older, newer string) (*githubComparison, error) {
	c := &githubComparison{}
	if err := g.get(ctx, op, c, repo, "compare", older+"..."+newer); err != nil {
		return nil, err
	}
	if c.Status == "" || c.MergeBase.SHA == "" {
		return nil, foreign(op)
	}
	return c, nil
}

// commitFiles adds the files of one commit.
func (g *github) commitFiles(ctx context.Context, op, repo, commit string, files *host.FileSet) (why string, err error) {
	at, err := g.at(op, repo, "commits", commit)
	if err != nil {
		return "", err
	}
	listed, nameless := 0, false
	why, err = numbered(ctx, g.caller, paging{call: call{op: op, path: at}, size: githubPage, sizeName: "per_page", most: githubCommitFiles/githubPage + 1},
		func(c *githubCommit) (int, bool) {
			listed += len(c.Files)
			nameless = nameless || c.Files == nil || slices.ContainsFunc(c.Files, func(f githubFile) bool { return !f.named() })
			githubNames(files, c.Files)
			return len(c.Files), len(c.Files) > 0
		})
	if nameless {
		why = cmp.Or(why, unnamed)
	}
	if listed >= githubCommitFiles {
		why = fmt.Sprintf("commit %.12s changes more files than the host lists, which is %d", commit, githubCommitFiles)
	}
	return why, err
}

func githubNames(files *host.FileSet, list []githubFile) {
	for _, f := range list {
		files.Add(f.Name)
		if f.Status != "copied" {
			files.Add(f.Previous)
		}
	}
}

func (g *github) commit(ctx context.Context, repo, id string) (rules.Commit, error) {
	op := fmt.Sprintf("ask for commit %.12s of %s", id, repo)
	var c githubCommit
	if err := g.get(ctx, op, &c, repo, "commits", id); err != nil {
		return rules.Commit{}, err
	}
	if c.SHA == "" {
		return rules.Commit{}, foreign(op)
	}
	return rules.Commit{ID: c.SHA, Message: c.Commit.Message, Author: c.Commit.Author, Time: host.TimeOf(c.Commit.Committer.Date)}, nil
}

func (g *github) defaultBranch(ctx context.Context, repo string) (string, error) {
	return forgeDefault(repo, func(op string, into any) error { return g.get(ctx, op, into, repo) })
}

func (g *github) heads(ctx context.Context, repo string) ([]Head, error) {
	op := "list the branches of " + repo
	at, err := g.at(op, repo, "branches")
	if err != nil {
		return nil, err
	}
	type branch struct {
		Name   string   `json:"name"`
		Commit githubID `json:"commit"`
	}
	return numberedHeads(ctx, g.caller, paging{call: call{op: op, path: at}, size: githubPage, sizeName: "per_page"},
		func(b *branch) Head { return Head{Branch: b.Name, Commit: b.Commit.SHA} })
}

// report adds a status: the newest of a context counts.
func (g *github) report(ctx context.Context, repo, commit string, s Status) error {
	op := reporting(s, commit, repo)
	at, err := g.at(op, repo, "statuses", commit)
	if err != nil {
		return err
	}
	_, err = g.send(ctx, call{op: op, method: http.MethodPost, path: at, body: forgeStatus(s, githubContext, githubText, githubLink)})
	return err
}

// at is the path of a resource of a repository. A branch in it is one segment,
// its slashes escaped, as GitHub's own client libraries send it.
func (g *github) at(op, repo string, resource ...string) (string, error) {
	owner, name, err := splitRepo(op, repo)
	return path(append([]string{"repos", owner, name}, resource...)...), err
}

// get asks for a resource, of its own list with the least that there is.
func (g *github) get(ctx context.Context, op string, into any, repo string, resource ...string) error {
	at, err := g.at(op, repo, resource...)
	if err != nil {
		return err
	}
	k := call{op: op, path: at, into: into}
	if len(resource) > 0 {
		k.query = url.Values{"page": {"1"}, "per_page": {"1"}}
	}
	_, err = g.send(ctx, k)
	return err
}
