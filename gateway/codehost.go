package gateway

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pushgate/pushgate/gateway/host"
	"github.com/pushgate/pushgate/gateway/host/api"
	"github.com/pushgate/pushgate/gateway/ledger"
	"github.com/pushgate/pushgate/rules"
)

const (
	// maxAsked bounds how many pushes one host is asked about at once, maxTold how
	// many statuses it is told.
	maxAsked = 4
	maxTold  = 4
	// hostLease outlives every call: a lookup's ends with its time, others within
	// callTime.
	hostLease = ledger.LookupTime + callTime
)

// A codeHost asks the API of one source, and tells it how builds stand.
type codeHost struct {
	source    rules.Source
	client    *api.Client
	ledger    *ledger.Ledger
	log       *slog.Logger
	publicURL string
	rules     func() *rules.Set
	ask, tell chan struct{} // there may be something to ask, to tell
	found     func()        // a push may be ready for its decision
	resting   atomic.Pointer[rest]
}

// connectHosts makes the code hosts of the sources with an api.
func (g *Gateway) connectHosts(set *rules.Set, transport http.RoundTripper) (map[string]*codeHost, error) {
	out := map[string]*codeHost{}
	for _, src := range set.Sources() {
		if src.API == nil {
			continue
		}
		log := g.log.With("source", src.Name)
		client, err := api.New(api.Options{Host: src.Host, API: *src.API, Transport: transport, Logger: log})
		if err != nil {
			return nil, fmt.Errorf("%s: source %q: %w", src.At, src.Name, err)
		}
		out[src.Name] = &codeHost{
			source: src, client: client, ledger: g.ledger, log: log, publicURL: g.o.PublicURL, rules: g.Rules,
			ask: make(chan struct{}, 1), tell: make(chan struct{}, 1), found: func() { signal(g.arrived) },
		}
	}
	return out, nil
}

// codeHost gives the host of a source, nil where it has no api.
func (g *Gateway) codeHost(source string) *codeHost {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.hosts[source]
}

// wakeHosts tells the hosts of what was decided that there may be work.
func (g *Gateway) wakeHosts(decided []ledger.Arrival) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i := range decided {
		if h := g.hosts[decided[i].Source]; h != nil {
			signal(h.ask)
			signal(h.tell)
		}
	}
}

// tellHosts tells all hosts that a build is in another state.
func (g *Gateway) tellHosts() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, h := range g.hosts {
		signal(h.tell)
	}
}

// lacks is what the host is to be asked about a push. A list of files that is
// complete by what the push says may be asked for all the same: then the answer
// is welcome, and nothing waits for a second try.
func (h *codeHost) lacks(set *rules.Set, p *rules.Push) rules.Lacks {
	asked := *p
	if p.Event == rules.Pushed && !host.TellsEnough(h.source.Host) {
		asked.Files.Completeness = rules.Partial
	}
	lacks := set.Lacks(&asked)
	lacks.Force = lacks.Force && !host.TellsForce(h.source.Host)
	return lacks
}

// lacksSince is what the host is to be asked about a push where webhooks before it
// were lost: which files changed, if a rule that they could match needs them.
func (h *codeHost) lacksSince(set *rules.Set, p *rules.Push) rules.Lacks {
	if p.Event != rules.Pushed || p.Before == "" || p.Asked {
		return rules.Lacks{}
	}
	asked := *p
	asked.Files.Completeness = rules.Partial
	return rules.Lacks{Files: set.Lacks(&asked).Files}
}

// looks says that bodies of the host may name no branch, so that the heads of all
// have to be known.
func (h *codeHost) looks() bool { return h.source.Host == rules.BitbucketPost }

// run asks and tells until ctx ends, then waits for the calls under way, which end
// with calls at the latest.
func (h *codeHost) run(ctx, calls context.Context) {
	var wg sync.WaitGroup
	wg.Go(func() {
		pool[ledger.Lookup]{maxAsked, h.ask, h.log, h.claimLookups, h.lookUp, h.nextLookup}.run(ctx, calls)
	})
	if h.client.Reports() {
		if err := h.ledger.TellNow(ctx, h.source.Name); err != nil {
			h.log.Error("statuses that failed wait for their next try", "error", err)
		}
		wg.Go(func() {
			pool[ledger.Status]{maxTold, h.tell, h.log, h.claimStatuses, h.report, h.nextStatus}.run(ctx, calls)
		})
	}
	wg.Wait()
}

// A rest is a time in which a host is left alone.
type rest struct {
	until time.Time
	why   string
}

const (
	// failRest is for how long a host that failed as a whole is left alone, so that
	// all that waits for it does not come down on it at once.
	failRest = time.Second
	// refusedRest is the same for one that refused the credentials: trying them over
	// and over may lock the account. Better ones come with a reload, which ends it.
	refusedRest = 10 * time.Minute
)

// rests says for how long the host is left alone.
func (h *codeHost) rests() time.Duration {
	if r := h.resting.Load(); r != nil {
		return time.Until(r.until)
	}
	return 0
}

// away says why a push that comes now could not be asked about in its time; empty
// where it could.
func (h *codeHost) away() string {
	if r := h.resting.Load(); r != nil && time.Until(r.until) > ledger.LookupTime {
		return r.why
	}
	return ""
}

// rest leaves the host alone where it failed as a whole: for as long as it asks, or
// as its failure calls for. What cannot be asked in its time any more is not waited
// for.
func (h *codeHost) rest(ctx context.Context, e *api.Error) {
	wait := e.RetryAfter
	switch {
	case !e.Host:
		return
	case e.Credentials && h.signsIn():
		wait = max(wait, refusedRest)
	case e.Temporary:
		wait = max(wait, failRest)
	}
	next := &rest{time.Now().Add(wait), "the code host is not asked for now: " + e.Reason}
	if e.Hint != "" {
		next.why += " (" + e.Hint + ")"
	}
	for was := h.resting.Load(); ; was = h.resting.Load() {
		if was != nil && !next.until.After(was.until) {
			return
		}
		if h.resting.CompareAndSwap(was, next) {
			break
		}
	}
	if wait <= failRest {
		return
	}
	h.log.Warn("the code host is left alone", "for", wait.Round(time.Second), "error", e)
	if why := h.away(); why != "" {
		h.finish(ctx, "pushes wait for a code host that is left alone", func() error {
			return h.ledger.EndLookups(context.WithoutCancel(ctx), h.source.Name, why)
		})
		h.found()
	}
}

func (h *codeHost) signsIn() bool {
	return h.source.API.Token != "" || h.source.API.Password != "" || h.source.API.ClientSecret != ""
}

// again says in a log when something is tried again.
func again(at time.Time) string {
	if at.IsZero() {
		return "never"
	}
	return at.UTC().Format(time.RFC3339)
}

// words puts an error on one line, with what to do about it.
func words(e *api.Error) string {
	if e.Hint == "" {
		return e.Error()
	}
	return e.Error() + " (" + e.Hint + ")"
}

func (h *codeHost) claimLookups(ctx context.Context, free int) ([]ledger.Lookup, error) {
	if at, err := h.ledger.NextLookup(ctx, h.source.Name); err != nil || !h.due(at) {
		return nil, err
	}
	return h.ledger.ClaimLookups(ctx, h.source.Name, free, hostLease)
}

func (h *codeHost) claimStatuses(ctx context.Context, free int) ([]ledger.Status, error) {
	if at, err := h.ledger.NextStatus(ctx, h.source.Name); err != nil || !h.due(at) {
		return nil, err
	}
	return h.ledger.ClaimStatuses(ctx, h.source.Name, free, hostLease)
}

// due says that there is work, due now, and a host that takes it.
func (h *codeHost) due(at time.Time) bool {
	return !at.IsZero() && !at.After(time.Now()) && h.rests() <= 0
}

func (h *codeHost) nextLookup(ctx context.Context) (time.Duration, error) {
	at, err := h.ledger.NextLookup(ctx, h.source.Name)
	return h.sleeps(at), err
}

func (h *codeHost) nextStatus(ctx context.Context) (time.Duration, error) {
	at, err := h.ledger.NextStatus(ctx, h.source.Name)
	return h.sleeps(at), err
}

func (h *codeHost) sleeps(at time.Time) time.Duration {
	return max(until(at), min(h.rests(), idlePoll))
}
