package host

import (
	"net/http"
	"slices"

	"github.com/pushgate/pushgate/rules"
)

// Bitbucket Cloud's repo:push; only the fields used. A push holds many refs and
// never files. Source: Bitbucket Cloud's "Event payloads".
type cloudPush struct {
	Push *struct {
		Changes []cloudChange `json:"changes"`
	} `json:"push"`
	Repository *struct {
		FullName string `json:"full_name"`
		Links    struct {
			HTML struct {
				Href string `json:"href"`
			} `json:"html"`
		} `json:"links"`
		MainBranch *struct {
			Name string `json:"name"`
		} `json:"mainbranch"`
	} `json:"repository"`
	Actor *cloudUser `json:"actor"`
}

type cloudChange struct {
	Old     *cloudRef     `json:"old"`
	New     *cloudRef     `json:"new"`
	Forced  bool          `json:"forced"`
	Commits []cloudCommit `json:"commits"` // newest first, at most five
}

type cloudRef struct {
	Type   string      `json:"type"`
	Name   string      `json:"name"`
	Target cloudCommit `json:"target"`
}

type cloudCommit struct {
	Hash    string `json:"hash"`
	Message string `json:"message"`
	Date    string `json:"date"`
	Author  struct {
		Raw string `json:"raw"`
	} `json:"author"`
}

type cloudUser struct {
	DisplayName string `json:"display_name"`
	Nickname    string `json:"nickname"`
	Username    string `json:"username"`
}

func (u *cloudUser) person() rules.Person {
	if u == nil {
		return rules.Person{}
	}
	return rules.Person{Name: firstOf(u.Nickname, u.Username, u.DisplayName)}
}

func (c *cloudCommit) commit() commit {
	who := PersonOf(c.Author.Raw)
	return commit{ID: c.Hash, Message: c.Message, Timestamp: c.Date, Author: &author{Name: who.Name, Email: who.Email}}
}

func parseBitbucketCloud(src rules.Source, h http.Header, body []byte) (*Delivery, error) {
	switch event := h.Get("X-Event-Key"); event {
	case "repo:push":
	case "":
		return nil, refuse(http.StatusBadRequest, "send it as Bitbucket does, with X-Event-Key", "the request does not say which event it is")
	default:
		return &Delivery{Ignored: notPush(event)}, nil
	}
	text, err := payload(h, body)
	if err != nil {
		return nil, err
	}
	var b cloudPush
	if err := decode(text, &b); err != nil {
		return nil, err
	}
	if b.Push == nil || b.Repository == nil {
		return nil, wrongShape(rules.BitbucketCloud, "it has no push or no repository")
	}
	if err := checkRepo(rules.BitbucketCloud, b.Repository.FullName); err != nil {
		return nil, err
	}
	pusher, page, main := b.Actor.person(), b.Repository.Links.HTML.Href, ""
	if b.Repository.MainBranch != nil {
		main = b.Repository.MainBranch.Name
	}
	if err := checkRepeated(len(b.Push.Changes), src.Name, b.Repository.FullName, pusher.Name, main, page, page); err != nil {
		return nil, err
	}
	d := &Delivery{Key: key(h.Get("X-Request-UUID"), body), Repo: b.Repository.FullName}
	for i := range b.Push.Changes {
		if !b.Push.Changes[i].namesCommits() {
			return nil, wrongShape(rules.BitbucketCloud, "a ref of it has no commit")
		}
		p, ok := b.Push.Changes[i].push(src, d.Repo)
		if !ok {
			continue
		}
		p.Pusher, p.DefaultBranch = pusher, main
		if p.After != "" {
			p.CommitURL = joinPage(page, "/commits/"+p.After)
		}
		if p.Before != "" && p.After != "" {
			p.CompareURL = joinPage(page, "/branches/compare/"+p.After+".."+p.Before)
		}
		d.Pushes = append(d.Pushes, p)
	}
	if len(d.Pushes) == 0 {
		d.Note = "the push moved no branch and no tag"
	}
	return d, nil
}

// namesCommits says that what the ref was and what it is have a commit each:
// one without would pass for a ref that was created or deleted.
func (c *cloudChange) namesCommits() bool {
	return (c.Old == nil || !none(c.Old.Target.Hash)) && (c.New == nil || !none(c.New.Target.Hash))
}

// push reads one ref that moved; ok is false for what is neither branch nor tag.
func (c *cloudChange) push(src rules.Source, repo string) (p rules.Push, ok bool) {
	ref := c.New
	if ref == nil {
		ref = c.Old
	}
	if ref == nil || ref.Name == "" {
		return p, false
	}
	p = rules.Push{
		Source: src.Name, Repo: repo, Kind: rules.Branch, Ref: ref.Name,
		Files: rules.Files{Completeness: rules.Unknown, Paths: []string{}},
	}
	switch ref.Type {
	case "branch", "named_branch":
	case "tag", "annotated_tag":
		p.Kind = rules.Tag
	default:
		return p, false
	}
	if c.Old != nil {
		p.Before = commitOr(c.Old.Target.Hash)
	}
	if c.New != nil {
		p.After = commitOr(c.New.Target.Hash)
		commits := make([]commit, 0, len(c.Commits)+1)
		for i := range c.Commits {
			commits = append(commits, c.Commits[i].commit())
		}
		slices.Reverse(commits)
		if n := len(commits); n == 0 || commits[n-1].ID != p.After {
			commits = append(commits, c.New.Target.commit())
		}
		p.Commits = keep(commits)
	}
	if p.Event = eventOf(p.Before, p.After, c.Forced); p.Event == rules.Deleted {
		p.Files.Completeness = rules.Complete
	}
	return p, true
}
