package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/pushgate/pushgate/gateway/host"
	"github.com/pushgate/pushgate/rules"
)

// Bitbucket Data Center's REST API 1.0; only the fields used. Sources: its REST
// API reference (Repository, Project, Builds and Deployments, the deprecated
// Build status) and "Updating build status for commits".
type bitbucketDC struct {
	*caller
	// older says that this server knows builds only apart from repositories.
	older atomic.Bool
}

const (
	// dcPageLen asks for as much as the host gives in one page.
	dcPageLen = "1000"
	// Bounds of a build's status, in characters.
	dcText = 255
	dcURL  = 450
)

func newBitbucketDataCenter(base string, o Options) codeHost {
	for _, end := range []string{"/rest/api/1.0", "/rest/api/latest", "/rest/api", "/rest"} {
		if root, found := strings.CutSuffix(base, end); found {
			base = root
			break
		}
	}
	c := newCaller(base, o)
	c.client.SetHeader("X-Atlassian-Token", "no-check")
	if o.API.Token != "" {
		c.bearer("Authorization", "Bearer ", string(o.API.Token))
	}
	return &bitbucketDC{caller: c}
}

// A dcPage is one page of a list.
type dcPage[T any] struct {
	Values        []T  `json:"values"`
	Size          *int `json:"size"` // of Values
	IsLastPage    bool `json:"isLastPage"`
	NextPageStart *int `json:"nextPageStart"`
}

type dcCommit struct {
	ID      string `json:"id"`
	Message string `json:"message"`
	Author  struct {
		Name         string `json:"name"`
		EmailAddress string `json:"emailAddress"`
	} `json:"author"`
	// milliseconds since 1970, and RFC 3339 from version 10 on
	CommitterTimestamp jsontext.Value `json:"committerTimestamp"`
	Parents            []struct {
		ID string `json:"id"`
	} `json:"parents"`
}

type dcBranch struct {
	DisplayID    string `json:"displayId"`
	LatestCommit string `json:"latestCommit"`
}

func (b *bitbucketDC) commit(ctx context.Context, repo, id string) (rules.Commit, error) {
	op := fmt.Sprintf("ask for commit %.12s of %s", id, repo)
	var c dcCommit
	if err := b.get(ctx, op, repo, nil, &c, "commits", id); err != nil {
		return rules.Commit{}, err
	}
	if c.ID == "" {
		return rules.Commit{}, foreign(op)
	}
	return rules.Commit{
		ID: c.ID, Message: c.Message, Author: rules.Person{Name: c.Author.Name, Email: c.Author.EmailAddress},
		Time: host.TimeOf(strings.Trim(string(c.CommitterTimestamp), `"`)),
	}, nil
}

// defaultBranch: in older versions it stands among the branches. A repository
// without commits answers 204 or 404; whether it is there at all, it is asked
// itself.
func (b *bitbucketDC) defaultBranch(ctx context.Context, repo string) (string, error) {
	op := "ask for the default branch of " + repo
	for _, resource := range [][]string{{"default-branch"}, {"branches", "default"}} {
		var branch *dcBranch
		switch err := b.get(ctx, op, repo, nil, &branch, resource...); {
		case status(err) == http.StatusNotFound:
			continue
		case err != nil:
			return "", err
		case branch == nil:
			return "", nil
		case branch.DisplayID == "":
			return "", foreign(op)
		}
		return branch.DisplayID, nil
	}
	return "", b.get(ctx, op, repo, nil, nil)
}

// status is that of an answer that refuses, 0 for any other error.
func status(err error) int {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Status
	}
	return 0
}

func (b *bitbucketDC) heads(ctx context.Context, repo string) ([]Head, error) {
	op := "list the branches of " + repo
	heads := []Head{}
	whole, err := dcPages(ctx, b, op, repo, url.Values{}, []string{"branches"}, func(_ int, list []dcBranch) bool {
		for _, r := range list {
			heads = append(heads, Head{Branch: r.DisplayID, Commit: r.LatestCommit})
		}
		return true
	})
	if err == nil && !whole {
		err = endless(op)
	}
	return heads, err
}

// report replaces what stands under the same key. CANCELLED came with version
// 8.0, so an aborted build is FAILED and the description says which. The host
// wants an address: without one that fits it is the commit's own page.
func (b *bitbucketDC) report(ctx context.Context, repo, commit string, s Status) error {
	op := reporting(s, commit, repo)
	at, err := b.at(op, repo, "commits", commit, "builds")
	if err != nil {
		return err
	}
	states := map[State]string{
		Pending: "INPROGRESS", Running: "INPROGRESS", Success: "SUCCESSFUL", Skipped: "SUCCESSFUL", Failure: "FAILED", Aborted: "FAILED",
	}
	if s.State == Aborted && !strings.Contains(strings.ToLower(s.Description), string(Aborted)) {
		s.Description = string(Aborted) + ": " + s.Description
	}
	page := linkOf(s, dcURL)
	if page == "" {
		project, slug, _ := strings.Cut(repo, "/")
		page = b.base + path("projects", project, "repos", slug, "commits", commit)
	}
	build := call{op: op, method: http.MethodPost, path: at, body: map[string]string{
		"key": keyOf(s.Context, dcText), "name": cut(s.Context, dcText), "state": states[s.State],
		"description": strings.TrimSuffix(described(s, dcText), ":"), "url": page,
	}}
	missing := func(err error) bool {
		return status(err) == http.StatusNotFound || status(err) == http.StatusMethodNotAllowed
	}
	if !b.older.Load() {
		_, err := b.send(ctx, build)
		if !missing(err) {
			return err
		}
		// A commit that is not there is answered alike, and the older resource takes
		// builds of any.
		switch _, gone := b.commit(ctx, repo, commit); {
		case missing(gone):
			return err
		case gone != nil:
			return gone
		}
	}
	build.path = path("rest", "build-status", "1.0", "commits", commit)
	_, err = b.send(ctx, build)
	b.older.Store(!missing(err))
	return err
}

// at is the path of a resource of a repository.
func (b *bitbucketDC) at(op, repo string, resource ...string) (string, error) {
	project, slug, err := splitRepo(op, repo)
	return path(append([]string{"rest", "api", "1.0", "projects", project, "repos", slug}, resource...)...), err
}

func (b *bitbucketDC) get(ctx context.Context, op, repo string, query url.Values, into any, resource ...string) error {
	at, err := b.at(op, repo, resource...)
	if err != nil {
		return err
	}
	_, err = b.send(ctx, call{op: op, path: at, query: query, into: into})
	return err
}

// dcPages reads a list until its end, or until take has enough. A page that is
// not the last and does not lead on is no end.
func dcPages[T any](ctx context.Context, b *bitbucketDC, op, repo string, query url.Values, resource []string, take func(start int, list []T) bool) (whole bool, err error) {
	open := false
	query.Set("limit", dcPageLen)
	whole, err = eachPage("0", func(place string) (string, error) {
		query.Set("start", place)
		var page dcPage[T]
		if err := b.get(ctx, op, repo, query, &page, resource...); err != nil {
			return "", err
		}
		if page.Values == nil {
			return "", foreign(op)
		}
		start, _ := strconv.Atoi(place)
		enough := !take(start, page.Values)
		// What contradicts itself is no end either.
		open = enough || page.IsLastPage == (page.NextPageStart != nil) || page.Size != nil && *page.Size != len(page.Values)
		if open || page.IsLastPage {
			return "", nil
		}
		return strconv.Itoa(*page.NextPageStart), nil
	})
	return whole && !open, err
}
