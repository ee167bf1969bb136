package host

import (
	"net/http"

	"github.com/pushgate/pushgate/rules"
)

// GitHub's push event; only the fields used. Created, deleted and forced are
// said outright. Source: GitHub's "Webhook events and payloads".
type githubPush struct {
	Ref        string            `json:"ref"`
	Before     string            `json:"before"`
	After      string            `json:"after"`
	Created    bool              `json:"created"`
	Deleted    bool              `json:"deleted"`
	Forced     bool              `json:"forced"`
	Compare    string            `json:"compare"`
	Commits    []commit          `json:"commits"`
	HeadCommit *commit           `json:"head_commit"`
	Repository *githubRepository `json:"repository"`
	Pusher     *author           `json:"pusher"`
}

type githubRepository struct {
	FullName      string `json:"full_name"`
	HTMLURL       string `json:"html_url"`
	DefaultBranch string `json:"default_branch"`
}

const (
	// githubCommits is how many commits a push event lists at most, and
	// githubFiles how many files of one commit.
	githubCommits = 2048
	githubFiles   = 3000
)

func parseGitHub(src rules.Source, h http.Header, body []byte) (*Delivery, error) {
	switch event := h.Get("X-GitHub-Event"); event {
	case "push":
	case "ping":
		return &Delivery{Ignored: "ping: the webhook works"}, nil
	case "":
		return nil, refuse(http.StatusBadRequest, "send it as GitHub does, with X-GitHub-Event", "the request does not say which event it is")
	default:
		return &Delivery{Ignored: notPush(event)}, nil
	}
	text, err := payload(h, body)
	if err != nil {
		return nil, err
	}
	var b githubPush
	if err := decode(text, &b); err != nil {
		return nil, err
	}
	if b.Repository == nil {
		return nil, wrongShape(rules.GitHub, "it has no repository")
	}
	if err := checkRepo(rules.GitHub, b.Repository.FullName); err != nil {
		return nil, err
	}
	d := &Delivery{Key: key(h.Get("X-GitHub-Delivery"), body), Repo: b.Repository.FullName}
	kind, name, ok := splitRef(b.Ref)
	if !ok {
		return &Delivery{Ignored: notRef(b.Ref)}, nil
	}
	if err := checkMoved(rules.GitHub, b.Before, b.After); err != nil {
		return nil, err
	}
	after, commits := headed(kind, commitOr(b.After), b.Commits, b.HeadCommit)
	p := rules.Push{
		Source: src.Name, Repo: d.Repo, Kind: kind, Ref: name,
		Event:  eventOf(b.Before, b.After, b.Forced),
		Before: commitOr(b.Before), After: after, Commits: keep(commits),
		Pusher: b.Pusher.person(), DefaultBranch: b.Repository.DefaultBranch,
		CompareURL: pageURL(b.Compare),
	}
	p.Files = b.files(&p)
	if p.After != "" {
		p.CommitURL = joinPage(b.Repository.HTMLURL, "/commit/"+p.After)
	}
	d.Pushes = []rules.Push{p}
	return d, nil
}

// files are complete for an ordinary push within the caps. What a forced push
// dropped, and what a new branch has beside the commits that are new to the
// repository, no body says.
func (b *githubPush) files(p *rules.Push) rules.Files {
	if p.Kind == rules.Tag || p.Event == rules.Deleted {
		return (&FileSet{}).Files(p.Event == rules.Deleted)
	}
	whole := p.Event == rules.Pushed && len(b.Commits) > 0 && len(b.Commits) < githubCommits
	for i := range b.Commits {
		c := &b.Commits[i]
		whole = whole && len(c.Added)+len(c.Removed)+len(c.Modified) < githubFiles
	}
	return filesOf(b.Commits).Files(whole)
}
