package host

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"time"

	"github.com/pushgate/pushgate/rules"
)

// The retired POST service of Bitbucket Cloud, as its documentation and
// recorded bodies show it; only the fields used. It never says whether a branch
// was created, deleted or forced, and a body without commits names no branch.
type postBody struct {
	CanonURL   string          `json:"canon_url"`
	Commits    []postCommit    `json:"commits"`
	Repository *postRepository `json:"repository"`
	Truncated  bool            `json:"truncated"`
	User       string          `json:"user"`
}

type postRepository struct {
	AbsoluteURL string `json:"absolute_url"`
	Owner       string `json:"owner"`
	Slug        string `json:"slug"`
}

type postCommit struct {
	Author       string     `json:"author"`
	Branch       *string    `json:"branch"`
	Files        []postFile `json:"files"`
	Message      string     `json:"message"`
	Node         string     `json:"node"`
	Parents      []string   `json:"parents"`
	RawAuthor    string     `json:"raw_author"`
	RawNode      string     `json:"raw_node"`
	UTCTimestamp string     `json:"utctimestamp"`
}

type postFile struct {
	File string `json:"file"`
}

// nodeDigits is how many digits of a commit the service gives in node and
// parents.
const nodeDigits = 12

func parseBitbucketPost(src rules.Source, h http.Header, body []byte) (*Delivery, error) {
	text, err := payload(h, body)
	if err != nil {
		return nil, err
	}
	var b postBody
	if err := decode(text, &b); err != nil {
		return nil, err
	}
	repo, err := b.repo()
	if err != nil {
		return nil, err
	}
	d := &Delivery{Repo: repo}
	if len(b.Commits) == 0 {
		d.Note = "names no branch: the body has no commits (a branch made or deleted, a merge already known, or a push too large for the service)"
		d.Unnamed = true
		return d, nil
	}
	sum := sha256.Sum256(body)
	d.Key = hex.EncodeToString(sum[:])
	branches := map[string]bool{}
	for i := range b.Commits {
		if c := &b.Commits[i]; c.Branch != nil {
			branches[*c.Branch] = true
		}
	}
	if err := checkRepeated(len(branches), src.Name, repo, repo, repo, b.User, b.CanonURL, b.CanonURL); err != nil {
		return nil, err
	}
	d.Pushes = b.pushes(src.Name, repo)
	if len(d.Pushes) == 0 {
		d.Unnamed = true
		d.Note = "names no branch: none of the commits says which branch moved"
	}
	return d, nil
}

func (b *postBody) repo() (string, error) {
	shape := func(what string) error {
		return refuse(http.StatusBadRequest, "is the source's host in the rule file the one that sends this? A POST service body has repository and commits", "the body has another shape: %s", what)
	}
	if b.Repository == nil {
		return "", shape("it has no repository")
	}
	if b.Commits == nil {
		return "", shape("it has no list of commits")
	}
	repo := strings.Trim(b.Repository.AbsoluteURL, "/")
	if !strings.Contains(repo, "/") {
		repo = b.Repository.Owner + "/" + b.Repository.Slug
	}
	owner, name, _ := strings.Cut(repo, "/")
	if owner == "" || name == "" || len(repo) > 500 {
		return "", shape("its repository has no owner and name")
	}
	return repo, nil
}

// pushes gives a push for each branch that a commit names, in the order of
// their heads.
func (b *postBody) pushes(source, repo string) []rules.Push {
	g := newCommitGraph(b.Commits)
	var out []rules.Push
	fileBytes := 0
	for _, branch := range g.branches {
		p := rules.Push{
			Source: source, Repo: repo, Kind: rules.Branch, Ref: branch, Event: rules.Pushed,
			Pusher: rules.Person{Name: b.User},
		}
		head := &b.Commits[g.head(branch)]
		p.After = head.id()
		p.Before = g.before(branch)
		reached, all := g.reach(branch)
		p.Files = rules.Files{Completeness: rules.Complete, Paths: []string{}}
		if b.Truncated || !all {
			p.Files.Completeness = rules.Unknown
		}
		seen := make(map[string]bool, 16)
		for _, i := range reached {
			for _, f := range b.Commits[i].Files {
				if fileBytes > maxFileBytes {
					p.Files.Completeness = rules.Unknown
					break
				}
				if f.File != "" && !seen[f.File] {
					seen[f.File] = true
					fileBytes += len(f.File) + 16
					p.Files.Paths = append(p.Files.Paths, f.File)
				}
			}
		}
		for _, i := range reached[max(0, len(reached)-maxCommits):] {
			p.Commits = append(p.Commits, b.Commits[i].commit(b.Commits[i].id() == p.After))
		}
		p.CommitURL = joinPage(b.CanonURL, "/"+repo+"/commits/"+p.After)
		if p.Before != "" {
			p.CompareURL = joinPage(b.CanonURL, "/"+repo+"/branches/compare/"+p.After+".."+p.Before)
		}
		out = append(out, p)
	}
	return out
}

const (
	// maxCommits is how many commits of a push are kept, the newest; files are
	// taken from all.
	maxCommits = 10
	// maxFileBytes bounds the names of files of all pushes of one body: branches
	// that share commits share their files, and a small body could name them a
	// thousand times.
	maxFileBytes = 32 << 20
)

func (c *postCommit) id() string {
	if c.RawNode != "" {
		return c.RawNode
	}
	return c.Node
}

// commit keeps the whole message of a head, which is its push's own, and the
// first words of others, which several pushes may share.
func (c *postCommit) commit(head bool) rules.Commit {
	out := rules.Commit{ID: c.id(), Message: c.Message, Author: PersonOf(c.RawAuthor)}
	if !head {
		out.Message = firstWords(c.Message)
	}
	if out.Author.Name == "" {
		out.Author.Name = c.Author
	}
	if t, err := time.Parse("2006-01-02 15:04:05Z07:00", c.UTCTimestamp); err == nil {
		out.Time = storable(t.UTC())
	}
	return out
}

// PersonOf splits "Name <mail>"; either part may be missing.
func PersonOf(raw string) rules.Person {
	open := strings.LastIndexByte(raw, '<')
	if open < 0 {
		return rules.Person{Name: strings.TrimSpace(raw)}
	}
	mail, _, _ := strings.Cut(raw[open+1:], ">")
	return rules.Person{Name: strings.TrimSpace(raw[:open]), Email: strings.TrimSpace(mail)}
}
