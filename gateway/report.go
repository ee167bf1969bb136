package gateway

import (
	"context"
	"strings"
	"time"

	"github.com/pushgate/pushgate/gateway/host/api"
	"github.com/pushgate/pushgate/gateway/ledger"
)

// report tells the code host the state of a build. A commit's page may be public:
// it says no more than the state, and links to the build.
func (h *codeHost) report(ctx context.Context, s *ledger.Status) {
	call, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	page := s.URL
	if !strings.HasPrefix(page, "https://") && !strings.HasPrefix(page, "http://") {
		page = h.publicURL + "/deliveries/" + s.Delivery
	}
	err := h.client.Report(call, s.Repo, s.Hash, api.Status{Context: s.Context, State: api.State(s.State), Description: described(s), URL: page})
	var reason string
	var next time.Time
	if err != nil {
		e := api.AsError("tell the status", err)
		h.rest(ctx, e)
		reason = words(e)
		// Other credentials may come with a reload, a commit may have just come; what
		// is refused otherwise stays refused.
		if (e.Temporary || e.Credentials || young(e, s.Tries)) && time.Since(s.Since) < maxAge {
			next = time.Now().Add(max(jitter(backoff(s.Tries)), e.RetryAfter))
		}
		h.log.Warn("a commit status could not be told", "repo", s.Repo, "commit", s.Hash, "context", s.Context, "state", s.State, "error", reason, "again", again(next))
	} else {
		h.log.Debug("told", "repo", s.Repo, "commit", s.Hash, "context", s.Context, "state", s.State)
	}
	h.finish(ctx, "a told status could not be recorded", func() error { return h.ledger.FinishStatus(context.WithoutCancel(ctx), s, reason, next) })
	signal(h.tell)
}

// described is the line beside a status.
func described(s *ledger.Status) string {
	switch s.BuildState {
	case ledger.Due, ledger.Starting:
		return "waits to be started"
	case ledger.Queued:
		return "waits in the queue of the server"
	case ledger.Triggered:
		return "started; it is not followed"
	case ledger.Dead:
		return "could not be started"
	case ledger.Lost:
		return "its server no longer knows it"
	case "":
		return "skipped: nothing to build"
	}
	return string(s.BuildState)
}
