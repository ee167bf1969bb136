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
	l, kind, n, e := s.looking("follow", req.Target, handle)
	if e != nil {
		return triggers.State{}, e
	}
	var st triggers.State
	if kind == queueKind {
		st, e = l.queue(ctx, n)
	} else {
		st, e = l.build(ctx, n)
	}
	if e != nil {
		return triggers.State{}, again(e)
	}
	return st, nil
}

// whyLost is said of a build that Jenkins no longer has.
const whyLost = "the build was deleted, or its job"

// again makes an error that of a call which may be repeated without harm.
func again(e *triggers.Error) *triggers.Error {
	e.Temporary, e.Ambiguous = true, false
	return e
}

// The kinds of handles, the word before the slash.
const (
	queueKind = "queue"
	buildKind = "build"
)

// looking takes a target and a handle apart.
func (s *Server) looking(verb, target, handle string) (l look, kind string, n int64, e *triggers.Error) {
	path, err := jobPath(target)
	if err != nil {
		return l, "", 0, &triggers.Error{Op: fmt.Sprintf("%s %q", verb, target), Reason: err.Error()}
	}
	l = look{s: s, op: verb + " " + target, path: path}
	kind, digits, _ := strings.Cut(handle, "/")
	n, ok := number(digits)
	if !ok || kind != queueKind && kind != buildKind {
		return l, "", 0, &triggers.Error{Op: l.op, Reason: fmt.Sprintf("%q is not a handle of jenkins", handle)}
	}
	return l, kind, n, nil
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

// buildTree asks for a buildRecord.
const buildTree = "number,queueId,url,result,building,inProgress"

// over says that the build has ended. A pipeline may set its result while it
// runs.
func (b buildRecord) over() bool { return !b.Building && !b.InProgress && b.Result != "" }

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
	a, e := l.s.get(ctx, l.op, l.path, "name,builds["+buildTree+"]{0,100}", &job)
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
	a, e := l.s.get(ctx, l.op, fmt.Sprintf("%s/%d", l.path, n), buildTree, &b)
	switch {
	case e != nil:
		return triggers.State{}, e
	case a.status == http.StatusNotFound:
		return l.lost(ctx, buildHandle(n), whyLost)
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
	if !b.over() {
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

func queueHandle(n int64) string { return fmt.Sprintf("%s/%d", queueKind, n) }
func buildHandle(n int64) string { return fmt.Sprintf("%s/%d", buildKind, n) }

// number reads a positive number written as Jenkins writes it.
func number(digits string) (int64, bool) {
	n, err := strconv.ParseInt(digits, 10, 64)
	return n, err == nil && n > 0 && strconv.FormatInt(n, 10) == digits
}
