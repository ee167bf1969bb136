package host

import (
	"net/http"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/pushgate/pushgate/rules"
)

// Bitbucket Data Center's repo:refs_changed, and the repo:push of its older
// webhook plugin; only the fields used. Neither lists files. Source: Bitbucket
// Data Center's "Event payload".
type dcPush struct {
	Changes    []dcChange    `json:"changes"`
	Commits    []dcCommit    `json:"commits"`  // newest first, at most five, of the one change
	ToCommit   *dcCommit     `json:"toCommit"` // what the one change points to
	Repository *dcRepository `json:"repository"`
	Actor      *dcUser       `json:"actor"`
	Push       *struct {
		Changes []cloudChange `json:"changes"`
	} `json:"push"`
}

type dcChange struct {
	Ref struct {
		ID string `json:"id"`
	} `json:"ref"`
	RefID    string `json:"refId"`
	FromHash string `json:"fromHash"`
	ToHash   string `json:"toHash"`
}

type dcCommit struct {
	ID      string `json:"id"`
	Message string `json:"message"`
	// milliseconds since 1970, and RFC 3339 from version 10 on
	CommitterTimestamp jsontext.Value `json:"committerTimestamp"`
	Author             struct {
		Name         string `json:"name"`
		EmailAddress string `json:"emailAddress"`
	} `json:"author"`
}

type dcRepository struct {
	Slug     string `json:"slug"`
	FullName string `json:"fullName"` // of the plugin
	Project  struct {
		Key string `json:"key"`
	} `json:"project"`
}

type dcUser struct {
	Name         string `json:"name"`
	Username     string `json:"username"`
	DisplayName  string `json:"displayName"`
	EmailAddress string `json:"emailAddress"`
}

func (u *dcUser) person() rules.Person {
	if u == nil {
		return rules.Person{}
	}
	return rules.Person{Name: firstOf(u.Name, u.Username, u.DisplayName), Email: u.EmailAddress}
}

func parseBitbucketDataCenter(src rules.Source, h http.Header, body []byte) (*Delivery, error) {
	switch event := h.Get("X-Event-Key"); event {
	case "repo:refs_changed", "repo:push":
	case "diagnostics:ping":
		return &Delivery{Ignored: "ping: the webhook works"}, nil
	case "":
		return nil, refuse(http.StatusBadRequest, "send it as Bitbucket does, with X-Event-Key", "the request does not say which event it is")
	default:
		return &Delivery{Ignored: notPush(event)}, nil
	}
	text, err := payload(h, body)
	if err != nil {
		return nil, err
	}
	var b dcPush
	if err := decode(text, &b); err != nil {
		return nil, err
	}
	if b.Repository == nil {
		return nil, wrongShape(rules.BitbucketDataCenter, "it has no repository")
	}
	repo := b.Repository.Project.Key + "/" + b.Repository.Slug
	if err := checkRepo(rules.BitbucketDataCenter, repo); err != nil {
		return nil, err
	}
	refs := len(b.Changes)
	if b.Push != nil {
		refs += len(b.Push.Changes)
	}
	who := b.Actor.person()
	if err := checkRepeated(refs, src.Name, repo, who.Name, who.Email); err != nil {
		return nil, err
	}
	d := &Delivery{Key: key(h.Get("X-Request-Id"), body), Repo: repo}
	for i := range b.Changes {
		if err := checkMoved(rules.BitbucketDataCenter, b.Changes[i].FromHash, b.Changes[i].ToHash); err != nil {
			return nil, err
		}
		if p, ok := b.change(src, repo, &b.Changes[i]); ok {
			d.Pushes = append(d.Pushes, p)
		}
	}
	if b.Push != nil {
		for i := range b.Push.Changes {
			// The plugin writes a change as Bitbucket Cloud does.
			if !b.Push.Changes[i].namesCommits() {
				return nil, wrongShape(rules.BitbucketDataCenter, "a ref of it has no commit")
			}
			if p, ok := b.Push.Changes[i].push(src, repo); ok {
				p.Pusher = b.Actor.person()
				d.Pushes = append(d.Pushes, p)
			}
		}
	}
	if len(d.Pushes) == 0 {
		d.Note = "the push moved no branch and no tag"
	}
	return d, nil
}

// change reads one ref that moved; ok is false for what is neither branch nor
// tag. Commits are listed once, so they are those of an only change.
func (b *dcPush) change(src rules.Source, repo string, c *dcChange) (rules.Push, bool) {
	kind, name, ok := splitRef(firstOf(c.RefID, c.Ref.ID))
	if !ok {
		return rules.Push{}, false
	}
	p := rules.Push{
		Source: src.Name, Repo: repo, Kind: kind, Ref: name, Event: eventOf(c.FromHash, c.ToHash, false),
		Before: commitOr(c.FromHash), After: commitOr(c.ToHash), Pusher: b.Actor.person(),
		Files: rules.Files{Completeness: rules.Unknown, Paths: []string{}},
	}
	if p.Event == rules.Deleted {
		p.Files.Completeness = rules.Complete
	}
	if len(b.Changes) == 1 {
		commits := make([]commit, len(b.Commits))
		for i := range b.Commits {
			commits[i] = b.Commits[i].commit()
		}
		slices.Reverse(commits)
		if b.ToCommit != nil && b.ToCommit.ID != "" && p.After != "" {
			// An annotated tag's hash is its own; a new ref at an old commit lists none.
			if kind == rules.Tag {
				p.After = b.ToCommit.ID
			}
			if n := len(commits); n == 0 || commits[n-1].ID != b.ToCommit.ID {
				commits = append(commits, b.ToCommit.commit())
			}
		}
		p.Commits = keep(commits)
	}
	return p, true
}

func (c *dcCommit) commit() commit {
	return commit{
		ID: c.ID, Message: c.Message, Timestamp: strings.Trim(string(c.CommitterTimestamp), `"`),
		Author: &author{Name: c.Author.Name, Email: c.Author.EmailAddress},
	}
}
