package gateway

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/pushgate/pushgate/gateway/host/api"
	"github.com/pushgate/pushgate/gateway/ledger"
	"github.com/pushgate/pushgate/rules"
)

// askAgain is how long to wait after so many tries to ask about a push.
func askAgain(tries int) time.Duration {
	return jitter(min(time.Second<<min(tries-1, 5), 20*time.Second))
}

// spare is left of a lookup's time to record how it went.
const spare = 2 * time.Second

// lookUp asks what a push lacks, or for the branches of a repository.
func (h *codeHost) lookUp(ctx context.Context, q *ledger.Lookup) {
	if q.Look != "" {
		h.look(ctx, q)
		return
	}
	call, cancel := context.WithDeadline(ctx, q.Until.Add(-spare))
	defer cancel()
	p, err := h.complete(call, q)
	f := ledger.Found{Push: p, Ready: true}
	if err != nil {
		e := api.AsError("ask about the push", err)
		h.rest(ctx, e)
		f.Reason, f.Lacks = words(e), api.Left(&p, q.Lacks)
		f.DueAt = time.Now().Add(max(askAgain(q.Tries), e.RetryAfter))
		enough := q.Since == "" && q.Push.Files.Completeness == rules.Complete && !f.Lacks.Head && !f.Lacks.DefaultBranch && !f.Lacks.Force
		if f.Ready = enough || !e.Temporary && !young(e, q.Tries) || f.DueAt.After(q.Until.Add(-spare)); f.Ready {
			f.DueAt = time.Time{}
		}
		h.log.Warn("the code host did not tell what a push lacks", "repo", p.Repo, "ref", p.Ref, "delivery", q.Delivery, "error", f.Reason, "again", again(f.DueAt))
	}
	h.finish(ctx, "what was found about a push could not be recorded", func() error { return h.ledger.FinishLookup(context.WithoutCancel(ctx), q, f) })
	if f.Ready {
		h.found()
	}
	signal(h.ask)
}

// complete asks for what a push lacks. Where webhooks before it were lost, its files
// are those since the head that was known, and all else is what the push said.
func (h *codeHost) complete(ctx context.Context, q *ledger.Lookup) (rules.Push, error) {
	if q.Since == "" {
		return h.client.Complete(ctx, q.Push, q.Lacks)
	}
	since := q.Push
	since.Before = q.Since
	if since.Files.Completeness == rules.Complete {
		since.Files.Completeness = rules.Partial
	}
	found, err := h.client.Complete(ctx, since, q.Lacks)
	if err != nil {
		return q.Push, err
	}
	p := q.Push
	p.Files = found.Files
	return p, nil
}

// young says that a commit may be unknown to the host because it has just come:
// hosts answer from copies of themselves that lag behind by seconds. tries counts
// the one that failed.
func young(e *api.Error, tries int) bool {
	return tries <= 3 && (e.Status == http.StatusNotFound || e.Status == http.StatusUnprocessableEntity)
}

// look asks for the branches of a repository: those that moved since they were
// last known become pushes.
func (h *codeHost) look(ctx context.Context, q *ledger.Lookup) {
	call, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	defer signal(h.ask)
	heads, err := h.client.Heads(call, q.Push.Repo)
	if err != nil {
		e := api.AsError("ask for the branches", err)
		h.rest(ctx, e)
		var next time.Time
		if e.Temporary || e.Credentials {
			next = time.Now().Add(max(jitter(backoff(q.Tries)), e.RetryAfter))
		}
		h.log.Warn("the code host did not tell its branches", "repo", q.Repo, "delivery", q.Delivery, "error", words(e), "again", again(next))
		h.finish(ctx, "a look at the branches could not be recorded", func() error { return h.ledger.LookAgain(context.WithoutCancel(ctx), q, next, words(e)) })
		return
	}
	byName := make(map[string]string, len(heads))
	for _, head := range heads {
		byName[head.Branch] = head.Commit
	}
	set := h.rules()
	var moved []string
	var again bool
	if !h.finish(ctx, "a look at the branches could not be recorded", func() (err error) {
		moved, again, err = h.ledger.FinishLook(context.WithoutCancel(ctx), q, byName, func(p *rules.Push) rules.Lacks { return h.lacks(set, p) })
		return err
	}) {
		return
	}
	if again {
		h.log.Info("the code host's branches are not where pushes have just put them; it is asked again", "repo", q.Repo, "delivery", q.Delivery)
		return
	}
	h.log.Info("looked at the branches", "repo", q.Repo, "branches", len(heads), "moved", len(moved), "delivery", q.Delivery)
	h.found()
}

// finish commits what a call came to, and says whether it did. It tries for a
// while: what a host said must not be forgotten because a disk was full for a
// moment. After that the end of the lease has it asked again.
func (h *codeHost) finish(ctx context.Context, failed string, commit func() error) bool {
	for end := time.Now().Add(callTime / 2); ; {
		err := commit()
		if err == nil || errors.Is(err, ledger.ErrStale) {
			return err == nil
		}
		if !errors.Is(err, ledger.ErrUnavailable) || time.Now().After(end) || sleep(ctx, time.Second, nil) != nil {
			h.log.Error(failed, "error", err)
			return false
		}
	}
}
