package jenkinstest

import (
	"maps"
	"slices"
	"time"
)

// An item is a queue item: waiting, then left with a build or cancelled.
type item struct {
	id         int64
	job        *job
	parameters map[string]string // nil on a job without any
	since      time.Time
	quietTill  time.Time
	left       time.Time // zero while it waits
	cancelled  bool
	build      *build
}

func (it *item) waiting() bool { return it.left.IsZero() }

type build struct {
	item    *item
	number  int
	started time.Time
	ends    time.Time
	result  string
	gone    bool // deleted
}

func (b *build) over(now time.Time) bool { return !b.ends.After(now) }

func (b *build) public(now time.Time) Build {
	p := Build{
		Job: b.item.job.path, Number: b.number, QueueID: b.item.id,
		Parameters: maps.Clone(b.item.parameters), Started: b.started,
	}
	if b.over(now) {
		p.Result, p.Ended = b.result, b.ends
	}
	return p
}

// advance brings the state up to now, event by event: an item's quiet period
// ends, a build ends, and after each of them what can start does.
func (c *Controller) advance() {
	now := time.Now()
	for {
		c.startReady()
		next, found := c.nextEvent()
		if !found || next.After(now) {
			break
		}
		c.clock = next
		c.running = slices.DeleteFunc(c.running, func(b *build) bool { return b.over(c.clock) })
	}
	if now.After(c.clock) {
		c.clock = now
	}
	for len(c.left) > 0 && c.clock.Sub(c.left[0].left) >= c.opts.ItemLife {
		delete(c.items, c.left[0].id)
		c.left[0] = nil
		c.left = c.left[1:]
	}
}

func (c *Controller) nextEvent() (at time.Time, found bool) {
	earlier := func(t time.Time) {
		if !found || t.Before(at) {
			at, found = t, true
		}
	}
	for _, it := range c.queue {
		if it.waiting() && it.quietTill.After(c.clock) {
			earlier(it.quietTill)
		}
	}
	for _, b := range c.running {
		earlier(b.ends)
	}
	return at, found
}

func (c *Controller) startReady() {
	for _, it := range c.queue {
		if c.quiet || len(c.running) >= c.opts.Executors {
			break
		}
		if it.waiting() && !it.quietTill.After(c.clock) && c.blocker(it) == nil {
			c.start(it)
		}
	}
	c.queue = slices.DeleteFunc(c.queue, func(it *item) bool { return !it.waiting() })
}

// blocker is the running build that a serial job has to wait for.
func (c *Controller) blocker(it *item) *build {
	for _, b := range c.running {
		if it.job.Serial && b.item.job == it.job {
			return b
		}
	}
	return nil
}

func (c *Controller) start(it *item) {
	length := c.opts.BuildTime
	if it.job.BuildTime != 0 {
		length = it.job.BuildTime
	}
	b := &build{item: it, number: len(it.job.builds) + 1, started: c.clock, ends: c.clock.Add(length), result: "SUCCESS"}
	if it.job.Result != nil {
		b.result = it.job.Result(maps.Clone(it.parameters))
	}
	it.job.builds = append(it.job.builds, b)
	it.build = b
	c.leave(it)
	c.builds = append(c.builds, b)
	c.running = append(c.running, b)
}

// leave ends an item's wait. It stays in c.queue until startReady sweeps.
func (c *Controller) leave(it *item) {
	it.left = c.clock
	c.left = append(c.left, it)
}

// enqueue adds an item, or gives the identical one that waits already.
func (c *Controller) enqueue(j *job, parameters map[string]string, quiet time.Duration) (it *item, merged bool) {
	for _, it := range c.queue {
		if it.waiting() && it.job == j && maps.Equal(it.parameters, parameters) {
			return it, true
		}
	}
	c.lastID++
	it = &item{id: c.lastID, job: j, parameters: parameters, since: c.clock, quietTill: c.clock.Add(quiet)}
	c.queue = append(c.queue, it)
	c.items[it.id] = it
	return it, false
}
