package gateway

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// A pool claims work and does up to size pieces of it at once.
type pool[T any] struct {
	size  int
	wake  chan struct{} // work may be due
	log   *slog.Logger
	claim func(ctx context.Context, free int) ([]T, error)
	work  func(context.Context, *T)
	// next is how long to sleep where nothing could be claimed.
	next func(context.Context) (time.Duration, error)
}

// run claims work until ctx ends, then waits for what is under way, whose calls
// end with calls at the latest.
func (p pool[T]) run(ctx, calls context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	free := make(chan struct{}, p.size)
	for range p.size {
		free <- struct{}{}
	}
	for {
		select { // wait for one free place, and count the others
		case <-ctx.Done():
			return
		case <-free:
		}
		n := 1 + len(free)
		claimed, err := p.claim(ctx, n)
		if err != nil && ctx.Err() == nil {
			p.log.Error("cannot claim work", "error", err)
		}
		for i := range claimed {
			if i > 0 {
				<-free // there are n of them, and only this loop takes them
			}
			wg.Go(func() {
				defer func() { free <- struct{}{} }()
				p.work(calls, &claimed[i])
			})
		}
		if len(claimed) > 0 {
			continue
		}
		free <- struct{}{}
		wait := time.Second
		if err == nil {
			if wait, err = p.next(ctx); err != nil {
				wait = time.Second
			}
		}
		if sleep(ctx, wait, p.wake) != nil {
			return
		}
	}
}
