package jenkins

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"

	"github.com/pushgate/pushgate/triggers"
)

const (
	// statesPage bounds the builds of a job that one request brings, and
	// statesPages the requests for one job.
	statesPage  = 1000
	statesPages = 4
)

// States looks at many builds with few requests: one for the queue where any
// may wait there, one for each job of which two builds or more may run, and one
// for each build that these do not show. The answer for a build, at the same
// place in the list, is that of State.
//
// A server that cannot be reached, refuses the credentials, is not ready or asks
// to wait ends the batch, and so do requests without an answer, though not the
// first: the builds not yet looked at share the error.
func (s *Server) States(ctx context.Context, list []triggers.Followed) []triggers.Looked {
	b := &batch{s: s, list: list, out: make([]triggers.Looked, len(list)), jobs: map[string]*jobLook{}}
	b.sort()
	if len(b.queued) > 1 {
		b.lookAtQueue(ctx)
	} else {
		b.leave(b.queued...)
	}
	triggers.Each(len(b.order), func(i int) { b.lookAtJob(ctx, b.jobs[b.order[i]]) })
	slices.Sort(b.single)
	triggers.Each(len(b.single), func(i int) { b.lookAtOne(ctx, b.single[i]) })
	return b.out
}

// A batch is the work of one call of States. Each build is in one place of it
// at a time, named by its index in the list.
type batch struct {
	s    *Server
	list []triggers.Followed
	out  []triggers.Looked

	queued []int               // the queue is asked about these
	jobs   map[string]*jobLook // and these of the others
	order  []string            // the keys of jobs

	trouble triggers.Trouble

	mu     sync.Mutex
	single []int // left for looks of their own
}

// A jobLook is a job and the builds that it is asked about, by what they are
// known by.
type jobLook struct {
	look
	target string
	items  map[int64][]int // by queue id
	builds map[int64][]int // by number
	count  int
}

// sort puts each build where it is looked for first, and refuses handles that
// are none.
func (b *batch) sort() {
	for i, f := range b.list {
		l, kind, n, e := b.s.looking("follow", f.Request.Target, f.Handle)
		switch {
		case e != nil:
			b.out[i].Err = e
		case kind == queueKind:
			b.queued = append(b.queued, i)
		default:
			b.job(f.Request.Target, l).add(n, i, false)
		}
	}
}

func (b *batch) job(target string, l look) *jobLook {
	j := b.jobs[target]
	if j == nil {
		j = &jobLook{look: l, target: target, items: map[int64][]int{}, builds: map[int64][]int{}}
		b.jobs[target] = j
		b.order = append(b.order, target)
	}
	return j
}

func (j *jobLook) add(n int64, i int, queued bool) {
	to := j.builds
	if queued {
		to = j.items
	}
	to[n] = append(to[n], i)
	j.count++
}

// lookAtQueue settles what waits, and hands the others to their jobs: what is
// not seen there has left the queue, or stands beyond its bound.
func (b *batch) lookAtQueue(ctx context.Context) {
	var queue struct {
		Items []struct {
			ID  int64  `json:"id"`
			Why string `json:"why"`
		} `json:"items"`
	}
	a, e := b.s.get(ctx, "follow the queue", "/queue", fmt.Sprintf("items[id,why]{0,%d}", queueBound), &queue)
	b.heed(a, e)
	waits := map[int64]string{}
	if a.status == http.StatusOK && e == nil {
		for _, it := range queue.Items {
			waits[it.ID] = it.Why
		}
	}
	for _, i := range b.queued {
		l, _, n, _ := b.s.looking("follow", b.list[i].Request.Target, b.list[i].Handle)
		if why, ok := waits[n]; ok {
			b.out[i].State = triggers.State{Phase: triggers.Queued, Handle: queueHandle(n), Why: plain(why)}
			continue
		}
		b.job(b.list[i].Request.Target, l).add(n, i, true)
	}
}

// lookAtJob settles what is among the newest builds of a job.
func (b *batch) lookAtJob(ctx context.Context, j *jobLook) {
	defer b.rest(j)
	if j.count == 1 || b.trouble.Over() != nil {
		return
	}
	size := min(j.count+j.count/4+20, statesPage)
	for page := range statesPages {
		var job struct {
			Name   string        `json:"name"`
			Builds []buildRecord `json:"allBuilds"`
		}
		from := page * size
		a, e := b.s.get(ctx, j.op, j.path, fmt.Sprintf("name,allBuilds[%s]{%d,%d}", buildTree, from, from+size), &job)
		if a.status == http.StatusNotFound && b.s.present(ctx, j.op) == nil {
			for n := range j.builds {
				b.settle(j.builds, n, triggers.State{Phase: triggers.Lost, Handle: buildHandle(n), Why: whyLost})
			}
			break
		}
		if e != nil || a.status != http.StatusOK || job.Name == "" {
			// A look of their own tells what is wrong for each.
			b.heed(a, e)
			break
		}
		oldest := int64(0)
		for _, r := range job.Builds {
			if r.Number > 0 {
				b.settle(j.builds, r.Number, j.state(r))
				b.settle(j.items, r.QueueID, j.state(r))
				oldest = r.Number
			}
		}
		if len(job.Builds) < size || !j.below(oldest) {
			break
		}
	}
}

// below says whether builds are still looked for under a number.
func (j *jobLook) below(oldest int64) bool {
	for n := range j.builds {
		if n < oldest {
			return true
		}
	}
	return false
}

// settle gives a state to the builds known by n.
func (b *batch) settle(known map[int64][]int, n int64, st triggers.State) {
	for _, i := range known[n] {
		b.out[i].State = st
	}
	delete(known, n)
}

// rest leaves the builds that were not settled to looks of their own.
func (b *batch) rest(j *jobLook) {
	for _, known := range []map[int64][]int{j.items, j.builds} {
		for _, list := range known {
			b.leave(list...)
		}
	}
}

func (b *batch) leave(list ...int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.single = append(b.single, list...)
}

// heed notes what an answer without a list means for the batch.
func (b *batch) heed(a answer, e *triggers.Error) {
	switch {
	case e == nil && a.status != http.StatusOK:
		b.trouble.Met(refusal("follow", a), false)
	case e != nil && !a.long():
		b.trouble.Met(e, dialing(e))
	}
}

// lookAtOne is State, unless the batch is over.
func (b *batch) lookAtOne(ctx context.Context, i int) {
	f := b.list[i]
	if e := b.trouble.Over(); e != nil {
		shared := *e
		shared.Temporary, shared.Ambiguous = true, false
		shared.Op = "follow " + f.Request.Target
		b.out[i].Err = &shared
		return
	}
	st, err := b.s.State(ctx, f.Request, f.Handle)
	b.out[i] = triggers.Looked{State: st, Err: err}
	if err != nil {
		e := triggers.AsError("follow "+f.Request.Target, err)
		b.trouble.Met(e, dialing(e))
	}
}
