// Package api asks code hosts what their pushes leave out, and tells them how
// builds stand. Contract:
//
//   - A client sends to the configured address and nowhere else. A link out of an
//     answer is followed only where it stays below that address, and redirects
//     are not followed at all, so that credentials never leave the host. The one
//     address besides is where Bitbucket Cloud hands out OAuth tokens: made of
//     the configured one, see [New].
//   - A list of changed files is complete only where the host's answer proves it:
//     within its caps, all pages read. Names that the push brought stay in it.
//   - An error says whether the same call may succeed later, and how long the
//     host asks to wait. A client makes no second try of its own but for an OAuth
//     token that has run out.
//   - Text out of a push or an answer is data: in an address it fills one segment
//     and never climbs.
//   - A state told twice is told once; whoever calls [Client.Report] for one
//     commit and context keeps the order.
//
// A code host is one file: an implementation of codeHost, named in New.
package api

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/pushgate/pushgate/gateway/host"
	"github.com/pushgate/pushgate/internal/rest"
	"github.com/pushgate/pushgate/rules"
)

// Options say which host is asked, and as whom.
type Options struct {
	// Host is one of [rules.Source]'s hosts; the POST service asks Bitbucket
	// Cloud.
	Host string
	// API is the configured address with its credentials; without any it is asked
	// as anybody.
	API rules.API
	// Transport carries the requests; nil: [http.DefaultTransport].
	Transport http.RoundTripper
	// Timeout bounds one request and its answer; 0: 15 s.
	Timeout time.Duration
	// Logger is told of every answer at debug level; nil discards.
	Logger *slog.Logger
}

// A Client asks one code host. It may be used by several goroutines at once.
type Client struct {
	host     codeHost
	name     string
	signedIn bool
}

// A codeHost is how one host is asked. Commits are full or abbreviated hashes,
// branches short names; errors are [*Error].
type codeHost interface {
	// changed compares the two commits of a push that moved a ref.
	changed(ctx context.Context, repo, before, after string) (comparison, error)
	// gained gives what a commit has beside a branch: since their merge base.
	gained(ctx context.Context, repo, branch, commit string) (comparison, error)
	// commit gives a commit's id in full, message, author and time.
	commit(ctx context.Context, repo, id string) (rules.Commit, error)
	// defaultBranch gives its short name, "" where the repository has none.
	defaultBranch(ctx context.Context, repo string) (string, error)
	// heads gives all branches.
	heads(ctx context.Context, repo string) ([]Head, error)
	// report tells the state of a build of a commit; nil where it told that
	// before.
	report(ctx context.Context, repo, commit string, s Status) error
}

// A comparison is what a host says of two commits.
type comparison struct {
	// files are those that differ, both names of a rename; what the host would
	// not list is missing where complete is false, and why says so.
	files    host.FileSet
	complete bool
	why      string
	// forced says that the first commit is no ancestor of the second, known that
	// the host was asked that, or said it; where pushes say it, nobody is asked.
	forced, known bool
}

// A Head is a branch and the commit it is at.
type Head struct{ Branch, Commit string }

// New makes a client; nothing is sent yet. OAuth tokens are fetched from
// /site/oauth2/access_token, at https://bitbucket.org where the address is
// https://api.bitbucket.org, else at the address itself.
func New(o Options) (*Client, error) {
	base, err := rest.BaseURL(o.API.URL)
	if err != nil {
		return nil, fmt.Errorf("url of the api %q: %w", rest.RedactUser(o.API.URL), err)
	}
	c := &Client{name: o.Host, signedIn: o.API.Token != "" || o.API.Password != "" || o.API.ClientSecret != ""}
	switch o.Host {
	case rules.BitbucketCloud, rules.BitbucketPost:
		c.host = newBitbucketCloud(base, o)
	case rules.BitbucketDataCenter:
		c.host = newBitbucketDataCenter(base, o)
	case rules.GitHub:
		c.host = newGitHub(base, o)
	case rules.GitLab:
		c.host = newGitLab(base, o)
	case rules.Gitea, rules.Forgejo:
		c.host = newGitea(base, o)
	case rules.Gogs:
		c.host = newGogs(base, o)
	default:
		return nil, fmt.Errorf("host %q has no api here", o.Host)
	}
	return c, nil
}

// Reports says whether states of builds can be told: the host has a place for
// them, and the client credentials.
func (c *Client) Reports() bool { return c.signedIn && c.name != rules.Gogs }

// Heads gives all branches of a repository with the commits they are at.
func (c *Client) Heads(ctx context.Context, repo string) ([]Head, error) {
	heads, err := c.host.heads(ctx, repo)
	for _, h := range heads {
		if err == nil && (h.Branch == "" || !isHash(h.Commit)) {
			err = foreign("list the branches of " + repo)
		}
	}
	return heads, err
}

// A State is how a build stands, as far as code hosts care.
type State string

// The states of a status.
const (
	Pending State = "pending" // called for, waiting
	Running State = "running"
	Success State = "success"
	Failure State = "failure"
	Aborted State = "aborted"
	Skipped State = "skipped" // not called for, and nothing to wait for
)

// A Status is what a commit's page shows of a build.
type Status struct {
	// Context tells apart the builds of a commit; the same one replaces.
	Context string
	State   State
	// Description is one line, cut where the host takes less; URL a page for
	// people.
	Description, URL string
}

// Report tells the host a state of a build of a commit.
func (c *Client) Report(ctx context.Context, repo, commit string, s Status) error {
	if !isHash(commit) {
		return cannot(reporting(s, commit, repo), noHash, "")
	}
	return c.host.report(ctx, repo, commit, s)
}
