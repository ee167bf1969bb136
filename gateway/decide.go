package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/pushgate/pushgate/gateway/ledger"
	"github.com/pushgate/pushgate/rules"
)

// decideBatch is how many deliveries are decided in one transaction.
const decideBatch = 256

// Receiving goes before deciding: a sender that is kept waiting gives up and
// may never come back, a decision only comes later. Until there has been no
// crowd of requests waiting for the ledger for a lull, decisions wait, but no
// longer than patience.
const (
	crowd    = 8
	lull     = 20 * time.Millisecond
	patience = 500 * time.Millisecond
)

// giveWay waits until the decider may go on.
func (g *Gateway) giveWay(ctx context.Context) error {
	for end := time.Now().Add(patience); time.Now().Before(end); {
		wait := time.Until(time.Unix(0, g.crowded.Load()).Add(lull))
		if wait <= 0 {
			break
		}
		if err := sleep(ctx, wait, nil); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// decide decides waiting pushes in the order they came, until the context
// ends.
func (g *Gateway) decide(ctx context.Context) {
	for ctx.Err() == nil {
		if g.giveWay(ctx) != nil {
			return
		}
		n, err := g.decideWaiting(ctx)
		wait, wake := idlePoll, g.arrived
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			g.log.Error("pushes wait for their decision", "error", err)
			wait, wake = time.Second, nil
		case n > 0:
			continue
		}
		if sleep(ctx, wait, wake) != nil {
			return
		}
	}
}

func (g *Gateway) decideWaiting(ctx context.Context) (int, error) {
	waiting, err := g.ledger.Found(ctx, decideBatch)
	if err != nil {
		return 0, err
	}
	arrived, err := g.ledger.Waiting(ctx, decideBatch)
	if err != nil || len(waiting)+len(arrived) == 0 {
		return 0, err
	}
	waiting = append(waiting, arrived...)
	set := g.Rules()
	due := map[string]bool{}
	for i := range waiting {
		g.prepare(set, &waiting[i], due)
	}
	verdicts, err := g.ledger.Decide(ctx, waiting)
	if err != nil && !errors.Is(err, ledger.ErrUnavailable) {
		verdicts, err = g.decideSingly(ctx, waiting)
	}
	if err != nil {
		return 0, err
	}
	g.wake(due)
	g.wakeHosts(waiting)
	for i := range verdicts {
		for k, v := range verdicts[i] {
			g.logDecision(ctx, &waiting[i].Pushes[k], &waiting[i].Decided[k], v)
		}
	}
	return len(waiting), nil
}

// prepare decides about the pushes of an arrival, or says what their code host is
// to be asked first. It notes whose builds may be due.
func (g *Gateway) prepare(set *rules.Set, a *ledger.Arrival, due map[string]bool) {
	h := g.codeHost(a.Source)
	a.Look = a.Look && h != nil
	a.Learn = h != nil && h.looks() && !a.Asked()
	a.Decided = make([]ledger.Decided, len(a.Pushes))
	for k := range a.Pushes {
		p, reason := &a.Pushes[k], a.Reason
		if h != nil && !a.Asked() {
			if lacks := h.lacks(set, p); lacks.Any() {
				if reason = h.away(); reason == "" {
					a.Decided[k].Lacks = lacks
					continue
				}
			}
		}
		if reason != "" && p.Files.Completeness != rules.Complete {
			p.Files.Note = reason
		}
		d := set.Decide(p, nil)
		a.Decided[k] = ledger.Decided{Rules: set.Hash(), Matched: d.Matched(), Builds: d.Builds()}
		if h != nil && !a.Settled && h.away() == "" {
			a.Decided[k].OnGap = h.lacksSince(set, p)
		}
		if h != nil && h.client.Reports() {
			a.Decided[k].Report, a.Decided[k].Skips = true, d.Skips()
		}
		for _, b := range a.Decided[k].Builds {
			due[b.Server] = true
		}
	}
}

// decideSingly commits one by one decisions that could not be committed
// together. One that cannot be recorded as it is keeps nobody waiting: its
// builds are recorded as dead, with the reason.
func (g *Gateway) decideSingly(ctx context.Context, waiting []ledger.Arrival) ([][]ledger.Verdict, error) {
	var out [][]ledger.Verdict
	for i := range waiting {
		v, err := g.ledger.Decide(ctx, waiting[i:i+1])
		if err != nil && !errors.Is(err, ledger.ErrUnavailable) {
			g.log.Error("a decision cannot be recorded; its builds are dead", "delivery", waiting[i].ID, "error", err)
			for k := range waiting[i].Decided {
				builds := waiting[i].Decided[k].Builds
				for n, b := range builds {
					builds[n] = rules.Build{Rules: b.Rules, Server: b.Server, Contexts: b.Contexts, Error: strings.ToValidUTF8(fmt.Sprintf("build %d cannot be recorded: %v", n+1, err), "?")}
				}
			}
			v, err = g.ledger.Decide(ctx, waiting[i:i+1])
		}
		if err != nil {
			return nil, err
		}
		out = append(out, v...)
	}
	return out, nil
}

func (g *Gateway) logDecision(ctx context.Context, p *rules.Push, d *ledger.Decided, v ledger.Verdict) {
	if !g.log.Enabled(ctx, slog.LevelInfo) {
		return
	}
	log := g.log.With("delivery", p.Delivery, "repo", p.Repo, string(p.Kind), p.Ref)
	if v.Waits {
		log.Info("the code host is asked before the decision")
		return
	}
	if v.Repeat {
		log.Info("decided: a repeat of the newest push starts nothing")
		return
	}
	log.Info("decided", "rules", d.Matched, "builds", v.Builds, "dead", v.Dead, "late", v.Late, "gap", v.Gap)
}
