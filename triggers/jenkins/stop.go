package jenkins

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/pushgate/pushgate/triggers"
)

const hintCancel = "give the user the permission Job/Cancel there, or stop the build in Jenkins"

// Stop takes the item of a handle out of the queue, or stops its build. An item
// that became a build meanwhile is stopped as that. What has ended, what
// Jenkins no longer knows, and what carries the id of another request under
// this handle, because the job was deleted and made anew, is left alone, and
// that is no error.
//
// Jenkins stops a build in its own time: success says that it was asked to, and
// State tells when it ended. A pipeline may ignore that; what Jenkins offers
// beyond, term and kill, may leave things half done and is left to people. To
// stop a build again does no harm, so no error is Ambiguous. Whether others
// share the item, the receipt said.
func (s *Server) Stop(ctx context.Context, req triggers.Request, handle string) error {
	l, kind, n, e := s.looking("stop", req.Target, handle)
	if e != nil {
		return e
	}
	st := stopper{look: l, req: req}
	if kind == queueKind {
		e = st.cancel(ctx, n)
	} else {
		e = st.stop(ctx, n)
	}
	if e == nil {
		return nil
	}
	e.Ambiguous = false
	if !e.Temporary && e.Hint == "" {
		e.Hint = "stop the build in Jenkins"
	}
	return e
}

type stopper struct {
	look
	req triggers.Request
}

// cancel looks before it acts, and again where the answer does not say what
// became of the item: it may have left the queue between the two requests.
func (st stopper) cancel(ctx context.Context, n int64) *triggers.Error {
	var refused *triggers.Error
	for {
		build, waits, e := st.item(ctx, n)
		switch {
		case e != nil:
			return e
		case build > 0:
			return st.stop(ctx, build)
		case !waits:
			return nil
		case refused != nil:
			return refused
		}
		a, e := st.s.post(ctx, st.op, "/queue/cancelItem", map[string]string{"id": fmt.Sprint(n)}, url.Values{})
		if e != nil {
			return e
		}
		refused = refusal(st.op, a)
		switch {
		case a.status == http.StatusNoContent:
			return nil
		case a.status == http.StatusUnprocessableEntity, a.status == http.StatusForbidden:
			refused.Reason = fmt.Sprintf("answered %d: jenkins does not let this user cancel the item", a.status)
			refused.Hint = hintCancel
			return refused
		case a.status/100 == 2, a.status/100 == 3:
			// So did every Jenkins of earlier years, whatever it had done.
			refused.Temporary, refused.Server = false, false
			refused.Reason = fmt.Sprintf("answered %d, and the item still waits", a.status)
			refused.Hint = hintCancel
		case a.status == http.StatusInternalServerError, a.status == http.StatusNotFound:
			// It has left the queue, or so it seems.
			refused.Temporary, refused.Server = true, false
			refused.Reason = fmt.Sprintf("answered %d, and the item still waits", a.status)
		default:
			return refused
		}
	}
}

// item says what became of a queue item: a build, or that it still waits.
// Neither means that there is nothing left to stop.
func (st stopper) item(ctx context.Context, n int64) (build int64, waits bool, _ *triggers.Error) {
	var item struct {
		queueRecord
		Cancelled  *bool `json:"cancelled"`
		Executable *struct {
			Number int64 `json:"number"`
		} `json:"executable"`
	}
	tree := "id,cancelled,executable[number],task[url]," + actionTree
	a, e := st.s.get(ctx, st.op, fmt.Sprintf("/queue/item/%d", n), tree, &item)
	switch {
	case e != nil:
		return 0, false, e
	case a.status == http.StatusNotFound:
		known, e := st.byQueueID(ctx, n)
		if e != nil || known.Phase.Ended() {
			return 0, false, e
		}
		build, _ = number(strings.TrimPrefix(known.Handle, buildKind+"/"))
		return build, false, nil
	case a.status != http.StatusOK:
		return 0, false, refusal(st.op, a)
	case item.ID != n:
		return 0, false, notJenkins(st.op, a)
	case st.foreign(item.Actions), item.Task.URL != "" && !item.Task.is(st.req.Target):
		return 0, false, nil
	case item.Executable != nil && item.Executable.Number > 0:
		return item.Executable.Number, false, nil
	case item.Cancelled == nil:
		return 0, true, nil
	case *item.Cancelled:
		return 0, false, nil
	}
	return 0, false, &triggers.Error{
		Op: st.op, Status: a.status, Temporary: true,
		Reason: "the item has just left the queue and does not name its build yet",
	}
}

// stop asks a running build to end.
func (st stopper) stop(ctx context.Context, n int64) *triggers.Error {
	var b jobBuild
	at := fmt.Sprintf("%s/%d", st.path, n)
	a, e := st.s.get(ctx, st.op, at, buildTree+","+actionTree, &b)
	switch {
	case e != nil:
		return e
	case a.status == http.StatusNotFound:
		return st.s.present(ctx, st.op)
	case a.status != http.StatusOK:
		return refusal(st.op, a)
	case b.Number != n:
		return notJenkins(st.op, a)
	case b.over(), st.foreign(b.Actions):
		return nil
	}
	a, e = st.s.post(ctx, st.op, at+"/stop", nil, url.Values{})
	if e != nil {
		return e
	}
	switch {
	case a.status == http.StatusNotFound:
		return st.s.present(ctx, st.op)
	case a.status/100 == 2 && a.header.Get("X-Jenkins") != "":
		return nil
	case a.status/100 == 3 && (reaches(a.redirect, at) || reaches(a.redirect, st.path)):
		return nil
	}
	e = refusal(st.op, a)
	if a.status == http.StatusForbidden && a.header.Get("X-Required-Permission") == "" {
		e.Hint = hintCancel
	}
	return e
}

// foreign says that what is there was started for another request.
func (st stopper) foreign(list actions) bool {
	ours, tells := list.carry(st.req.ID)
	return tells && !ours && st.req.ID != ""
}

// reaches says whether a redirect leads to the page at path (escaped), however
// the server between has escaped it.
func reaches(u *url.URL, path string) bool {
	want, err := url.PathUnescape(path)
	return err == nil && u != nil && strings.HasSuffix(strings.TrimSuffix(u.Path, "/"), want)
}
