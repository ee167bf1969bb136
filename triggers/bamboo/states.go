package bamboo

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/pushgate/pushgate/triggers"
)

const (
	// statesPage bounds the results that one request asks for, statesPages the
	// requests for one plan.
	statesPage  = 500
	statesPages = 6
)

// States looks at many builds with few requests: one for each plan or plan
// branch of which two builds or more may run, and one for each build that this
// does not show. Bamboo has no list over several plans that tells of builds in
// all states and of plan branches. The answer for a build, at the same place in
// the list, is that of State.
//
// A server that cannot be reached, refuses the credentials, is not ready or asks
// to wait ends the batch, and so do requests without an answer, though not the
// first: the builds not yet looked at share the error.
func (s *Server) States(ctx context.Context, list []triggers.Followed) []triggers.Looked {
	b := &batch{s: s, list: list, out: make([]triggers.Looked, len(list)), plans: map[string]map[string][]int{}}
	var order []string
	for i, f := range list {
		key, ok := strings.CutPrefix(f.Handle, handlePrefix)
		if !ok || !isResultKey(key) {
			b.single = append(b.single, i) // State refuses it, unsent
			continue
		}
		plan := key[:strings.LastIndexByte(key, '-')]
		if b.plans[plan] == nil {
			b.plans[plan] = map[string][]int{}
			order = append(order, plan)
		}
		b.plans[plan][key] = append(b.plans[plan][key], i)
	}
	triggers.Each(len(order), func(i int) { b.lookAtPlan(ctx, order[i], b.plans[order[i]]) })
	slices.Sort(b.single)
	triggers.Each(len(b.single), func(i int) { b.lookAtOne(ctx, b.single[i]) })
	return b.out
}

// A batch is the work of one call of States. A build is named by its index in
// the list.
type batch struct {
	s     *Server
	list  []triggers.Followed
	out   []triggers.Looked
	plans map[string]map[string][]int // by plan and result key

	trouble triggers.Trouble

	mu     sync.Mutex
	single []int // left for looks of their own
}

// lookAtPlan settles what is among the newest results of a plan.
func (b *batch) lookAtPlan(ctx context.Context, plan string, open map[string][]int) {
	defer func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, list := range open {
			b.single = append(b.single, list...)
		}
	}()
	if len(open) == 1 {
		return
	}
	count := min(len(open)+len(open)/4+20, statesPage)
	oldest := lowest(plan, open)
	for got, pages := 0, 0; pages < statesPages && len(open) > 0 && b.trouble.Over() == nil; pages++ {
		p, e := b.s.results(ctx, "look at "+plan, plan, got, count, "")
		if e != nil {
			b.trouble.Met(e, false)
			return
		}
		last := int64(0)
		for _, r := range p.list {
			last = r.number(plan)
			phase, why, known := r.stands()
			if !known || last == 0 {
				continue
			}
			for _, i := range open[r.key()] {
				b.out[i].State = triggers.State{Phase: phase, Handle: handlePrefix + r.key(), URL: b.s.base + "/browse/" + r.key(), Why: why}
			}
			delete(open, r.key())
		}
		got += len(p.list)
		if len(p.list) == 0 || got >= p.size || last > 0 && last <= oldest {
			return
		}
	}
}

// lowest is the number of the oldest build that is looked for.
func lowest(plan string, open map[string][]int) (n int64) {
	for key := range open {
		if k := (resultRecord{Key: key}).number(plan); n == 0 || k < n {
			n = k
		}
	}
	return n
}

// lookAtOne is State, unless the batch is over.
func (b *batch) lookAtOne(ctx context.Context, i int) {
	f := b.list[i]
	if e := b.trouble.Over(); e != nil && strings.HasPrefix(f.Handle, handlePrefix) {
		shared := *e
		shared.Temporary, shared.Ambiguous = true, false
		shared.Op = "look at " + strings.TrimPrefix(f.Handle, handlePrefix)
		b.out[i].Err = &shared
		return
	}
	st, err := b.s.State(ctx, f.Request, f.Handle)
	b.out[i] = triggers.Looked{State: st, Err: err}
	if err != nil {
		b.trouble.Met(triggers.AsError("look at a build", err), false)
	}
}
