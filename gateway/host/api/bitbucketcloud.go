package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/pushgate/pushgate/gateway/host"
	"github.com/pushgate/pushgate/rules"
)

// Bitbucket Cloud's API 2.0; only the fields used. Sources: its REST API
// reference (Commits, Refs, Repositories, Commit statuses, Pagination, Partial
// responses); that a key of more than 40 characters is refused is not in there,
// but in the answers recorded by many. The bounds of the other texts are caution.
type bitbucketCloud struct {
	*caller
	// told says that the pushes tell whether they were forced.
	told bool
}

// Bounds of a build's status, in characters.
const (
	cloudKey  = 40
	cloudText = 255
	cloudURL  = 2000
)

// tooLarge is the status by which this host says that a difference takes it too
// long.
const tooLarge = 555

func newBitbucketCloud(base string, o Options) codeHost {
	c := newCaller(strings.TrimSuffix(base, "/2.0"), o)
	switch {
	case o.API.ClientSecret != "":
		c.signIn(o.API.ClientID, string(o.API.ClientSecret))
	case o.API.Token != "":
		c.bearer("Authorization", "Bearer ", string(o.API.Token))
	}
	return &bitbucketCloud{c, host.TellsForce(o.Host)}
}

// A cloudPage is one page of a list; Next is the whole address of the next one.
type cloudPage[T any] struct {
	Values  listed[T] `json:"values"`
	PageLen int       `json:"pagelen"`
	Next    string    `json:"next"`
}

// A cloudFile is a file of a diffstat. Old is null where it is new, New where it
// is gone.
type cloudFile struct {
	Status string     `json:"status"`
	Old    *cloudPath `json:"old"`
	New    *cloudPath `json:"new"`
}

// named says that a change has the names that its kind must have.
func (f *cloudFile) named() bool {
	_, hasOld := f.Old.name()
	_, hasNew := f.New.name()
	switch {
	case f.Old == nil && f.New == nil, !hasOld, !hasNew:
		return false
	case f.Old == nil || f.New == nil:
		return f.Status != "renamed" && f.Status != "modified"
	}
	return true
}

type cloudPath struct {
	Path string `json:"path"`
}

// name is "" for no file; ok is false for one without a name.
func (p *cloudPath) name() (name string, ok bool) {
	if p == nil {
		return "", true
	}
	return p.Path, p.Path != ""
}

type cloudBranch struct {
	Name   string `json:"name"`
	Target struct {
		Hash string `json:"hash"`
	} `json:"target"`
}

// changed has the host compare the two trees, so a forced push is compared right
// as well; whether it was one, the merge base tells where the push does not.
// Without an answer to that the files are what they are.
func (b *bitbucketCloud) changed(ctx context.Context, repo, before, after string) (comparison, error) {
	op := comparing(repo, before, after)
	diff, err := b.diffstat(ctx, op, repo, after, before, false)
	if diff.known = b.told; err != nil || b.told {
		return diff, err
	}
	var base struct {
		Hash string `json:"hash"`
	}
	if err := b.get(ctx, op, repo, url.Values{"fields": {"hash"}}, &base, "merge-base", before+".."+after); err == nil && base.Hash != "" {
		diff.known, diff.forced = true, !sameCommit(base.Hash, before)
	}
	return diff, nil
}

// gained takes the branch's head first: what a name with a slash means within a
// pair of revisions is nowhere said.
func (b *bitbucketCloud) gained(ctx context.Context, repo, branch, commit string) (comparison, error) {
	op := comparing(repo, branch, commit)
	var head cloudBranch
	if err := b.get(ctx, op, repo, url.Values{"fields": {"name,target.hash"}}, &head, "refs", "branches", branch); err != nil {
		return comparison{}, err
	}
	if head.Target.Hash == "" {
		return comparison{}, foreign(op)
	}
	return b.diffstat(ctx, op, repo, commit, head.Target.Hash, true)
}

// diffstat gives what now has and old has not; since their merge base where topic
// is set. The host takes the two in this order, which is the reverse of git's.
func (b *bitbucketCloud) diffstat(ctx context.Context, op, repo, now, old string, topic bool) (diff comparison, err error) {
	nameless := false
	query := url.Values{
		"topic": {fmt.Sprint(topic)}, "pagelen": {"500"},
		"fields": {"next,pagelen,values.status,values.old.path,values.new.path"},
	}
	whole, err := cloudPages(ctx, b, op, repo, query, []string{"diffstat", now + ".." + old}, func(list []cloudFile) bool {
		for _, f := range list {
			from, _ := f.Old.name()
			to, _ := f.New.name()
			nameless = nameless || !f.named()
			diff.files.Add(from, to)
		}
		return !diff.files.Full()
	})
	if e, refused := errors.AsType[*Error](err); refused && e.Status == tooLarge {
		diff.why = "the host takes too long to compare the two"
		return diff, nil
	}
	switch {
	case !whole:
		diff.why = longer(&diff.files)
	case nameless:
		diff.why = unnamed
	default:
		diff.complete = true
	}
	return diff, err
}

func (b *bitbucketCloud) commit(ctx context.Context, repo, id string) (rules.Commit, error) {
	op := fmt.Sprintf("ask for commit %.12s of %s", id, repo)
	var c struct {
		Hash    string `json:"hash"`
		Message string `json:"message"`
		Date    string `json:"date"`
		Author  struct {
			Raw string `json:"raw"`
		} `json:"author"`
	}
	if err := b.get(ctx, op, repo, url.Values{"fields": {"hash,message,date,author.raw"}}, &c, "commit", id); err != nil {
		return rules.Commit{}, err
	}
	if c.Hash == "" {
		return rules.Commit{}, foreign(op)
	}
	return rules.Commit{ID: c.Hash, Message: c.Message, Author: host.PersonOf(c.Author.Raw), Time: host.TimeOf(c.Date)}, nil
}

func (b *bitbucketCloud) defaultBranch(ctx context.Context, repo string) (string, error) {
	op := "ask for the default branch of " + repo
	var r struct {
		FullName   string       `json:"full_name"`
		MainBranch *cloudBranch `json:"mainbranch"` // null where nothing was pushed yet
	}
	if err := b.get(ctx, op, repo, url.Values{"fields": {"full_name,mainbranch.name"}}, &r); err != nil {
		return "", err
	}
	if r.FullName == "" {
		return "", foreign(op)
	}
	if r.MainBranch == nil {
		return "", nil
	}
	return r.MainBranch.Name, nil
}

func (b *bitbucketCloud) heads(ctx context.Context, repo string) ([]Head, error) {
	op := "list the branches of " + repo
	heads := []Head{}
	query := url.Values{"pagelen": {"100"}, "fields": {"next,pagelen,values.name,values.target.hash"}}
	whole, err := cloudPages(ctx, b, op, repo, query, []string{"refs", "branches"}, func(list []cloudBranch) bool {
		for _, r := range list {
			heads = append(heads, Head{Branch: r.Name, Commit: r.Target.Hash})
		}
		return true
	})
	if err == nil && !whole {
		err = endless(op)
	}
	return heads, err
}

// report replaces what stands under the same key. The host wants an address, so
// without one it is the commit's own page.
func (b *bitbucketCloud) report(ctx context.Context, repo, commit string, s Status) error {
	op := reporting(s, commit, repo)
	at, err := b.at(op, repo, "commit", commit, "statuses", "build")
	if err != nil {
		return err
	}
	page := linkOf(s, cloudURL)
	if page == "" {
		owner, slug, _ := strings.Cut(repo, "/")
		page = strings.TrimSuffix(tokenAddress(b.base), "/site/oauth2/access_token") + path(owner, slug, "commits", commit)
	}
	states := map[State]string{
		Pending: "INPROGRESS", Running: "INPROGRESS", Success: "SUCCESSFUL", Skipped: "SUCCESSFUL", Failure: "FAILED", Aborted: "STOPPED",
	}
	_, err = b.send(ctx, call{op: op, method: http.MethodPost, path: at, body: map[string]string{
		"key": keyOf(s.Context, cloudKey), "name": cut(s.Context, cloudText), "state": states[s.State],
		"description": described(s, cloudText), "url": page,
	}})
	return err
}

// at is the path of a resource of a repository.
func (b *bitbucketCloud) at(op, repo string, resource ...string) (string, error) {
	workspace, slug, err := splitRepo(op, repo)
	return path(append([]string{"2.0", "repositories", workspace, slug}, resource...)...), err
}

func (b *bitbucketCloud) get(ctx context.Context, op, repo string, query url.Values, into any, resource ...string) error {
	at, err := b.at(op, repo, resource...)
	if err != nil {
		return err
	}
	_, err = b.send(ctx, call{op: op, path: at, query: query, into: into})
	return err
}

// cloudPages reads a list until its end, or until take has enough.
func cloudPages[T any](ctx context.Context, b *bitbucketCloud, op, repo string, query url.Values, resource []string, take func([]T) bool) (whole bool, err error) {
	at, err := b.at(op, repo, resource...)
	if err != nil {
		return false, err
	}
	enough := false
	whole, err = eachPage(b.base+at+"?"+query.Encode(), func(link string) (string, error) {
		at, query, ours := b.below(link)
		if !ours {
			return "", cannot(op, "the list goes on at another address than the configured one", hintURL)
		}
		var page cloudPage[T]
		if _, err := b.send(ctx, call{op: op, path: at, query: query, into: &page}); err != nil {
			return "", err
		}
		if page.Values == nil && page.PageLen == 0 {
			return "", foreign(op)
		}
		if enough = !take(page.Values); enough {
			return "", nil
		}
		return page.Next, nil
	})
	return whole && !enough, err
}
