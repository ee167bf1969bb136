package api

import (
	"cmp"
	"context"
	"fmt"

	"github.com/pushgate/pushgate/gateway/host"
	"github.com/pushgate/pushgate/rules"
)

// Complete asks for what a push lacks and gives the push with what was found. It
// keeps what the push had: a list of files only grows. Where a call failed the
// push has what the others found, and the error says why; asked again for what
// [Left] gives, only the rest is asked for.
func (c *Client) Complete(ctx context.Context, p rules.Push, lacks rules.Lacks) (rules.Push, error) {
	if p.Event == rules.Deleted || p.After == "" {
		return p, nil
	}
	if !isHash(p.After) || len(p.After) < minHash || p.Before != "" && (!isHash(p.Before) || len(p.Before) < minHash) {
		return p, cannot("ask about "+p.Repo, noHash, "")
	}
	var failed error
	// ask says whether to go on: what one call cannot have, another may.
	ask := func(call func() error) bool {
		err := call()
		if err == nil {
			return true
		}
		e := AsError("ask about "+p.Repo, err)
		if failed == nil || e.Temporary {
			failed = e
		}
		return !e.Temporary && !e.Host
	}
	more := true
	if p.DefaultBranch == "" && (lacks.DefaultBranch || lacks.Files && p.Before == "") {
		more = ask(func() (err error) {
			p.DefaultBranch, err = c.host.defaultBranch(ctx, p.Repo)
			return err
		})
	}
	if more && lacks.Head && len(p.Commits) == 0 {
		more = ask(func() error {
			head, err := c.host.commit(ctx, p.Repo, p.After)
			switch {
			case err != nil:
				return err
			case !isHash(head.ID) || p.Kind == rules.Branch && !sameCommit(head.ID, p.After):
				return foreign(fmt.Sprintf("ask for commit %.12s of %s", p.After, p.Repo))
			}
			if p.Kind == rules.Tag {
				p.After = head.ID // an annotated tag has an id of its own
			}
			p.Commits = []rules.Commit{head}
			return nil
		})
	}
	if more && p.Kind == rules.Branch && (lacks.Files || lacks.Force) {
		ask(func() error { return c.files(ctx, &p, lacks) })
	}
	return p, failed
}

// files asks what changed and whether the push was forced.
func (c *Client) files(ctx context.Context, p *rules.Push, lacks rules.Lacks) error {
	var diff comparison
	var err error
	switch {
	case p.Before != "":
		diff, err = c.host.changed(ctx, p.Repo, p.Before, p.After)
	case p.DefaultBranch != "" && p.DefaultBranch != p.Ref && !isBranch(p.DefaultBranch):
		return cannot(fmt.Sprintf("compare commit %.12s of %s with the default branch", p.After, p.Repo), "no branch can have its name", "")
	case p.DefaultBranch != "" && p.DefaultBranch != p.Ref:
		diff, err = c.host.gained(ctx, p.Repo, p.DefaultBranch, p.After)
	default:
		diff.why = "a new default branch has nothing to be compared with"
	}
	if err != nil {
		return err
	}
	if diff.known && diff.forced && p.Event == rules.Pushed {
		p.Event = rules.Forced
	}
	if lacks.Files {
		addFiles(p, diff)
	}
	if lacks.Force && p.Before != "" && !diff.known {
		return &Error{Op: comparing(p.Repo, p.Before, p.After), Temporary: true, Reason: "the host did not tell whether commits were dropped"}
	}
	return nil
}

// addFiles adds the files of a comparison to those of a push.
func addFiles(p *rules.Push, diff comparison) {
	var all host.FileSet
	all.Add(p.Files.Paths...)
	listed := diff.files.Files(diff.complete)
	all.Add(listed.Paths...)
	// What was complete by the push's word stays so.
	p.Files = all.Files(listed.Completeness == rules.Complete || p.Files.Completeness == rules.Complete)
	if p.Files.Completeness != rules.Complete {
		p.Files.Note = cmp.Or(diff.why, "the host lists no more")
	}
}

// Left is what a push lacks still of what it lacked.
func Left(p *rules.Push, lacks rules.Lacks) rules.Lacks {
	lacks.Head = lacks.Head && len(p.Commits) == 0
	lacks.DefaultBranch = lacks.DefaultBranch && p.DefaultBranch == ""
	return lacks
}

// comparing names a comparison for errors.
func comparing(repo, from, to string) string {
	return fmt.Sprintf("compare %.12s with %.12s of %s", from, to, repo)
}
