// Package host knows the code hosts: whether a request is really theirs, and
// which pushes it tells of. Contract:
//
//   - The configured source fixes how a request is checked; nothing in the
//     request chooses it. Secrets are compared in constant time.
//   - [Parse] gives one push per ref that moved and nothing that the body does
//     not say. What the body leaves open stays open: a list of changed files is
//     complete, partial or unknown, and an empty list of commits never turns
//     into "nothing changed".
//   - Nothing panics on what a sender sends; a body that is not understood is a
//     [*Refusal] with a status, a reason and a hint.
//   - No address out of a body is ever requested.
package host

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
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
}

// Unread is an error where the source's host is one that is not read yet.
func Unread(src rules.Source) error {
	if src.Host == rules.BitbucketPost {
		return nil
	}
	return fmt.Errorf("source %q: pushes of %s are not read by this version; it reads those of %s", src.Name, src.Host, rules.BitbucketPost)
}

// Verify checks the parts of a request that prove its sender: the address it
// comes from, and for a source whose host sends a token, that: as ?token=, or
// as the user or password of basic authentication (which is what userinfo in a
// hook's address becomes).
func Verify(src rules.Source, r *http.Request) error {
	if !allowed(src, r.RemoteAddr) {
		return Unauthorized()
	}
	if len(src.Tokens) == 0 && (src.Insecure || len(src.Allow) > 0) {
		return nil
	}
	shown := append([]string{}, r.URL.Query()["token"]...)
	if user, password, ok := r.BasicAuth(); ok {
		shown = append(shown, user, password)
	}
	for _, s := range shown {
		if HasToken(src, s) {
			return nil
		}
	}
	return Unauthorized()
}

// allowed says whether the source takes pushes from an address with a port. It
// is the address of the connection: behind a proxy, the proxy's.
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

// HasToken says whether token is one of the source's.
func HasToken(src rules.Source, token string) bool {
	got := sha256.Sum256([]byte(token))
	found := 0
	for _, t := range src.Tokens {
		want := sha256.Sum256([]byte(t))
		found |= subtle.ConstantTimeCompare(got[:], want[:])
	}
	return found == 1 && token != ""
}

// Parse reads a verified body as the source's host writes it.
func Parse(src rules.Source, contentType string, body []byte) (*Delivery, error) {
	if len(body) == 0 {
		return nil, refuse(http.StatusBadRequest, "the hook must send the push as its body", "the body is empty")
	}
	switch src.Host {
	case rules.BitbucketPost:
		return parseBitbucketPost(src, contentType, body)
	}
	return nil, Unread(src)
}

// webURL joins a page's address for people, or gives "" where base is not an
// http address: it may come from a body and ends up in a link.
func webURL(base, path string) string {
	u, err := url.Parse(base)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil {
		return ""
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: path}).String()
}
