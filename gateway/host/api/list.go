package api

import (
	"errors"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/pushgate/pushgate/gateway/host"
)

// maxPages bounds the pages of one list.
const maxPages = 1000

// eachPage reads a list page by page. read takes the place of a page and gives
// that of the next, "" after the last one; a place is a link or a number, as the
// host has it. whole says that the last page was reached: places that repeat do
// not lead there.
func eachPage(first string, read func(place string) (next string, err error)) (whole bool, err error) {
	seen := map[string]bool{}
	for place := first; len(seen) < maxPages; {
		seen[place] = true
		if place, err = read(place); err != nil || place == "" {
			return err == nil, err
		}
		if seen[place] {
			return false, nil
		}
	}
	return false, nil
}

// unnamed is why a list that ends is not all that changed.
const unnamed = "the host lists a change without naming the file"

// contradicts is why nothing is proven by what a host says twice in two ways.
const contradicts = "the host contradicts itself"

// listed is a list that is there: null is none, and says nothing about what is
// in it.
type listed[T any] []T

func (l *listed[T]) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	if d.PeekKind() == 'n' {
		return errors.New("null in place of a list")
	}
	return json.UnmarshalDecode(d, (*[]T)(l))
}

// longer says why a list of files ends where it does not end.
func longer(files *host.FileSet) string {
	return fmt.Sprintf("the list is longer than %d files", len(files.Files(true).Paths))
}

// endless is the error of a list that is of use only whole.
func endless(op string) *Error {
	return cannot(op, fmt.Sprintf("the list does not end within %d pages", maxPages), "")
}

// splitRepo gives the two names of a repository.
func splitRepo(op, repo string) (owner, name string, err error) {
	owner, name, two := strings.Cut(repo, "/")
	if !two || owner == "" || name == "" || strings.Contains(name, "/") {
		return "", "", cannot(op, "the repository has no name of the form owner/name", "")
	}
	return owner, name, nil
}

// noHash is why a host is not asked about what may be a range of commits, a
// branch, or another place.
const noHash = "the commit's id is no hash"

// isHash says that a commit's id is hexadecimal digits and nothing else.
func isHash(id string) bool {
	return id != "" && len(id) <= 64 && strings.Trim(id, "0123456789abcdefABCDEF") == ""
}

// minHash is how short an id of a push may be: the POST service abbreviates to
// this. What is shorter could well be the name of a branch.
const minHash = 12

// maxBranch bounds a branch's name in bytes.
const maxBranch = 1000

// isBranch says that git takes a name for a branch, in what matters here: that a
// host cannot read it as a range, a revision or another repository's.
func isBranch(name string) bool {
	return name != "" && name != "@" && len(name) <= maxBranch && !strings.Contains(name, "..") && !strings.Contains(name, "@{") &&
		!strings.ContainsAny(name, "~^:?*[\\\x7f") && strings.IndexFunc(name, func(r rune) bool { return r < ' ' }) < 0
}

// forgeDefault asks for a repository as GitHub and Gitea show it, and gives its
// default branch.
func forgeDefault(repo string, get func(op string, into any) error) (string, error) {
	op := "ask for the default branch of " + repo
	var r struct {
		FullName      string `json:"full_name"`
		DefaultBranch string `json:"default_branch"`
	}
	if err := get(op, &r); err != nil {
		return "", err
	}
	if r.FullName == "" {
		return "", foreign(op)
	}
	return r.DefaultBranch, nil
}

// sameCommit compares two hashes, either of which may be abbreviated.
func sameCommit(a, b string) bool {
	n := min(len(a), len(b))
	return n > 0 && strings.EqualFold(a[:n], b[:n])
}
