package host

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pushgate/pushgate/rules"
)

// none says that a commit is no commit: hosts write zeros, or nothing.
func none(commit string) bool { return strings.Trim(commit, "0") == "" }

// commitOr gives the commit, or "" for none.
func commitOr(commit string) string {
	if none(commit) {
		return ""
	}
	return commit
}

// splitRef reads refs/heads/x and refs/tags/x; ok is false for other refs, such
// as notes, which are neither branch nor tag.
func splitRef(ref string) (kind rules.Kind, name string, ok bool) {
	if name, ok := strings.CutPrefix(ref, "refs/heads/"); ok {
		return rules.Branch, name, name != ""
	}
	if name, ok := strings.CutPrefix(ref, "refs/tags/"); ok {
		return rules.Tag, name, name != ""
	}
	return "", "", false
}

// eventOf tells creation and deletion by the commits.
func eventOf(before, after string, forced bool) rules.Event {
	switch {
	case none(after):
		return rules.Deleted
	case none(before):
		return rules.Created
	case forced:
		return rules.Forced
	}
	return rules.Pushed
}

// checkMoved refuses a push that says neither what the ref was nor what it is: read
// on, it would pass for a deletion.
func checkMoved(host, before, after string) error {
	if none(before) && none(after) {
		return wrongShape(host, "it says neither what the ref was nor what it is")
	}
	return nil
}

// checkRepeated refuses a body whose many pushes would each repeat its texts
// until a small body is a large delivery.
func checkRepeated(pushes int, texts ...string) error {
	size := 0
	for _, t := range texts {
		size += len(t)
	}
	if pushes > 0 && size > maxFileBytes/pushes {
		return refuse(http.StatusRequestEntityTooLarge, "push fewer refs at once", "the body moves too many refs for the length of its names")
	}
	return nil
}

// wrongShape refuses a body that is not what the host sends.
func wrongShape(host, what string) error {
	return refuse(http.StatusBadRequest, "is the source's host in the rule file the one that sends this? It says "+host, "the body has another shape: %s", what)
}

// checkRepo refuses what cannot be owner/name.
func checkRepo(host, repo string) error {
	owner, name, _ := strings.Cut(repo, "/")
	if owner == "" || name == "" || len(repo) > 500 {
		return wrongShape(host, "its repository has no owner and name")
	}
	return nil
}

// A commit as GitHub, GitLab, Gitea and Gogs write it; only the fields used.
type commit struct {
	ID        string   `json:"id"`
	Message   string   `json:"message"`
	Timestamp string   `json:"timestamp"`
	Author    *author  `json:"author"`
	Added     []string `json:"added"`
	Removed   []string `json:"removed"`
	Modified  []string `json:"modified"`
}

type author struct {
	Name     string `json:"name"`
	Email    string `json:"email"`
	Username string `json:"username"`
}

func (a *author) person() rules.Person {
	if a == nil {
		return rules.Person{}
	}
	p := rules.Person{Name: a.Name, Email: a.Email}
	if p.Name == "" {
		p.Name = a.Username
	}
	return p
}

// keep gives what is kept of commits in the order oldest first: of the newest
// maxCommits, with the whole message of the head alone.
func keep(commits []commit) []rules.Commit {
	commits = commits[max(0, len(commits)-maxCommits):]
	out := make([]rules.Commit, len(commits))
	for i := range commits {
		c := &commits[i]
		out[i] = rules.Commit{ID: c.ID, Message: c.Message, Author: c.Author.person(), Time: TimeOf(c.Timestamp)}
		if i < len(commits)-1 {
			out[i].Message = firstWords(c.Message)
		}
	}
	return out
}

// headed gives the commit that a ref has now and its commits, the head last. Of
// an annotated tag, after is the tag object, and the head is the commit; a ref
// at a commit that was there already lists none but names its head.
func headed(kind rules.Kind, after string, commits []commit, head *commit) (string, []commit) {
	if after == "" || head == nil || none(head.ID) {
		return after, commits
	}
	if kind == rules.Tag {
		after = head.ID
	}
	if n := len(commits); head.ID == after && (n == 0 || commits[n-1].ID != after) {
		commits = append(slices.Clip(commits), *head)
	}
	return after, commits
}

// firstWords is the first line of a message, cut.
func firstWords(message string) string {
	line, _, _ := strings.Cut(message, "\n")
	return strings.ToValidUTF8(line[:min(len(line), 200)], "")
}

// TimeOf reads a time as hosts write it: RFC 3339, or milliseconds since 1970;
// no time where it is neither.
func TimeOf(text string) time.Time {
	if ms, err := strconv.ParseInt(text, 10, 64); err == nil {
		return storable(time.UnixMilli(ms).UTC())
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}
	}
	return storable(t.UTC())
}

// storable gives no time for years of which JSON cannot speak: a zone may carry
// the last hours of 9999 beyond it, and the push could never be recorded.
func storable(t time.Time) time.Time {
	if t.Year() < 0 || t.Year() > 9999 {
		return time.Time{}
	}
	return t
}

// filesOf gathers the files of commits. A commit without any list, as old
// versions and system hooks send it, leaves the whole open.
func filesOf(commits []commit) *FileSet {
	f := &FileSet{}
	for i := range commits {
		f.Add(commits[i].Added...)
		f.Add(commits[i].Removed...)
		f.Add(commits[i].Modified...)
		if c := &commits[i]; c.Added == nil && c.Removed == nil && c.Modified == nil {
			f.open = true
		}
	}
	return f
}

// key identifies a delivery within its source: the host's id of it, which no
// signature covers, and the body.
func key(id string, body []byte) string {
	sum := sha256.Sum256(body)
	return id + "/" + hex.EncodeToString(sum[:])
}

func notPush(event string) string {
	return fmt.Sprintf("%.100q is no push", event)
}

func notRef(ref string) string {
	return fmt.Sprintf("%.200q is neither a branch nor a tag", ref)
}

// firstOf is the first text that is not empty.
func firstOf(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

// pageURL gives an address of a body that may stand in a link, or "": it is for
// people and never requested.
func pageURL(address string) string { return joinPage(address, "") }

// joinPage is pageURL of a page below an address.
func joinPage(base, path string) string {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || len(base) > 2000 {
		return ""
	}
	if path != "" {
		u.RawQuery, u.Fragment = "", ""
		u.Path, u.RawPath = strings.TrimRight(u.Path, "/")+path, ""
	}
	return u.String()
}
