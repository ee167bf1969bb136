package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/pushgate/pushgate/gateway/ledger"
	"github.com/pushgate/pushgate/rules"
	"github.com/pushgate/pushgate/triggers"
	"github.com/pushgate/pushgate/triggers/bamboo"
	"github.com/pushgate/pushgate/triggers/jenkins"
)

// A trigger starts builds on one CI server and looks at them.
type trigger interface {
	Start(ctx context.Context, req triggers.Request) (triggers.Receipt, error)
	// Find says whether a start since some time reached the server.
	Find(ctx context.Context, req triggers.Request, since time.Time) (triggers.Sighting, error)
	// States looks at many started builds with few requests.
	States(ctx context.Context, list []triggers.Followed) []triggers.Looked
}

const (
	// maxStarts bounds how many starts are asked of one server at once,
	// maxLooks how many builds are looked at together.
	maxStarts = 8
	maxLooks  = 1000
	// A call must end before its lease does.
	callTime  = time.Minute
	leaseTime = 2 * time.Minute
)

// A server works on the builds of one configured CI server.
type server struct {
	name        string
	trigger     trigger
	ledger      *ledger.Ledger
	log         *slog.Logger
	followEvery time.Duration
	startLife   time.Duration
	most        int           // builds it may be at work on; 0: any number
	holds       bool          // builds of which it cannot be known whether they were started
	due         chan struct{} // builds may wait to be started
	started     chan struct{} // builds may wait for a first look
	moved       func()        // a build is in another state
	gate        gate
}

// connect makes the servers and code hosts of a set; nothing is asked of them.
func (g *Gateway) connect(set *rules.Set) (map[string]*server, map[string]*codeHost, error) {
	transport := g.o.Transport
	if transport == nil {
		transport = http.DefaultTransport
	}
	out := map[string]*server{}
	for _, s := range set.Servers() {
		log := g.log.With("server", s.Name)
		var t trigger
		var err error
		switch s.Kind {
		case rules.Jenkins:
			t, err = jenkins.New(jenkins.Options{URL: s.URL, User: s.User, Token: string(s.Token), Password: string(s.Password), Transport: transport, Logger: log})
		case rules.Bamboo:
			t, err = bamboo.New(bamboo.Options{URL: s.URL, User: s.User, Token: string(s.Token), Password: string(s.Password), Transport: transport, Logger: log})
		default:
			err = fmt.Errorf("unknown kind %q", s.Kind)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("%s: server %q: %w", s.At, s.Name, err)
		}
		out[s.Name] = &server{
			name: s.Name, trigger: t, ledger: g.ledger, log: log, followEvery: g.o.FollowEvery, startLife: g.o.StartLife,
			most: s.MaxConcurrent, holds: s.HoldUncertain,
			due: make(chan struct{}, 1), started: make(chan struct{}, 1), moved: g.tellHosts,
		}
	}
	hosts, err := g.connectHosts(set, transport)
	return out, hosts, err
}

// run claims work until ctx ends, then waits for the calls under way, which
// end with calls at the latest.
func (s *server) run(ctx, calls context.Context) {
	var wg sync.WaitGroup
	wg.Go(func() {
		pool[ledger.Build]{maxStarts, s.due, s.log, s.claimStarts, s.start, s.nextStart}.run(ctx, calls)
	})
	wg.Go(func() {
		pool[[]ledger.Build]{1, s.started, s.log, s.claimFollows, s.look, s.nextFollow}.run(ctx, calls)
	})
	wg.Wait()
}

func (s *server) claimStarts(ctx context.Context, free int) ([]ledger.Build, error) {
	if free = s.gate.pass(time.Now(), free); free == 0 {
		return nil, nil
	}
	builds, err := s.ledger.ClaimStarts(ctx, s.name, free, s.most, leaseTime)
	if len(builds) == 0 {
		s.gate.unused()
	}
	return builds, err
}

// claimFollows gives the builds due for a look as one piece of work.
func (s *server) claimFollows(ctx context.Context, _ int) ([][]ledger.Build, error) {
	if s.gate.locked() {
		return nil, nil
	}
	builds, err := s.ledger.ClaimFollows(ctx, s.name, maxLooks, leaseTime)
	if len(builds) == 0 {
		return nil, err
	}
	return [][]ledger.Build{builds}, err
}

func (s *server) nextStart(ctx context.Context) (time.Duration, error) {
	if wait := s.gate.wait(time.Now()); wait > 0 {
		return min(wait, idlePoll), nil
	}
	at, err := s.ledger.NextStart(ctx, s.name)
	return until(at), err
}

func (s *server) nextFollow(ctx context.Context) (time.Duration, error) {
	if s.gate.locked() {
		return idlePoll, nil
	}
	at, err := s.ledger.NextFollow(ctx, s.name)
	return until(at), err
}

// until is how long to sleep for work due at a time.
func until(at time.Time) time.Duration {
	if at.IsZero() {
		return idlePoll
	}
	return min(max(time.Until(at), 100*time.Millisecond), idlePoll)
}

// request is what the trigger is asked for a build.
func request(b *ledger.Build) triggers.Request {
	r := b.Build
	return triggers.Request{
		ID: b.ID, Target: r.Target(), Dynamic: r.Dynamic, Values: r.Values(),
		Delay: time.Duration(r.DelaySeconds) * time.Second, Scan: r.Scan,
		Branch: r.Branch, CreateBranch: r.CreateBranch, Revision: r.Revision, Stage: r.Stage, AllStages: r.AllStages,
	}
}

func change(b *ledger.Build) ledger.Change {
	return ledger.Change{
		State: b.State, Reason: b.Reason, Uncertain: b.Uncertain, Merged: b.Merged, Handle: b.Handle, URL: b.URL,
		Notes: b.Notes, Failures: b.Failures, AbsentAt: b.AbsentAt, StartedAt: b.StartedAt, EndedAt: b.EndedAt,
	}
}

// finish commits a change. It tries for as long as the build is leased to it:
// what a server was asked for must not be forgotten because a disk was full for
// a moment. After that the end of the lease brings the build back, uncertain.
func (s *server) finish(ctx context.Context, b *ledger.Build, c ledger.Change) bool {
	for end := time.Now().Add(leaseTime - callTime); ; {
		err := s.ledger.Finish(context.WithoutCancel(ctx), b, c)
		if err == nil {
			if c.State != b.State {
				s.moved()
			}
			return true
		}
		if !errors.Is(err, ledger.ErrUnavailable) || time.Now().After(end) || sleep(ctx, time.Second, nil) != nil {
			s.log.Error("what became of a build could not be recorded", "build", b.ID, "state", c.State, "error", err)
			return false
		}
	}
}
