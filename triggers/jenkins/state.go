package jenkins

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/pushgate/pushgate/triggers"
)

// State looks once at a started build. A look changes nothing, so each of its
// failures is temporary but for a handle or target that cannot be one; trouble
// with the server never reads as Lost.
func (s *Server) State(ctx context.Context, req triggers.Request, handle string) (triggers.State, error) {
	path, err := jobPath(req.Target)
	if err != nil {
		return triggers.State{}, &triggers.Error{Op: fmt.Sprintf("follow %q", req.Target), Reason: err.Error()}
	}
	l := look{s: s, op: "follow " + req.Target, path: path}
	kind, digits, _ := strings.Cut(handle, "/")
	n, ok := number(digits)
	looks := map[string]func(context.Context, int64) (triggers.State, *triggers.Error){
		"queue": l.queue,
		"build": l.build,
	}
	if !ok || looks[kind] == nil {
		return triggers.State{}, &triggers.Error{Op: l.op, Reason: fmt.Sprintf("%q is not a handle of jenkins", handle)}
	}
	st, e := looks[kind](ctx, n)
	if e != nil {
		e.Temporary, e.Ambiguous = true, false
		return triggers.State{}, e
	}
	return st, nil
}

type look struct {
	s        *Server
	op, path string
}

// A buildRecord is a build in Jenkins' JSON.
type buildRecord struct {
	Number     int64  `json:"number"`
	QueueID    int64  `json:"queueId"`
	URL        string `json:"url"`
	Result     string `json:"result"`
	Building   bool   `json:"building"`
	InProgress bool   `json:"inProgress"`
}

func (l look) queue(ctx context.Context, n int64) (triggers.State, *triggers.Error) {
	var item struct {
		ID         int64  `json:"id"`
		Why        string `json:"why"`
		Cancelled  bool   `json:"cancelled"`
		Executable *struct {
			Number int64 `json:"number"`
		} `json:"executable"`
	}
	a, e := l.s.get(ctx, l.op, fmt.Sprintf("/queue/item/%d", n), "id,why,cancelled,executable[number]", &item)
	switch {
	case e != nil:
		return triggers.State{}, e
	case a.status == http.StatusNotFound:
		return l.byQueueID(ctx, n)
	case a.status != http.StatusOK:
		return triggers.State{}, refusal(l.op, a)
	case item.ID != n:
		return triggers.State{}, notJenkins(l.op, a)
	case item.Cancelled:
		return triggers.State{Phase: triggers.Aborted, Handle: queueHandle(n), Why: "cancelled in the queue"}, nil
	case item.Executable != nil && item.Executable.Number > 0:
		return l.build(ctx, item.Executable.Number)
	}
	// An item that has left the queue without naming its build is between the
	// two: the next look knows more.
	return triggers.State{Phase: triggers.Queued, Handle: queueHandle(n), Why: plain(item.Why)}, nil
}

// byQueueID finds the build of a queue item that Jenkins has forgotten, among
// the job's hundred newest.
func (l look) byQueueID(ctx context.Context, n int64) (triggers.State, *triggers.Error) {
	var job struct {
		Name   string        `json:"name"`
		Builds []buildRecord `json:"builds"`
	}
	a, e := l.s.get(ctx, l.op, l.path, "name,builds[number,queueId,url,result,building,inProgress]{0,100}", &job)
	switch {
	case e != nil:
		return triggers.State{}, e
	case a.status == http.StatusNotFound:
		return l.lost(ctx, queueHandle(n), "the job is gone")
	case a.status != http.StatusOK:
		return triggers.State{}, refusal(l.op, a)
	case job.Name == "":
		return triggers.State{}, notJenkins(l.op, a)
	}
	for _, b := range job.Builds {
		if b.QueueID == n && b.Number > 0 {
			return l.state(b), nil
		}
	}
	return triggers.State{
		Phase: triggers.Lost, Handle: queueHandle(n),
		Why: "neither in the queue nor among the newest builds of the job",
	}, nil
}

func (l look) build(ctx context.Context, n int64) (triggers.State, *triggers.Error) {
	var b buildRecord
	a, e := l.s.get(ctx, l.op, fmt.Sprintf("%s/%d", l.path, n), "number,queueId,url,result,building,inProgress", &b)
	switch {
	case e != nil:
		return triggers.State{}, e
	case a.status == http.StatusNotFound:
		return l.lost(ctx, buildHandle(n), "the build was deleted, or its job")
	case a.status != http.StatusOK:
		return triggers.State{}, refusal(l.op, a)
	case b.Number != n:
		return triggers.State{}, notJenkins(l.op, a)
	}
	return l.state(b), nil
}

// lost gives up a build, but only on the word of Jenkins itself.
func (l look) lost(ctx context.Context, handle, why string) (triggers.State, *triggers.Error) {
	if e := l.s.present(ctx, l.op); e != nil {
		return triggers.State{}, e
	}
	return triggers.State{Phase: triggers.Lost, Handle: handle, Why: why}, nil
}

func (l look) state(b buildRecord) triggers.State {
	st := triggers.State{Handle: buildHandle(b.Number), URL: l.page(b)}
	if b.Building || b.InProgress || b.Result == "" {
		// A pipeline may set its result while it runs.
		st.Phase = triggers.Running
		return st
	}
	ends := map[string]triggers.Phase{
		"SUCCESS":   triggers.Succeeded,
		"UNSTABLE":  triggers.Unstable,
		"FAILURE":   triggers.Failed,
		"ABORTED":   triggers.Aborted,
		"NOT_BUILT": triggers.Aborted,
	}
	st.Phase, st.Why = ends[b.Result], plain(b.Result)
	if st.Phase == "" {
		st.Phase = triggers.Failed
	}
	return st
}

// page is where a person finds the build: the address that Jenkins gives, if
// it is one that a browser may be sent to. It is shown, never requested.
func (l look) page(b buildRecord) string {
	u, err := url.Parse(b.URL)
	if err != nil || u.Host == "" || u.User != nil || (u.Scheme != "http" && u.Scheme != "https") || len(b.URL) > 2048 {
		return fmt.Sprintf("%s%s/%d/", l.s.base, l.path, b.Number)
	}
	return u.String()
}

func queueHandle(n int64) string { return fmt.Sprintf("queue/%d", n) }
func buildHandle(n int64) string { return fmt.Sprintf("build/%d", n) }

// number reads a positive number written as Jenkins writes it.
func number(digits string) (int64, bool) {
	n, err := strconv.ParseInt(digits, 10, 64)
	return n, err == nil && n > 0 && strconv.FormatInt(n, 10) == digits
}
