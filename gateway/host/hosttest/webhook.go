package hosttest

import (
	"crypto/hmac"
	"crypto/sha1" // for ids that look like a host's; nothing here is secret
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// zeros is what most hosts write where there is no commit.
const zeros = "0000000000000000000000000000000000000000"

// page is where the simulated hosts' pages would be, for the links of webhooks.
const page = "https://code.example"

// A move is one ref that moved.
type move struct {
	repo          *Repo
	ref, name     string
	tag           bool
	before, after string  // as the host knows them: of an annotated tag, its object
	old, now      *commit // nil for none
	forced        bool
	secret        string
	id            string    // of the delivery
	fresh         []*commit // newest first: new to the ref, or to the repository where the ref is new
}

// Webhook gives headers and body of what this host sends when a ref, written
// refs/heads/x or refs/tags/x, moves: to or from an empty or zero id when it is
// created or deleted, with the host's bounds on commits and files, signed in the
// host's way where there is a secret. Set the ref and the commits first: a new
// branch lists the commits that no other branch has. An id may be a tag object.
// Each call is a delivery of its own: for a repeat, send what one call gave twice.
func (s *Server) Webhook(repo, ref, before, after string, forced bool, secret string) (http.Header, []byte) {
	r := s.repo(repo)
	if r == nil {
		panic(fmt.Sprintf("hosttest: there is no repository %q", repo))
	}
	m := &move{repo: r, ref: ref, before: before, after: after, forced: forced, secret: secret}
	name, isBranch := strings.CutPrefix(ref, "refs/heads/")
	if !isBranch {
		name, m.tag = strings.CutPrefix(ref, "refs/tags/")
	}
	if m.name = name; !isBranch && !m.tag {
		panic(fmt.Sprintf("hosttest: %q is neither refs/heads/… nor refs/tags/…", ref))
	}
	r.mu.RLock()
	if !none(before) {
		m.old = r.any(before)
	}
	if !none(after) {
		m.now = r.any(after)
	}
	r.mu.RUnlock()
	if m.old == nil {
		m.before = zeros
	}
	if m.now == nil {
		m.after = zeros
	}
	m.fresh = m.news()
	s.mu.Lock()
	s.issued++
	sum := sha1.Sum(fmt.Appendf(nil, "delivery %d", s.issued))
	s.mu.Unlock()
	h := hex.EncodeToString(sum[:])
	m.id = h[:8] + "-" + h[8:12] + "-4" + h[13:16] + "-a" + h[17:20] + "-" + h[20:32]
	return s.forge.webhook(m)
}

// any is find for a commit that may be forgotten since.
func (r *Repo) any(id string) *commit {
	if at := r.objects[id]; at != "" {
		id = at
	}
	if c := r.commits[id]; c != nil {
		return c
	}
	return r.must(id)
}

// news are the commits that the move brought, newest first.
func (m *move) news() []*commit {
	if m.now == nil {
		return nil
	}
	if m.old != nil {
		return between(m.now, m.old)
	}
	if m.tag {
		return nil
	}
	var others []*commit
	names, heads := m.repo.branchHeads()
	for _, name := range names {
		if name != m.name {
			others = append(others, heads[name])
		}
	}
	return between(m.now, others...)
}

// oldestFirst is the newest of the fresh commits, at most so many, in the order
// in which they were made.
func (m *move) oldestFirst(most int) []*commit {
	some := slices.Clone(m.fresh[:min(most, len(m.fresh))])
	slices.Reverse(some)
	return some
}

// lists gives a commit's files as the hosts with lists name them: a rename is a
// removed and an added file.
func lists(c *commit, most int) (added, removed, modified []string) {
	added, removed, modified = []string{}, []string{}, []string{}
	for _, change := range c.ownChanges() {
		if len(added)+len(removed)+len(modified) >= most {
			break
		}
		switch change.Kind {
		case Added:
			added = append(added, change.Path)
		case Removed:
			removed = append(removed, change.Path)
		case Modified:
			modified = append(modified, change.Path)
		case Renamed:
			removed = append(removed, change.From)
			added = append(added, change.Path)
		}
	}
	return added, removed, modified
}

// encoded is the body of a webhook.
func encoded(v any) []byte {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err) // documents hold nothing that JSON has not
	}
	return body
}

// hexHMAC is the signature over a body.
func hexHMAC(secret string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

func orNull[T any](is bool, v T) any {
	if is {
		return v
	}
	return nil
}
