package api

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/pushgate/pushgate/gateway/host"
)

// Which files differ, by Bitbucket Data Center. Documented: compare/changes gives
// what one commit has and the other has not, its two names for them, and that
// lists of changes have a bound beyond which there is nothing to be had; that
// they may announce pages there all the same is in its tracker. Guesses: that
// compare/changes is from the merge base (its users see nothing where they ask a
// fast-forward the wrong way round), and that the bound holds for it.
const (
	// dcCap is that bound, page.max.changes, where nobody set it.
	dcCap = 1000
	// dcCommits is how many commits of a push are read at most.
	dcCommits = 10000
)

// A dcChange is a file that differs. SrcPath is null but for MOVE, and for COPY,
// which leaves the file there as it was.
type dcChange struct {
	Type    string  `json:"type"`
	Path    *dcPath `json:"path"`
	SrcPath *dcPath `json:"srcPath"`
}

type dcPath struct {
	Text       string   `json:"toString"`
	Components []string `json:"components"`
}

func (p *dcPath) name() string {
	if p == nil {
		return ""
	}
	if p.Text == "" {
		return strings.Join(p.Components, "/")
	}
	return p.Text
}

// changed: where commits were dropped, what they did counts as well. Two sides
// since one base hold whatever differs between them, so the union has it all.
func (b *bitbucketDC) changed(ctx context.Context, repo, before, after string) (diff comparison, err error) {
	op := comparing(repo, before, after)
	var dropped dcPage[dcCommit]
	err = b.get(ctx, op, repo, url.Values{"since": {after}, "until": {before}, "limit": {"1"}}, &dropped, "commits")
	diff.known = err == nil && dropped.Values != nil
	diff.forced = len(dropped.Values) > 0
	base := before
	if diff.forced || !diff.known {
		base = ""
	}
	if diff.why, err = b.side(ctx, op, repo, before, after, base, &diff.files); err != nil {
		return comparison{}, err
	}
	if base == "" {
		why, err := b.side(ctx, op, repo, after, before, "", &diff.files)
		if err != nil {
			return comparison{}, err
		}
		if diff.why == "" {
			diff.why = why
		}
	}
	diff.complete = diff.why == ""
	return diff, nil
}

func (b *bitbucketDC) gained(ctx context.Context, repo, branch, commit string) (diff comparison, err error) {
	diff.why, err = b.side(ctx, comparing(repo, branch, commit), repo, "refs/heads/"+branch, commit, "", &diff.files)
	diff.complete = diff.why == ""
	return diff, err
}

// side adds what newer has since its merge base with older. What is too long for
// one list is asked for along the commits between; base is the merge base where
// it is known.
func (b *bitbucketDC) side(ctx context.Context, op, repo, older, newer, base string, files *host.FileSet) (why string, err error) {
	why, capped, err := b.compare(ctx, op, repo, newer, older, files)
	if err != nil || !capped || files.Full() {
		return why, err
	}
	steps, newest, merges := parents{}, newer, false
	whole, err := dcPages(ctx, b, op, repo, url.Values{"since": {older}, "until": {newer}}, []string{"commits"}, func(_ int, list []dcCommit) bool {
		for _, c := range list {
			steps[c.ID] = ""
			if len(c.Parents) > 0 {
				steps[c.ID] = c.Parents[0].ID
			}
			merges = merges || len(c.Parents) > 1
			if sameCommit(c.ID, newer) {
				newest = c.ID
			}
		}
		return len(steps) < dcCommits
	})
	if err != nil && AsError(op, err).Temporary {
		return "", err
	}
	if !whole {
		return why, nil
	}
	way := steps.way(newest)
	if base == "" {
		if merges {
			return why, nil // the way may end before the merge base
		}
		base = way[0]
	}
	w := walker{
		between: func(ctx context.Context, from, to string, files *host.FileSet) (bool, error) {
			why, _, err := b.compare(ctx, op, repo, to, from, files)
			return why == "", err
		},
		// What a commit changes was compared and cut by then.
		alone: func(_ context.Context, commit string, _ *host.FileSet) (string, error) {
			return fmt.Sprintf("commit %.12s changes more files than the host lists", commit), nil
		},
	}
	return w.walk(ctx, way, base, files)
}

// compare adds what from has since its merge base with to. The list is whole, and
// why empty, where its last page was reached and no page left anything out;
// capped says that a shorter list would be whole.
func (b *bitbucketDC) compare(ctx context.Context, op, repo, from, to string, files *host.FileSet) (why string, capped bool, err error) {
	count, nameless, gap := 0, false, false
	whole, err := dcPages(ctx, b, op, repo, url.Values{"from": {from}, "to": {to}}, []string{"compare", "changes"}, func(start int, list []dcChange) bool {
		// A page after a full one that has nothing was cut off by the host.
		gap = gap || start != count || start > 0 && len(list) == 0
		count = start + len(list)
		for _, c := range list {
			nameless = nameless || c.Path.name() == "" || c.Type == "MOVE" && c.SrcPath.name() == ""
			if c.Type != "COPY" {
				files.Add(c.SrcPath.name())
			}
			files.Add(c.Path.name())
		}
		return !files.Full()
	})
	switch {
	case !whole, gap:
		return longer(files), true, err
	case count == dcCap:
		return fmt.Sprintf("the list ends after %d files, where the host's bound is", dcCap), true, nil
	case nameless:
		return unnamed, false, nil
	}
	return "", false, nil
}
