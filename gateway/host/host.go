// Package host knows the code hosts: whether a request is really theirs, and
// which pushes it tells of. Contract:
//
//   - The configured source fixes how a request is checked; nothing in the
//     request chooses it. Secrets are compared in constant time, and signatures
//     are made over the bytes that the host signs.
//   - [Parse] gives one push per ref that moved and nothing that the body does
//     not say. What the body leaves open stays open: a list of changed files is
//     complete, partial or unknown, and an empty list of commits never turns
//     into "nothing changed".
//   - What a host sends besides pushes (pings, tests, other events) is told
//     apart and never an error.
//   - Nothing panics on what a sender sends; a body that is not understood is a
//     [*Refusal] with a status, a reason and a hint.
//   - No address out of a body is ever requested.
//
// A code host is one file: a parser and how its requests are verified, named in
// formatOf.
package host

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"

	"github.com/pushgate/pushgate/rules"
)

// A Refusal is the plain answer to a request that is not accepted.
type Refusal struct {
	Status int
	// Reason is one line that says what is wrong, Hint what to do about it.
	Reason, Hint string
}

func (r *Refusal) Error() string { return r.Reason }

func refuse(status int, hint, format string, args ...any) *Refusal {
	return &Refusal{Status: status, Reason: fmt.Sprintf(format, args...), Hint: hint}
}

// Unauthorized is the one answer to a wrong or missing token and to an unknown
// source, so that strangers learn nothing from it.
func Unauthorized() *Refusal {
	return refuse(http.StatusUnauthorized, "check the source's name in the address and its token", "not accepted: unknown source or wrong token")
}

// A Delivery is an accepted body, read.
type Delivery struct {
	// Key makes a repeated delivery recognisable within its source; empty where
	// the body must never be taken for a repeat.
	Key string
	// Repo is "owner/name", Pushes the refs that moved.
	Repo   string
	Pushes []rules.Push
	// Note says, in words for a page, why there are no pushes.
	Note string
	// Unnamed says that branches moved, or may have, which the body does not name;
	// the host's API may tell.
	Unnamed bool
	// Ignored says that this is no push, and what it is instead; the host gets
	// 200 and nothing is kept.
	Ignored string
}

// A format is how one host sends pushes.
type format struct {
	// admit checks what the headers alone prove, before the body is read; nil:
	// nothing.
	admit func(src rules.Source, r *http.Request) bool
	// verify checks what the body is needed for; nil: nothing.
	verify func(src rules.Source, h http.Header, body []byte) bool
	// parse reads a verified body.
	parse func(src rules.Source, h http.Header, body []byte) (*Delivery, error)
}

func formatOf(name string) (format, bool) {
	switch name {
	case rules.BitbucketPost:
		return format{admit: showsToken, parse: parseBitbucketPost}, true
	case rules.BitbucketCloud:
		return format{verify: hubSignature("X-Hub-Signature"), parse: parseBitbucketCloud}, true
	case rules.BitbucketDataCenter:
		return format{verify: hubSignature("X-Hub-Signature"), parse: parseBitbucketDataCenter}, true
	case rules.GitHub:
		return format{verify: hubSignature("X-Hub-Signature-256"), parse: parseGitHub}, true
	case rules.GitLab:
		return format{admit: showsGitLabToken, verify: verifyGitLab, parse: parseGitLab}, true
	case rules.Gitea, rules.Forgejo:
		return format{verify: bareSignature("X-Gitea-Signature", "X-Forgejo-Signature"), parse: parseGitea("X-Gitea-", "X-Forgejo-", "X-Gogs-")}, true
	case rules.Gogs:
		return format{verify: bareSignature("X-Gogs-Signature"), parse: parseGitea("X-Gogs-")}, true
	}
	return format{}, false
}

// Admit checks the parts of a request that prove its sender before its body is
// read: the address it comes from, and for a host that shows a secret, that.
func Admit(src rules.Source, r *http.Request) error {
	f, known := formatOf(src.Host)
	if !known || !allowed(src, r.RemoteAddr) {
		return Unauthorized()
	}
	if f.admit != nil && !open(src) && !f.admit(src, r) {
		return Unauthorized()
	}
	return nil
}

// Verify checks the signature of an admitted request over its body.
func Verify(src rules.Source, h http.Header, body []byte) error {
	f, known := formatOf(src.Host)
	if !known || f.verify != nil && !open(src) && !f.verify(src, h, body) {
		return Unauthorized()
	}
	return nil
}

// open says that the source asks for no secret.
func open(src rules.Source) bool {
	return len(src.Tokens)+len(src.Secrets) == 0 && (src.Insecure || len(src.Allow) > 0)
}

// Parse reads a verified body as the source's host writes it.
func Parse(src rules.Source, h http.Header, body []byte) (*Delivery, error) {
	if len(body) == 0 {
		return nil, refuse(http.StatusBadRequest, "the hook must send the push as its body", "the body is empty")
	}
	f, known := formatOf(src.Host)
	if !known {
		return nil, fmt.Errorf("source %q: no parser for host %q", src.Name, src.Host)
	}
	return f.parse(src, h, body)
}

// allowed says whether the source takes pushes from an address with a port.
func allowed(src rules.Source, remote string) bool {
	if len(src.Allow) == 0 {
		return true
	}
	from, err := netip.ParseAddrPort(remote)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(src.Allow, func(p netip.Prefix) bool { return p.Contains(from.Addr().Unmap().WithZone("")) })
}

// TellsForce says whether the host's pushes say that they were forced.
func TellsForce(name string) bool {
	return name == rules.GitHub || name == rules.BitbucketCloud
}

// TellsEnough says whether a list of files that is complete by all that a push of
// the host says holds every file. GitLab lists a renamed file by its new name
// alone, and neither it nor Gitea and its kin say that a push was forced and
// which commits it dropped.
func TellsEnough(name string) bool {
	return name != rules.GitLab && name != rules.Gitea && name != rules.Forgejo
}
