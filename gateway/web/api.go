package web

import (
	"context"
	"time"

	"github.com/pushgate/pushgate/gateway/ledger"
	"github.com/pushgate/pushgate/rules"
)

// The shapes below are what the commands print as JSON. They are kept apart
// from the stored ones, which may change with the schema.

// A Page is one page of a list, newest first.
type Page[T any] struct {
	Items []T `json:"items"`
	// Next asks for the page after this one; empty on the last.
	Next string `json:"next"`
}

// A DeliveryView is a delivery with what became of it.
type DeliveryView struct {
	ID       string    `json:"id"`
	Source   string    `json:"source"`
	Repo     string    `json:"repo"`
	Received time.Time `json:"received"`
	Size     int64     `json:"size"`
	Repeats  int       `json:"repeats"`
	Note     string    `json:"note"`
	// Asks says what the code host is being asked about a body that names no branch.
	Asks   string      `json:"asks,omitzero"`
	Pushes []PushView  `json:"pushes"`
	Builds []BuildView `json:"builds"`
	// Statuses are those of commits; only where one delivery is asked for.
	Statuses []StatusView `json:"statuses,omitzero"`
}

// A StatusView is a commit status and whether the code host has it.
type StatusView struct {
	Context string `json:"context"`
	State   string `json:"state"`
	Told    bool   `json:"told"`
	Reason  string `json:"reason"`
	// Again is when one that could not be told is tried again; none where it was
	// given up.
	Again time.Time `json:"again,omitzero"`
}

// A PushView is a push and how it stands.
type PushView struct {
	Kind   rules.Kind  `json:"kind"`
	Ref    string      `json:"ref"`
	Event  rules.Event `json:"event"`
	Before string      `json:"before"`
	Commit string      `json:"commit"`
	State  string      `json:"state"`
	// Waits says what a waiting push waits for.
	Waits string `json:"waits,omitzero"`
	// Unanswered says why the list of changed files is not complete, where the code
	// host was asked for it.
	Unanswered string `json:"unanswered,omitzero"`
	// Asked says that its code host was asked for its branches, no webhook told.
	Asked   bool     `json:"asked,omitzero"`
	Late    bool     `json:"late"`
	Gap     bool     `json:"gap"`
	Matched []string `json:"matched"`
	// Decision is the whole decision; only where one delivery is asked for.
	Decision *rules.Explanation `json:"decision,omitzero"`
}

// A BuildView is a build.
type BuildView struct {
	ID        string            `json:"id"`
	Delivery  string            `json:"delivery"`
	Repo      string            `json:"repo"`
	Ref       string            `json:"ref"`
	Rules     []string          `json:"rules"`
	Server    string            `json:"server"`
	Job       string            `json:"job,omitzero"`
	Plan      string            `json:"plan,omitzero"`
	Values    map[string]string `json:"values"`
	State     ledger.State      `json:"state"`
	Reason    string            `json:"reason"`
	Uncertain bool              `json:"uncertain"`
	Merged    bool              `json:"merged"`
	URL       string            `json:"url"`
	Notes     []string          `json:"notes"`
	Created   time.Time         `json:"created"`
	Due       time.Time         `json:"due,omitzero"`
	Started   time.Time         `json:"started,omitzero"`
	Ended     time.Time         `json:"ended,omitzero"`
	Tried     int               `json:"tried"`
	// Attempts are the starts tried; only where one build is asked for.
	Attempts []AttemptView `json:"attempts,omitzero"`
}

// An AttemptView is a start that was tried.
type AttemptView struct {
	Number  int       `json:"number"`
	At      time.Time `json:"at"`
	Seconds float64   `json:"seconds"`
	Outcome string    `json:"outcome"`
	Detail  string    `json:"detail"`
}

// View reads what became of a delivery; with the decisions if whole is set.
func (p *Pages) View(ctx context.Context, d ledger.Delivery, whole bool) (DeliveryView, error) {
	v := DeliveryView{ID: d.ID, Source: d.Source, Repo: d.Repo, Received: d.ReceivedAt, Size: d.Size, Repeats: d.Repeats, Note: d.Note, Asks: d.Asks}
	pushes, err := p.o.Ledger.Pushes(ctx, &d)
	if err != nil {
		return v, err
	}
	for i := range pushes {
		push := &pushes[i]
		pv := PushView{
			Kind: push.Push.Kind, Ref: push.Push.Ref, Event: push.Push.Event, Before: push.Push.Before, Commit: push.Push.Commit(),
			State: push.State, Waits: push.Waits, Asked: push.Push.Asked, Late: push.Late, Gap: push.Gap, Matched: push.Matched,
		}
		if push.State == ledger.PushDecided && push.Push.Files.Completeness != rules.Complete {
			pv.Unanswered = push.Push.Files.Note
		}
		if whole && push.State == ledger.PushDecided {
			if pv.Decision, err = p.explain(ctx, push); err != nil {
				return v, err
			}
		}
		v.Pushes = append(v.Pushes, pv)
	}
	builds, err := p.o.Ledger.Builds(ctx, &d)
	for i := range builds {
		v.Builds = append(v.Builds, buildView(&builds[i]))
	}
	if err != nil || !whole {
		return v, err
	}
	statuses, err := p.o.Ledger.Statuses(ctx, &d)
	for _, s := range statuses {
		v.Statuses = append(v.Statuses, StatusView(s))
	}
	return v, err
}

// Build reads one build with its attempts.
func (p *Pages) Build(ctx context.Context, id string) (BuildView, error) {
	b, err := p.o.Ledger.Build(ctx, id)
	if err != nil {
		return BuildView{}, err
	}
	v := buildView(&b)
	attempts, err := p.o.Ledger.Attempts(ctx, &b)
	v.Attempts = []AttemptView{}
	for _, a := range attempts {
		v.Attempts = append(v.Attempts, AttemptView{a.Number, a.At, a.Took.Seconds(), a.Outcome, a.Detail})
	}
	return v, err
}

func buildView(b *ledger.Build) BuildView {
	return BuildView{
		ID: b.ID, Delivery: b.Delivery, Repo: b.Repo, Ref: b.Ref, Rules: b.Build.Rules, Server: b.Server,
		Job: b.Build.Job, Plan: b.Build.Plan, Values: b.Build.Values(),
		State: b.State, Reason: b.Reason, Uncertain: b.Uncertain, Merged: b.Merged, URL: b.URL, Notes: b.Notes,
		Created: b.CreatedAt, Due: b.DueAt, Started: b.StartedAt, Ended: b.EndedAt, Tried: b.Attempts,
	}
}
