package host

import (
	"net/http"
	"slices"
	"strings"

	"github.com/pushgate/pushgate/rules"
)

// The push event of Gitea, Forgejo and Gogs, and what they send for refs that
// come and go; only the fields used. There is one request per ref, commits come
// newest first and at most five, and nothing says that a push was forced. Gitea
// sends a push beside the create of a ref and the delete of a tag; Gogs does so
// for branches it creates, and for a tag sends create and delete alone.
// Measured with Gitea 1.26; Gogs's is read from its source.
type giteaPush struct {
	Ref          string           `json:"ref"`
	RefType      string           `json:"ref_type"` // of create and delete
	SHA          string           `json:"sha"`      // of create
	Before       string           `json:"before"`
	After        string           `json:"after"`
	CompareURL   string           `json:"compare_url"`
	Commits      []commit         `json:"commits"`
	TotalCommits int              `json:"total_commits"`
	HeadCommit   *commit          `json:"head_commit"`
	Repository   *giteaRepository `json:"repository"`
	Pusher       *giteaUser       `json:"pusher"`
	Sender       *giteaUser       `json:"sender"`
}

type giteaRepository struct {
	FullName      string `json:"full_name"`
	HTMLURL       string `json:"html_url"`
	DefaultBranch string `json:"default_branch"`
}

type giteaUser struct {
	Login    string `json:"login"`
	Username string `json:"username"`
	FullName string `json:"full_name"`
	Email    string `json:"email"`
}

func (u *giteaUser) person() rules.Person {
	if u == nil {
		return rules.Person{}
	}
	return rules.Person{Name: firstOf(u.Login, u.Username, u.FullName), Email: u.Email}
}

// giteaCommits is how many commits an event lists at most.
const giteaCommits = 5

// bareSignature verifies the header of Gitea and its kin: the HMAC in hex, of
// the JSON text, also where that comes in a form.
func bareSignature(names ...string) func(rules.Source, http.Header, []byte) bool {
	return func(src rules.Source, h http.Header, body []byte) bool {
		text, err := payload(h, body)
		if err != nil {
			return false
		}
		for _, name := range names {
			if len(h.Values(name)) > 0 {
				sum, ok := one(h, name)
				return ok && signedBy(src.Secrets, sum, text)
			}
		}
		return false
	}
}

// parseGitea reads for Gitea, Forgejo and Gogs; prefixes are those of their
// headers, the host's own first.
func parseGitea(prefixes ...string) func(rules.Source, http.Header, []byte) (*Delivery, error) {
	return func(src rules.Source, h http.Header, body []byte) (*Delivery, error) {
		var event, id string
		for _, prefix := range prefixes {
			if event = h.Get(prefix + "Event"); event != "" {
				id = h.Get(prefix + "Delivery")
				break
			}
		}
		switch event {
		case "push", "delete", "create":
		case "":
			return nil, refuse(http.StatusBadRequest, "send it as "+src.Host+" does, with "+prefixes[0]+"Event", "the request does not say which event it is")
		default:
			return &Delivery{Ignored: notPush(event)}, nil
		}
		text, err := payload(h, body)
		if err != nil {
			return nil, err
		}
		var b giteaPush
		if err := decode(text, &b); err != nil {
			return nil, err
		}
		if b.Repository == nil {
			return nil, wrongShape(src.Host, "it has no repository")
		}
		if err := checkRepo(src.Host, b.Repository.FullName); err != nil {
			return nil, err
		}
		// A Gitea that speaks as Gogs sends its own header, too.
		alone := src.Host == rules.Gogs && h.Get("X-Gitea-Event") == ""
		switch {
		case event == "push":
			return b.push(src, id, body)
		case b.RefType == "tag" && !alone, b.RefType == "branch" && event == "create":
			return &Delivery{Ignored: event + " of a " + b.RefType + ": the push beside it says the same"}, nil
		}
		return b.comeOrGone(src, event, id, body)
	}
}

// comeOrGone reads the create and delete events that come without a push.
func (b *giteaPush) comeOrGone(src rules.Source, event, id string, body []byte) (*Delivery, error) {
	p := rules.Push{
		Source: src.Name, Repo: b.Repository.FullName, Kind: rules.Branch,
		Ref: strings.TrimPrefix(b.Ref, "refs/heads/"), Event: rules.Deleted,
		Pusher: b.Sender.person(), DefaultBranch: b.Repository.DefaultBranch, Files: (&FileSet{}).Files(true),
	}
	if b.RefType == "tag" {
		p.Kind, p.Ref = rules.Tag, strings.TrimPrefix(b.Ref, "refs/tags/")
	}
	if p.Ref == "" || b.RefType != "branch" && b.RefType != "tag" {
		return &Delivery{Ignored: notRef(b.Ref)}, nil
	}
	if event == "create" {
		if none(b.SHA) {
			return nil, wrongShape(src.Host, "it does not say which commit the tag has")
		}
		p.Event, p.After, p.Files = rules.Created, b.SHA, (&FileSet{}).Files(false)
		p.CommitURL = joinPage(b.Repository.HTMLURL, "/commit/"+p.After)
	}
	return &Delivery{Key: key(id, body), Repo: p.Repo, Pushes: []rules.Push{p}}, nil
}

func (b *giteaPush) push(src rules.Source, id string, body []byte) (*Delivery, error) {
	kind, name, ok := splitRef(b.Ref)
	if !ok {
		return &Delivery{Ignored: notRef(b.Ref)}, nil
	}
	if err := checkMoved(src.Host, b.Before, b.After); err != nil {
		return nil, err
	}
	if b.Before == b.After {
		return &Delivery{Ignored: "a test: the ref did not move"}, nil
	}
	commits := slices.Clone(b.Commits)
	slices.Reverse(commits)
	after, commits := headed(kind, commitOr(b.After), commits, b.HeadCommit)
	p := rules.Push{
		Source: src.Name, Repo: b.Repository.FullName, Kind: kind, Ref: name, Event: eventOf(b.Before, b.After, false),
		Before: commitOr(b.Before), After: after, Commits: keep(commits),
		Pusher: b.Pusher.person(), DefaultBranch: b.Repository.DefaultBranch, CompareURL: pageURL(b.CompareURL),
	}
	whole := p.Event == rules.Deleted
	if p.Event == rules.Pushed && len(b.Commits) > 0 {
		// Older versions and Gogs give no total: then fewer than the cap are all.
		whole = len(b.Commits) == b.TotalCommits || b.TotalCommits == 0 && len(b.Commits) < giteaCommits
	}
	p.Files = filesOf(b.Commits).Files(whole)
	if p.After != "" {
		p.CommitURL = joinPage(b.Repository.HTMLURL, "/commit/"+p.After)
	}
	return &Delivery{Key: key(id, body), Repo: p.Repo, Pushes: []rules.Push{p}}, nil
}
