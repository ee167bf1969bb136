package cli

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pushgate/pushgate/rules"
)

const (
	// maxGitOutput bounds what is read of one git command. Files beyond it make
	// the list partial, commits beyond it are left out.
	maxGitOutput = 32 << 20
	// maxGitCommits is how many commits of a range are kept, the newest.
	maxGitCommits = 1000
)

// fromClone gives the push that a range of the clone in the current directory
// amounts to, as a code host would tell of it. It reads only, and runs nothing
// that the clone configures.
func (f pushFlags) fromClone(ctx context.Context, set *rules.Set, source string, given func(flag string) bool) ([]rules.Push, error) {
	for _, name := range []string{"file", "message", "author"} {
		if given(name) {
			return nil, usagef("a range says itself what changed: leave out --%s", name)
		}
	}
	switch {
	case f.branch != "" && f.tag != "":
		return nil, usagef("give one of --branch and --tag")
	case rules.Event(f.event) == rules.Deleted:
		return nil, usagef("a deletion changes no files: leave out --git, or --event")
	}
	c, err := openClone(ctx)
	if err != nil {
		return nil, err
	}
	s, err := c.span(f.git, given("event"))
	if err != nil {
		return nil, err
	}
	if s.forced && !given("event") {
		f.event = string(rules.Forced)
	}
	if err := c.place(&f, s.end); err != nil {
		return nil, err
	}
	files, err := c.files(s)
	if err != nil {
		return nil, err
	}
	commits, err := c.commits(s)
	if err != nil {
		return nil, err
	}
	pushes, err := f.push(set, source, false)
	for i := range pushes {
		p := &pushes[i]
		p.Before, p.After, p.Files, p.Commits = s.before, s.after, files, commits
		if p.Event == rules.Created {
			p.Before = "" // hosts name none for a new ref
		}
	}
	return pushes, err
}

// A span is what a range means: a ref moved from before to after. Before is
// empty where after is a root commit.
type span struct {
	before, after string
	// end is how the range names after.
	end    string
	forced bool
}

// span reads A..B, A...B (from their merge base) and X (from its first parent);
// a side left out is HEAD, as in git. With told it does not matter whether the
// push was forced.
func (c *clone) span(text string, told bool) (span, error) {
	from, end, dots := cutRange(text)
	for _, rev := range []string{from, end} {
		if rev == "" || rev[0] == '-' || strings.Contains(rev, "\x00") {
			return span{}, usagef("--git is a revision or a range of two, such as origin/main..HEAD, and not %q", text)
		}
	}
	s := span{end: end}
	var err error
	if s.after, err = c.commit(end); err != nil {
		return s, err
	}
	if dots == "" {
		s.before, err = c.firstParent(s.after, end)
		return s, err
	}
	if s.before, err = c.commit(from); err != nil {
		return s, err
	}
	base, err := c.line("merge-base", s.before, s.after)
	failed, _ := errors.AsType[*gitError](err)
	none := failed != nil && failed.code == 1
	switch {
	case err != nil && !none:
		return s, err
	case dots == "..." && none:
		return s, fmt.Errorf("%q and %q have no commit in common here%s", from, end, c.more("; give the range with two dots"))
	case dots == "...":
		s.before = base
	default:
		s.forced = base != s.before
	}
	if s.forced && c.shallow && !told {
		return s, fmt.Errorf("the clone is shallow and does not show whether %q was forced; fetch its history (git fetch --unshallow), or say --event push or force", text)
	}
	if s.before == s.after {
		return s, fmt.Errorf("the range %q is empty: it begins and ends at %s; name what was there before the push", text, short(s.after))
	}
	return s, nil
}

// cutRange splits a range at its dots; a single revision has none.
func cutRange(text string) (from, end, dots string) {
	for _, dots := range []string{"...", ".."} {
		if from, end, ok := strings.Cut(text, dots); ok {
			return orHead(from), orHead(end), dots
		}
	}
	return text, text, ""
}

func orHead(rev string) string {
	if rev == "" {
		return "HEAD"
	}
	return rev
}

// more ends an error about history that is not there: with how to get it, or
// with other where all there is was fetched.
func (c *clone) more(other string) string {
	if c.shallow {
		return ": the clone is shallow; fetch more of its history (git fetch --unshallow)"
	}
	return other
}

// commit finds the commit a revision names; of an annotated tag, the commit it
// points to.
func (c *clone) commit(rev string) (string, error) {
	missing := fmt.Errorf("there is no commit %q in this clone%s", rev, c.more("; check its spelling, or fetch it (git fetch)"))
	id, err := c.line("rev-parse", "--verify", "--end-of-options", rev)
	if failed, ok := errors.AsType[*gitError](err); ok {
		if strings.Contains(failed.said, "is ambiguous") {
			return "", fmt.Errorf("several objects begin with %q; give more of its digits", rev)
		}
		return "", missing
	}
	if err != nil {
		return "", err
	}
	if !isHash(id) { // ^X and the like
		return "", missing
	}
	commit, err := c.line("rev-parse", "--verify", id+"^{commit}")
	if _, failed := errors.AsType[*gitError](err); failed {
		if kind := c.ask("cat-file", "-t", id); kind == "tree" || kind == "blob" {
			return "", fmt.Errorf("%q is a %s; name a commit, a branch or a tag", rev, kind)
		}
		return "", missing
	}
	return commit, err
}

func isHash(s string) bool {
	_, err := hex.DecodeString(s)
	return err == nil && (len(s) == 40 || len(s) == 64)
}

// firstParent reads the commit itself: in a shallow clone git counts commits
// whose parents were not fetched as roots.
func (c *clone) firstParent(commit, rev string) (string, error) {
	text, err := c.run("cat-file", "commit", commit)
	if err != nil && !errors.Is(err, errTooMuch) {
		return "", err
	}
	_, rest, _ := strings.Cut(string(text), "\n") // the tree
	first, _, _ := strings.Cut(rest, "\n")
	parent, has := strings.CutPrefix(first, "parent ")
	if !has || !isHash(parent) {
		return "", nil
	}
	if c.ask("cat-file", "-t", parent) != "commit" {
		return "", fmt.Errorf("the parent of %q is not in this clone%s", rev, c.more("; git fsck tells what else is missing"))
	}
	return parent, nil
}

// files are the paths that differ between the ends. diff-tree looks at trees
// only, and at no configuration of diffs.
func (c *clone) files(s span) (rules.Files, error) {
	out := rules.Files{Completeness: rules.Complete, Paths: []string{}}
	before, err := s.before, error(nil)
	if before == "" {
		if before, err = c.line("hash-object", "-t", "tree", "--stdin"); err != nil {
			return out, err
		}
	}
	text, err := c.run("diff-tree", "-r", "-z", "--name-only", "--no-renames", "--no-ext-diff", "--no-textconv", "--ignore-submodules=none", before, s.after, "--")
	if errors.Is(err, errTooMuch) {
		out.Completeness, err = rules.Partial, nil
	}
	for rest := string(text); ; {
		path, after, ok := strings.Cut(rest, "\x00")
		if !ok {
			return out, err
		}
		out.Paths, rest = append(out.Paths, path), after
	}
}

// commits are those of the range, oldest first. A push that only takes commits
// away still has a head.
func (c *clone) commits(s span) ([]rules.Commit, error) {
	which := []string{s.after}
	if s.before != "" {
		which = append(which, "^"+s.before)
	}
	list, err := c.log(maxGitCommits, which...)
	if err == nil && len(list) == 0 {
		list, err = c.log(1, s.after)
	}
	slices.Reverse(list)
	return list, err
}

// log lists commits, newest first.
func (c *clone) log(most int, which ...string) ([]rules.Commit, error) {
	args := []string{"rev-list", "--topo-order", "--max-count=" + strconv.Itoa(most), "--encoding=UTF-8", "--format=%an%x00%ae%x00%at%x00%B%x00"}
	text, err := c.run(append(append(args, which...), "--")...)
	cut := errors.Is(err, errTooMuch)
	if err != nil && !cut {
		return nil, err
	}
	var out []rules.Commit
	for r := bytes.NewBuffer(text); ; {
		var field [4]string
		id, err := r.ReadString('\n')
		for i := 0; i < len(field) && err == nil; i++ {
			field[i], err = r.ReadString(0)
			field[i] = strings.TrimSuffix(field[i], "\x00")
		}
		if err == nil {
			_, err = r.ReadByte() // the newline after it
		}
		switch {
		case err != nil && cut && len(out) == 0:
			return nil, fmt.Errorf("the message of commit %s is longer than %d MB; describe the push by --repo, --branch and --file", short(which[0]), c.room>>20)
		case errors.Is(err, io.EOF):
			return out, nil
		}
		commit := rules.Commit{
			ID: strings.TrimSpace(strings.TrimPrefix(id, "commit ")), Message: strings.TrimSuffix(field[3], "\n"),
			Author: rules.Person{Name: field[0], Email: field[1]},
		}
		if n, err := strconv.ParseInt(field[2], 10, 64); err == nil {
			// JSON has no years beyond four digits.
			if t := time.Unix(n, 0).UTC(); t.Year() >= 1 && t.Year() <= 9999 {
				commit.Time = t
			}
		}
		out = append(out, commit)
	}
}
