package bamboo

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/pushgate/pushgate/internal/rest"
	"github.com/pushgate/pushgate/triggers"
)

const (
	// findPage is how many results a request of Find asks for, findPages how
	// many requests it makes.
	findPage  = 50
	findPages = 40
)

// Find looks for the build of req, whose start was sent at since or later,
// among the results of its plan or plan branch. With includeAllStates these are
// those that wait and run, too; it is on this that State relies as well. What
// the queue, asked first, has beyond them is an error: look again.
//
// A result shows its variables. Whether Bamboo takes a variable that a plan
// does not declare is not documented. So a result without the variable counts
// as another's only where the plan declares it; else, absence is unknown as
// soon as anybody else's build began since.
//
// A plan branch is looked up by its name and never made. Where there is none,
// or no plan, there is no build of it.
//
// Errors are temporary but for a key that cannot be one. A look that is refused
// for this plan alone is triggers.Unknown.
func (s *Server) Find(ctx context.Context, req triggers.Request, since time.Time) (triggers.Sighting, error) {
	f := finder{s: s, op: "find " + quoteOdd(req.Target), req: req, since: since, key: req.Target}
	if e := checkRequest(f.op, triggers.Request{Target: req.Target, Branch: req.Branch}); e != nil {
		return triggers.Sighting{}, e
	}
	if req.ID == "" {
		return unknown("the request has no id to look for"), nil
	}
	seen, e := f.find(ctx)
	if e != nil {
		if !e.Temporary && e.Status/100 == 4 {
			return unknown("the plan's results cannot be seen: %s", e.Reason), nil
		}
		e.Temporary, e.Ambiguous = true, false
		return triggers.Sighting{}, e
	}
	return seen, nil
}

func unknown(format string, args ...any) triggers.Sighting {
	return triggers.Sighting{Presence: triggers.Unknown, Why: fmt.Sprintf(format, args...)}
}

type finder struct {
	s     *Server
	op    string
	req   triggers.Request
	since time.Time
	key   string // of the plan or plan branch

	list     []triggers.Trace
	shows    []bool // whether a trace shows variables at all
	oldest   int64  // the build of req; 0 for none
	asked    bool   // whether the plan declares the variable
	declares bool
}

func (f *finder) find(ctx context.Context) (triggers.Sighting, *triggers.Error) {
	if f.req.Branch != "" {
		key, e := f.branchKey(ctx)
		if e != nil || key == "" {
			return triggers.Sighting{Presence: triggers.Absent}, e
		}
		f.key = key
	}
	waits, e := f.inQueue(ctx)
	if e != nil {
		return triggers.Sighting{}, e
	}
	hidden, e := f.amongResults(ctx)
	switch {
	case e != nil:
		return triggers.Sighting{}, e
	case f.oldest > 0:
		st, err := f.s.State(ctx, f.req, fmt.Sprintf("%s%s-%d", handlePrefix, f.key, f.oldest))
		if err != nil {
			return triggers.Sighting{}, triggers.AsError(f.op, err)
		}
		return triggers.Sighting{Presence: triggers.Present, State: st}, nil
	case len(f.list) > 0 && waits > f.list[0].Number, len(f.list) == 0 && waits > 0:
		return triggers.Sighting{}, &triggers.Error{Op: f.op, Reason: fmt.Sprintf("build %d waits in the queue and has no result yet", waits)}
	case hidden != "":
		return unknown("%s", hidden), nil
	}
	return triggers.Sighting{Presence: triggers.Absent}, nil
}

// branchKey is the key of the plan branch; empty where there is none.
func (f *finder) branchKey(ctx context.Context) (string, *triggers.Error) {
	c := branchCall(f.op, http.MethodGet, f.req)
	a, e := f.s.send(ctx, c)
	switch {
	case e != nil:
		return "", e
	case a.status == http.StatusNoContent, a.status == http.StatusNotFound && !rest.IsPage(a.header, a.body):
		return "", nil
	case a.status == http.StatusNotFound:
		return "", f.s.stranger(c, a)
	case a.status != http.StatusOK:
		return "", f.s.judge(c, a)
	}
	key, ok := branchKeyOf(a.body, f.req.Target)
	if !ok {
		return "", f.s.stranger(c, a)
	}
	return key, nil
}

// stranger is the error of an answer that Bamboo does not give.
func (s *Server) stranger(c call, a answer) *triggers.Error {
	e := s.judge(c, a)
	e.Temporary, e.Server, e.Reason, e.Hint = true, true, "not Bamboo's answer", hintURL
	return e
}

// inQueue gives the number of the newest build of the plan that waits.
func (f *finder) inQueue(ctx context.Context) (newest int64, _ *triggers.Error) {
	c := call{
		op: f.op, method: http.MethodGet, path: "/rest/api/latest/queue",
		query: url.Values{"expand": {"queuedBuilds"}, "max-result": {"1000"}},
	}
	a, e := f.s.send(ctx, c)
	if e != nil {
		return 0, e
	}
	var doc struct {
		Queue *struct {
			Builds []struct {
				Key string `json:"buildResultKey"`
			} `json:"queuedBuild"`
		} `json:"queuedBuilds"`
	}
	if a.status != http.StatusOK {
		if e := f.s.judge(c, a); e.Temporary {
			return 0, e
		}
		return 0, nil // the results tell
	}
	if json.Unmarshal(a.body, &doc) != nil || doc.Queue == nil {
		return 0, f.s.stranger(c, a)
	}
	for _, b := range doc.Queue.Builds {
		// The queue is one of jobs: PROJ-PLAN-JOB-12.
		parts := strings.Split(b.Key, "-")
		n, err := strconv.ParseInt(parts[len(parts)-1], 10, 32)
		if len(parts) >= 3 && err == nil && strings.Join(parts[:2], "-") == f.key {
			newest = max(newest, n)
		}
	}
	return newest, nil
}

// amongResults looks through the results since the start, the newest first.
func (f *finder) amongResults(ctx context.Context) (hidden string, _ *triggers.Error) {
	got := 0
	for range findPages {
		p, e := f.s.results(ctx, f.op, f.key, got, findPage, "results.result.variables")
		if e != nil || p.gone {
			return "", e
		}
		now := time.Now()
		for _, r := range p.list {
			f.add(r)
		}
		got += len(p.list)
		since := triggers.Earliest(f.since, now, p.date)
		why, more := triggers.Hidden(f.list, since, got >= p.size)
		if why != "" && !more && !f.asked {
			// Perhaps only for want of the variable, which a declared one excuses.
			if e := f.askPlan(ctx); e != nil {
				return "", e
			}
			why, more = triggers.Hidden(f.list, since, got >= p.size)
		}
		if !more || len(p.list) == 0 {
			return why, nil
		}
		hidden = why
	}
	return hidden, nil
}

func (f *finder) add(r resultRecord) {
	n := r.number(f.key)
	if n == 0 {
		return
	}
	ours, tells := r.carry(f.req.ID)
	if ours {
		f.oldest = n
	}
	f.list = append(f.list, triggers.Trace{Number: n, At: r.began(), Tells: tells || f.declares && r.Variables != nil})
	f.shows = append(f.shows, r.Variables != nil)
}

// askPlan excuses results without the variable where the plan declares it.
func (f *finder) askPlan(ctx context.Context) *triggers.Error {
	f.asked = true
	p, e := f.s.plan(ctx, f.op, f.key)
	if e != nil {
		return e
	}
	f.declares = p.variables[triggers.IDName]
	for i := range f.list {
		f.list[i].Tells = f.list[i].Tells || f.declares && f.shows[i]
	}
	return nil
}
