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

// Start asks for one build, or for one scan.
func (s *Server) Start(ctx context.Context, req triggers.Request) (triggers.Receipt, error) {
	path, err := jobPath(req.Target)
	if err != nil {
		return triggers.Receipt{}, &triggers.Error{
			Op: fmt.Sprintf("start %q", req.Target), Reason: err.Error(),
			Hint: "a job's path is item names joined by /",
		}
	}
	var r triggers.Receipt
	var e *triggers.Error
	if req.Scan {
		r, e = s.scan(ctx, "scan "+req.Target, path)
	} else {
		r, e = s.build(ctx, "start "+req.Target, path, req)
	}
	if e != nil {
		return triggers.Receipt{}, e
	}
	r.URL = s.base + path + "/"
	return r, nil
}

// An order is one of the two ways to ask for a build.
type order struct {
	endpoint string
	form     url.Values
	notes    []string
}

func (s *Server) build(ctx context.Context, op, path string, req triggers.Request) (triggers.Receipt, *triggers.Error) {
	d, e := s.declared(ctx, op, path, req.Target)
	if e != nil {
		return triggers.Receipt{}, e
	}
	first, other := parameterised(req, d), plainly(req)
	if d.known && !d.takes || !d.known && len(req.Values) == 0 {
		first, other = other, first
	}
	query := delay(req.Delay)
	o := first
	a, e := s.post(ctx, op, path+o.endpoint, query, o.form)
	if e != nil {
		return triggers.Receipt{}, e
	}
	if a.status == http.StatusBadRequest {
		// Nothing was started. The job may have changed since it was asked,
		// or was never seen; on a job of the one kind the other endpoint
		// cannot start anything either, so the second try is safe.
		s.jobs.drop(req.Target)
		b, e := s.post(ctx, op, path+other.endpoint, query, other.form)
		if e != nil {
			return triggers.Receipt{}, e
		}
		if b.status != http.StatusBadRequest {
			a, o = b, other
			o.notes = append(o.notes, fmt.Sprintf("jenkins answered 400 to %s, so %s was used", first.endpoint, other.endpoint))
		}
	}
	if a.status == http.StatusNotFound {
		s.jobs.drop(req.Target)
		return triggers.Receipt{}, s.absent(ctx, op, req, a)
	}
	r, e := receipt(op, path, a)
	r.Notes = append(r.Notes, o.notes...)
	return r, e
}

// parameterised orders a build with the request's values. Values that the job
// does not declare are sent too: they do no harm, and a job may declare them
// between the look and the start.
func parameterised(req triggers.Request, d declaration) order {
	o := order{endpoint: "/buildWithParameters", form: url.Values{}}
	for _, name := range sortedNames(req.Values) {
		o.form.Set(name, req.Values[name])
		if d.known && d.takes && !d.names[name] {
			o.notes = append(o.notes, fmt.Sprintf("parameter %q is not declared by the job; jenkins ignores it", name))
		}
	}
	// So is the id: a build whose job declares its parameter always carries it,
	// and Find takes a build with another value for another's.
	if req.ID != "" {
		o.form.Set(triggers.IDName, req.ID)
	}
	if !d.known && len(req.Values) > 0 {
		o.notes = append(o.notes, "the job's parameters could not be read; jenkins ignores those it does not declare")
	}
	return o
}

// plainly orders a build of a job without parameters.
func plainly(req triggers.Request) order {
	o := order{endpoint: "/build", form: url.Values{}}
	if names := sortedNames(req.Values); len(names) > 0 {
		o.notes = []string{fmt.Sprintf("the job declares no parameters; not sent: %q", names)}
	}
	return o
}

func sortedNames(values map[string]string) []string {
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// delay is the quiet period as a query. Without its unit Jenkins would take
// milliseconds and cut them to seconds.
func delay(d time.Duration) map[string]string {
	if d <= 0 {
		return nil
	}
	seconds := int64((d + time.Second - 1) / time.Second)
	return map[string]string{"delay": fmt.Sprintf("%dsec", seconds)}
}

func (s *Server) scan(ctx context.Context, op, path string) (triggers.Receipt, *triggers.Error) {
	a, e := s.post(ctx, op, path+"/build", map[string]string{"delay": "0sec"}, url.Values{})
	if e != nil {
		return triggers.Receipt{}, e
	}
	if a.status == http.StatusNotFound {
		if e := s.present(ctx, op); e != nil {
			return triggers.Receipt{}, e
		}
	}
	return scanReceipt(op, path, a)
}

// absent is the error of a job that is not there. The job of a new branch
// comes with the next scan of the project around it, so one is asked for.
func (s *Server) absent(ctx context.Context, op string, req triggers.Request, a answer) *triggers.Error {
	if e := s.present(ctx, op); e != nil {
		return e
	}
	e := refusal(op, a)
	if !req.Dynamic {
		return e
	}
	e.Temporary = true
	e.Within = triggers.IndexWait
	e.Reason = strings.Join([]string{"no such job yet", s.scanAround(ctx, req.Target)}, "; ")
	e.Hint = "the job of a new branch appears when Jenkins has scanned its project; check the branch filters if it never does"
	return e
}

// scanAround asks for a scan of the project around a missing job, at most once
// a minute, and says how that went.
func (s *Server) scanAround(ctx context.Context, target string) string {
	parent, ok := parentOf(target)
	if !ok {
		return "there is no project around it to scan"
	}
	if !s.scans.take(parent) {
		return fmt.Sprintf("a scan of %q was asked for within the last minute", parent)
	}
	path, err := jobPath(parent)
	if err != nil {
		return err.Error()
	}
	// A project has jobs; on a plain job the same POST would start a build.
	var around struct {
		Jobs []struct{} `json:"jobs"`
	}
	op := "scan " + parent
	a, e := s.get(ctx, op, path, "jobs[name]{0,1}", &around)
	switch {
	case e != nil:
		return fmt.Sprintf("a scan of %q failed: %s", parent, e.Reason)
	case a.status != http.StatusOK:
		return fmt.Sprintf("%q cannot be scanned: %s", parent, refusal(op, a).Reason)
	case around.Jobs == nil:
		return fmt.Sprintf("%q holds no jobs and cannot be scanned", parent)
	}
	if _, e := s.scan(ctx, op, path); e != nil {
		return fmt.Sprintf("a scan of %q failed: %s", parent, e.Reason)
	}
	s.log.Info("asked jenkins for a scan", "server", s.base, "project", parent)
	return fmt.Sprintf("asked for a scan of %q", parent)
}

// present asks whether Jenkins itself answers under the configured URL.
func (s *Server) present(ctx context.Context, op string) *triggers.Error {
	var root struct {
		Class string `json:"_class"`
	}
	a, e := s.get(ctx, op, "", "mode", &root)
	if e != nil {
		return e
	}
	ours := a.header.Get("X-Jenkins") != ""
	if a.status == http.StatusOK && (ours || root.Class != "") || a.status == http.StatusForbidden && ours {
		return nil
	}
	e = refusal(op, a)
	if !e.Server && a.status != http.StatusTooManyRequests {
		e.Reason = fmt.Sprintf("answered 404, and %d at the server's own url: jenkins is not there", a.status)
		e.Hint = "check the server's url and its context path"
	}
	e.Temporary, e.Server, e.Ambiguous = true, true, false
	return e
}
