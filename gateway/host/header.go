package host

import (
	"net/http"

	"github.com/pushgate/pushgate/rules"
)

// PushHeader gives the headers of a push as the host sends it, for a body that
// was recorded without them.
func PushHeader(name string) http.Header {
	h := http.Header{"Content-Type": {"application/json"}}
	switch name {
	case rules.GitHub:
		h.Set("X-GitHub-Event", "push")
	case rules.Gitea, rules.Forgejo:
		h.Set("X-Gitea-Event", "push")
	case rules.Gogs:
		h.Set("X-Gogs-Event", "push")
	case rules.BitbucketCloud:
		h.Set("X-Event-Key", "repo:push")
	case rules.BitbucketDataCenter:
		h.Set("X-Event-Key", "repo:refs_changed")
	}
	return h
}

// HeadersKept names the headers of a delivery that help a person; none holds
// credentials or signatures.
func HeadersKept() []string {
	return []string{
		"Content-Type", "Content-Encoding", "User-Agent",
		"X-Event-Key", "X-Request-UUID", "X-Request-Id", "X-Hook-UUID", "X-Attempt-Number",
		"X-GitHub-Event", "X-GitHub-Delivery", "X-Gitlab-Event", "X-Gitlab-Event-UUID", "Idempotency-Key",
		"X-Gitea-Event", "X-Gitea-Delivery", "X-Forgejo-Event", "X-Forgejo-Delivery", "X-Gogs-Event", "X-Gogs-Delivery",
	}
}
