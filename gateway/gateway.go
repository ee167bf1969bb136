// Package gateway is the daemon: it receives pushes, records them, asks their code
// host what they leave out, decides on them, starts the builds they call for,
// follows those to their end and tells the code host. Contract:
//
//   - A delivery is acknowledged after the ledger has committed it, never
//     before. Whatever was acknowledged is decided and its builds are started,
//     across any crash.
//   - A build is marked starting, durably, before it is asked of its server.
//     After a start whose outcome is not known the server is asked for the build:
//     what is there is adopted, what provably is not is started again, and where
//     nobody can know the build is uncertain and on_uncertain decides.
//   - Builds of one ref and target start in the order of their pushes. Servers
//     are independent: one that is slow or away delays no other.
//   - A failure that concerns a whole server holds that server's builds back
//     until it answers again and counts against none of them.
//   - Asking a code host delays the pushes of one ref, two minutes at most, and no
//     other. What it did not tell by then is left open, and the decision says so.
//   - Of a commit's status only the newest state is told, and states are never told
//     out of their order.
package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pushgate/pushgate/gateway/ledger"
	"github.com/pushgate/pushgate/gateway/web"
	"github.com/pushgate/pushgate/rules"
)

// Options say what a gateway works with.
type Options struct {
	Rules  *rules.Set
	Ledger *ledger.Ledger
	// PublicURL is where people find the pages, without a trailing slash.
	PublicURL string
	// Pages says whether the dashboard is served; hooks and health always are.
	Pages bool
	// TrustedProxies are those whose X-Forwarded-For is believed; see
	// [rules.Source] for what addresses are allowed.
	TrustedProxies []netip.Prefix
	// MaxBody bounds a request's body, also unpacked, in bytes; 0: 25 MB.
	MaxBody int64
	// FollowEvery is the shortest time between two looks at a build; 0: 1 s.
	FollowEvery time.Duration
	// StartLife is how long a start without an answer may still make a build; 0:
	// 20 s.
	StartLife time.Duration
	// DrainFor is how long starts under way may take to end when Run is asked
	// to end; 0: 8 s.
	DrainFor time.Duration
	// Transport carries the requests to CI servers; nil:
	// [http.DefaultTransport].
	Transport http.RoundTripper
	Logger    *slog.Logger
}

// A Gateway is a configured daemon.
type Gateway struct {
	o        Options
	log      *slog.Logger
	ledger   *ledger.Ledger
	set      atomic.Pointer[rules.Set]
	state    rulesState
	pages    *web.Pages
	arrived  chan struct{} // a delivery may wait for a decision
	refusals atomic.Int64

	recording atomic.Int64 // requests that wait for the ledger
	crowded   atomic.Int64 // when there was last a crowd of them, in nanoseconds since 1970

	reloading sync.Mutex
	mu        sync.Mutex
	servers   map[string]*server
	hosts     map[string]*codeHost // by source, of those with an api
	stop      func()               // ends the claiming of work
	running   context.Context      // of Run; nil while it does not run
	calls     context.Context      // of calls under way, which outlives running
	workers   sync.WaitGroup
}

// New checks the options and builds a gateway.
func New(o Options) (*Gateway, error) {
	if o.MaxBody == 0 {
		o.MaxBody = 25 << 20
	}
	if o.FollowEvery == 0 {
		o.FollowEvery = time.Second
	}
	if o.StartLife == 0 {
		o.StartLife = startLife
	}
	if o.DrainFor == 0 {
		o.DrainFor = 8 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	g := &Gateway{o: o, log: o.Logger, ledger: o.Ledger, arrived: make(chan struct{}, 1), stop: func() {}}
	var err error
	if g.servers, g.hosts, err = g.connect(o.Rules); err != nil {
		return nil, err
	}
	g.set.Store(o.Rules)
	g.state.now = web.RulesState{Hash: o.Rules.Hash(), Since: time.Now()}
	if g.pages, err = web.New(web.Options{Ledger: o.Ledger, Rules: g.Rules, RulesState: g.RulesState, Logger: o.Logger, PublicURL: o.PublicURL}); err != nil {
		return nil, err
	}
	return g, nil
}

// Rules is the set that decides now.
func (g *Gateway) Rules() *rules.Set { return g.set.Load() }

// SetRules puts another set in force. Pushes already decided keep their builds;
// builds of a server that is gone stay due. Calls under way go on. The servers
// are asked again, also those that refused the credentials. Where it fails, the
// rules in force stay; [Gateway.RulesFailed] makes that visible.
func (g *Gateway) SetRules(ctx context.Context, set *rules.Set) error {
	g.reloading.Lock()
	defer g.reloading.Unlock()
	servers, hosts, err := g.connect(set)
	if err != nil {
		return err
	}
	if err := g.ledger.SaveRules(ctx, set); err != nil {
		return err
	}
	g.mu.Lock()
	running := g.running
	g.stop()
	g.servers, g.hosts, g.stop = servers, hosts, func() {}
	g.mu.Unlock()
	g.set.Store(set)
	g.state.replaced(set)
	if running != nil {
		g.work(running)
	}
	return nil
}

// Run works until the context ends, then lets starts under way end, for a
// while. Requests may be served before, during and after.
func (g *Gateway) Run(ctx context.Context) error {
	if err := g.ledger.SaveRules(context.WithoutCancel(ctx), g.Rules()); err != nil {
		return err
	}
	n, err := g.ledger.Recover(context.WithoutCancel(ctx), true)
	if err != nil {
		return err
	}
	if n > 0 {
		g.log.Warn("starts were interrupted and are tried again", "builds", n)
	}
	// Calls outlive ctx for a while: a start that is cut off is uncertain.
	calls, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(g.o.DrainFor, cut) })()
	g.reloading.Lock()
	g.mu.Lock()
	g.running, g.calls = ctx, calls
	g.mu.Unlock()
	g.work(ctx)
	g.reloading.Unlock()

	var wg sync.WaitGroup
	wg.Go(func() { g.recover(ctx) })
	g.decide(ctx)
	wg.Wait()

	g.reloading.Lock()
	defer g.reloading.Unlock()
	g.mu.Lock()
	g.stop()
	g.running = nil
	g.mu.Unlock()
	g.workers.Wait()
	return nil
}

// work runs every server and code host until stop is called.
func (g *Gateway) work(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, s := range g.servers {
		g.workers.Go(func() { s.run(ctx, g.calls) })
	}
	for _, h := range g.hosts {
		g.workers.Go(func() { h.run(ctx, g.calls) })
	}
	g.stop = cancel
}

// wake tells servers that builds of theirs may be due.
func (g *Gateway) wake(names map[string]bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for name := range names {
		if s := g.servers[name]; s != nil {
			signal(s.due)
		}
	}
}

// signal wakes whoever waits on a channel of one place, now or later.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// sleep waits for d, a signal or the end of the context, which it reports.
func sleep(ctx context.Context, d time.Duration, wake <-chan struct{}) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
	case <-wake:
	}
	return nil
}

// recover brings back builds whose lease ended without an answer.
func (g *Gateway) recover(ctx context.Context) {
	for sleep(ctx, leaseTime/2, nil) == nil {
		n, err := g.ledger.Recover(ctx, false)
		if err != nil {
			g.log.Error("cannot bring back builds whose lease ended", "error", err)
		} else if n > 0 {
			g.log.Warn("starts did not end within their lease and are tried again", "builds", n)
		}
	}
}

// idlePoll bounds how long anything sleeps without a signal.
const idlePoll = 5 * time.Second

// Ready says whether the gateway can take pushes.
func (g *Gateway) Ready(ctx context.Context) error {
	if g.Rules().Len() == 0 {
		return errors.New("no rules are loaded")
	}
	if err := g.ledger.Ready(ctx); err != nil {
		return fmt.Errorf("not ready: %w", err)
	}
	return nil
}
