package jenkins

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/pushgate/pushgate/triggers"
)

const (
	// queueBound is how much of the queue is read. Items change places when
	// they are moved from one of its lists to another, so pages of it prove
	// nothing: a longer queue is one that was not seen whole.
	queueBound = 2000
	// findPage is how many builds of a job a request of Find brings, findPages
	// how many requests it makes.
	findPage  = 100
	findPages = 20
	// justBegun is how long a build may be without its parameters: Jenkins
	// lists it before it has given them to it.
	justBegun = time.Minute
)

// Find looks for the build of req, whose start was sent at since or later.
//
// It asks the queue first and the job's builds then. In this order nothing
// slips through: Jenkins makes the build and takes the item out of the queue
// under one lock. In the other, an item that becomes a build between the two
// requests would be in neither.
//
// An item that carries req.ID stands for req alone: Jenkins merges items of
// equal parameters only. On a job that does not declare the parameter nothing
// carries it, and any item that waits may be the one that req was merged into.
// Builds need no such care: what began before since is not the build of req.
//
// Errors are temporary but for a target that cannot be one. A look that is
// refused for this job alone is triggers.Unknown.
func (s *Server) Find(ctx context.Context, req triggers.Request, since time.Time) (triggers.Sighting, error) {
	path, err := jobPath(req.Target)
	switch {
	case err != nil:
		return triggers.Sighting{}, &triggers.Error{Op: fmt.Sprintf("find %q", req.Target), Reason: err.Error()}
	case req.Scan:
		return unknown("a scan leaves nothing that could be found; a second one does no harm"), nil
	case req.ID == "":
		return unknown("the request has no id to look for"), nil
	}
	f := finder{look: look{s: s, op: "find " + req.Target, path: path}, req: req, since: since}
	seen, e := f.find(ctx)
	if e != nil {
		return triggers.Sighting{}, again(e)
	}
	return seen, nil
}

func unknown(format string, args ...any) triggers.Sighting {
	return triggers.Sighting{Presence: triggers.Unknown, Why: fmt.Sprintf(format, args...)}
}

type finder struct {
	look
	req   triggers.Request
	since time.Time

	item  int64  // one of req that waits; 0 for none
	why   string // what it waits for
	doubt string // why the queue may hide one
}

func (f *finder) find(ctx context.Context) (triggers.Sighting, *triggers.Error) {
	if e := f.inQueue(ctx); e != nil {
		return triggers.Sighting{}, e
	}
	built, hidden, e := f.amongBuilds(ctx)
	switch {
	case e != nil:
		return triggers.Sighting{}, e
	case built != nil:
		return triggers.Sighting{Presence: triggers.Present, State: *built}, nil
	case f.item > 0:
		st := triggers.State{Phase: triggers.Queued, Handle: queueHandle(f.item), Why: plain(f.why)}
		return triggers.Sighting{Presence: triggers.Present, State: st}, nil
	case f.doubt != "":
		return unknown("%s", f.doubt), nil
	case hidden != "":
		return unknown("%s", hidden), nil
	}
	return triggers.Sighting{Presence: triggers.Absent}, nil
}

// A queueRecord is an item of the queue in Jenkins' JSON.
type queueRecord struct {
	ID      int64   `json:"id"`
	Why     string  `json:"why"`
	Actions actions `json:"actions"`
	Task    task    `json:"task"`
}

func (f *finder) inQueue(ctx context.Context) *triggers.Error {
	var queue struct {
		Items []queueRecord `json:"items"`
	}
	tree := fmt.Sprintf("items[id,why,%s,task[url]]{0,%d}", actionTree, queueBound)
	a, e := f.s.get(ctx, f.op, "/queue", tree, &queue)
	switch {
	case a.long(), len(queue.Items) >= queueBound:
		f.doubt = "jenkins' queue is too long to be seen whole"
	case e != nil:
		return e
	case a.status != http.StatusOK:
		e := refusal(f.op, a)
		if a.status == http.StatusNotFound {
			if e := f.s.present(ctx, f.op); e != nil {
				return e
			}
		}
		if e.Temporary {
			return e
		}
		f.doubt = "the queue cannot be seen: " + e.Reason
	case queue.Items == nil:
		return notJenkins(f.op, a)
	}
	for _, it := range queue.Items {
		if !it.Task.is(f.req.Target) || it.ID <= 0 {
			continue
		}
		ours, tells := it.Actions.carry(f.req.ID)
		switch {
		case ours && (f.item == 0 || it.ID < f.item):
			f.item, f.why = it.ID, it.Why
		case !tells && f.doubt == "":
			f.doubt = fmt.Sprintf("item %d, which waits, does not say which request it is for: it shows no %s", it.ID, triggers.IDName)
		}
	}
	return nil
}

// amongBuilds looks through the builds since the start, the newest first, and
// gives the oldest that carries the id. Hidden says why one may be there
// without being seen.
func (f *finder) amongBuilds(ctx context.Context) (built *triggers.State, hidden string, _ *triggers.Error) {
	var list []triggers.Trace
	for page := range findPages {
		job, a, e := f.page(ctx, page*findPage)
		switch {
		case a.long():
			return built, "the job's builds carry too much to be read", nil
		case e != nil:
			return nil, "", e
		case a.status == http.StatusNotFound:
			// Where no job is, no build of it is.
			return built, "", f.s.present(ctx, f.op)
		case a.status != http.StatusOK:
			e := refusal(f.op, a)
			if e.Temporary {
				return nil, "", e
			}
			return built, "the job's builds cannot be seen: " + e.Reason, nil
		case page == 0 && len(job.Builds) == 0 && job.Next > 1:
			return nil, "the job's builds were deleted", nil
		}
		now, date := time.Now(), serverTime(a)
		var begun int64
		for _, b := range job.Builds {
			ours, tells := b.Actions.carry(f.req.ID)
			if ours {
				st := f.state(b.buildRecord)
				built = &st
			}
			if !tells && b.QueueID <= 0 && !b.over() && b.at().After(orNow(date, now).Add(-justBegun)) {
				begun = b.Number
			}
			list = append(list, triggers.Trace{Number: b.Number, At: b.at(), Tells: tells})
		}
		if begun > 0 && built == nil {
			return nil, "", &triggers.Error{Op: f.op, Reason: fmt.Sprintf("build #%d has just begun and does not show its parameters yet", begun)}
		}
		more := false
		hidden, more = triggers.Hidden(list, triggers.Earliest(f.since, now, date), len(job.Builds) < findPage)
		if !more {
			break
		}
	}
	return built, hidden, nil
}

// A jobBuild is a build with what tells its origin.
type jobBuild struct {
	buildRecord
	Timestamp int64   `json:"timestamp"`
	Actions   actions `json:"actions"`
}

// at is when the build began; zero where that is not told.
func (b jobBuild) at() time.Time {
	if b.Timestamp <= 0 {
		return time.Time{}
	}
	return time.UnixMilli(b.Timestamp)
}

// A jobRecord is a job with some of its builds in Jenkins' JSON.
type jobRecord struct {
	Name     string     `json:"name"`
	Next     int64      `json:"nextBuildNumber"`
	Property properties `json:"property"`
	Builds   []jobBuild `json:"allBuilds"`
}

// page reads builds of the job from the given place on. Its declared parameters
// come along, for the next start.
func (f *finder) page(ctx context.Context, from int) (job jobRecord, a answer, e *triggers.Error) {
	tree := fmt.Sprintf("name,nextBuildNumber,%s,allBuilds[%s,timestamp,%s]{%d,%d}", propertyTree, buildTree, actionTree, from, from+findPage)
	a, e = f.s.get(ctx, f.op, f.path, tree, &job)
	if e != nil || a.status != http.StatusOK {
		return job, a, e
	}
	if job.Name == "" || job.Builds == nil {
		return job, a, notJenkins(f.op, a)
	}
	f.s.jobs.put(f.req.Target, job.Property.declaration())
	return job, a, nil
}

func serverTime(a answer) time.Time {
	date, err := http.ParseTime(a.header.Get("Date"))
	if err != nil {
		return time.Time{}
	}
	return date
}

func orNow(date, now time.Time) time.Time {
	if date.IsZero() {
		return now
	}
	return date
}

// actions are what plugins and Jenkins hang on items and builds; the parameters
// are among them.
type actions []struct {
	Parameters []struct {
		Name  string `json:"name"`
		Value any    `json:"value"`
	} `json:"parameters"`
}

const actionTree = "actions[parameters[name,value]]"

// carry says whether the id of a request is the one sought, and whether there
// is any to be seen: a parameter of another type than text shows none.
func (list actions) carry(id string) (ours, tells bool) {
	for _, a := range list {
		for _, p := range a.Parameters {
			text, is := p.Value.(string)
			if p.Name != triggers.IDName || !is {
				continue
			}
			tells = true
			ours = ours || text == id && id != ""
		}
	}
	return ours, tells
}

// A task is what a queue item is for: a job, or a step of a running build,
// which has no url.
type task struct {
	URL string `json:"url"`
}

// is says whether the task is the job of a target. Only the path from its first
// "/job/" on is compared: what stands before is as people reach Jenkins.
func (t task) is(target string) bool {
	u, err := url.Parse(t.URL)
	if err != nil {
		return false
	}
	path := u.EscapedPath()
	i := strings.Index(path, "/job/")
	if i < 0 {
		return false
	}
	var names []string
	for i, seg := range strings.Split(strings.Trim(path[i:], "/"), "/") {
		name, err := url.PathUnescape(seg)
		switch {
		case err != nil, i%2 == 0 && seg != "job":
			return false
		case i%2 == 1:
			names = append(names, name)
		}
	}
	return slices.Equal(names, strings.Split(target, "/"))
}
