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
	State(ctx context.Context, req triggers.Request, handle string) (triggers.State, error)
}

const (
	// maxStarts bounds how many starts are asked of one server at once,
	// maxLooks how many builds are looked at.
	maxStarts = 8
	maxLooks  = 8
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
	due         chan struct{} // builds may wait to be started
	started     chan struct{} // builds may wait for a first look
	gate        gate
}

// connect makes the servers of a set; nothing is asked of them.
func (g *Gateway) connect(set *rules.Set) (map[string]*server, error) {
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
			return nil, fmt.Errorf("%s: server %q: %w", s.At, s.Name, err)
		}
		out[s.Name] = &server{
			name: s.Name, trigger: t, ledger: g.ledger, log: log, followEvery: g.o.FollowEvery,
			due: make(chan struct{}, 1), started: make(chan struct{}, 1),
		}
	}
	return out, nil
}

// run claims work until ctx ends, then waits for the calls under way, which
// end with calls at the latest.
func (s *server) run(ctx, calls context.Context) {
	var wg sync.WaitGroup
	wg.Go(func() { s.pool(ctx, calls, maxStarts, s.due, s.claimStarts, s.start, s.nextStart) })
	wg.Go(func() { s.pool(ctx, calls, maxLooks, s.started, s.claimFollows, s.look, s.nextFollow) })
	wg.Wait()
}

// pool claims builds and works on up to size of them at once.
func (s *server) pool(ctx, calls context.Context, size int, wake chan struct{},
	claim func(ctx context.Context, free int) ([]ledger.Build, error),
	work func(context.Context, *ledger.Build),
	next func(context.Context) (time.Duration, error),
) {
	var wg sync.WaitGroup
	defer wg.Wait()
	free := make(chan struct{}, size)
	for range size {
		free <- struct{}{}
	}
	for {
		select { // wait for one free place, and count the others
		case <-ctx.Done():
			return
		case <-free:
		}
		n := 1 + len(free)
		builds, err := claim(ctx, n)
		if err != nil && ctx.Err() == nil {
			s.log.Error("cannot claim builds", "error", err)
		}
		for i := range builds {
			if i > 0 {
				<-free // there are n of them, and only this loop takes them
			}
			wg.Go(func() {
				defer func() { free <- struct{}{} }()
				work(calls, &builds[i])
			})
		}
		if len(builds) > 0 {
			continue
		}
		free <- struct{}{}
		wait := time.Second
		if err == nil {
			if wait, err = next(ctx); err != nil {
				wait = time.Second
			}
		}
		if sleep(ctx, wait, wake) != nil {
			return
		}
	}
}

func (s *server) claimStarts(ctx context.Context, free int) ([]ledger.Build, error) {
	if free = s.gate.pass(time.Now(), free); free == 0 {
		return nil, nil
	}
	builds, err := s.ledger.ClaimStarts(ctx, s.name, free, leaseTime)
	if len(builds) == 0 {
		s.gate.unused()
	}
	return builds, err
}

func (s *server) claimFollows(ctx context.Context, free int) ([]ledger.Build, error) {
	if s.gate.locked() {
		return nil, nil
	}
	return s.ledger.ClaimFollows(ctx, s.name, free, leaseTime)
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
		Notes: b.Notes, Failures: b.Failures, StartedAt: b.StartedAt, EndedAt: b.EndedAt,
	}
}

// finish commits a change. It tries for as long as the build is leased to it:
// what a server was asked for must not be forgotten because a disk was full for
// a moment. After that the end of the lease brings the build back, uncertain.
func (s *server) finish(ctx context.Context, b *ledger.Build, c ledger.Change) bool {
	for end := time.Now().Add(leaseTime - callTime); ; {
		err := s.ledger.Finish(context.WithoutCancel(ctx), b, c)
		if err == nil {
			return true
		}
		if !errors.Is(err, ledger.ErrUnavailable) || time.Now().After(end) || sleep(ctx, time.Second, nil) != nil {
			s.log.Error("what became of a build could not be recorded", "build", b.ID, "state", c.State, "error", err)
			return false
		}
	}
}
