package bamboo

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/pushgate/pushgate/triggers"
)

// Check asks whether the server and the plans of a list of requests are ready
// for them: one finding for the server, then one or more for each plan, in the
// order of the list. It starts nothing, so whether the token may trigger builds
// is not found out: Bamboo has no way to ask. Only names of a request's values
// are used. Plan branches come and go with pushes; only plans are looked at.
// Requests with one target count as one.
func (s *Server) Check(ctx context.Context, list []triggers.Request) []triggers.Finding {
	server, up := s.checkServer(ctx)
	if !up {
		return []triggers.Finding{server}
	}
	var targets []string
	names := map[string]map[string]bool{}
	for _, req := range list {
		if names[req.Target] == nil {
			names[req.Target] = map[string]bool{}
			targets = append(targets, req.Target)
		}
		for name := range req.Values {
			names[req.Target][name] = true
		}
	}
	found := make([][]triggers.Finding, len(targets))
	triggers.Each(len(targets), func(i int) { found[i] = s.checkPlan(ctx, targets[i], slices.Sorted(maps.Keys(names[targets[i]]))) })
	return append([]triggers.Finding{server}, slices.Concat(found...)...)
}

// problem is what an error means to somebody who sets things up.
func problem(target string, e *triggers.Error) triggers.Finding {
	text := e.Reason
	if e.Status > 0 {
		text = fmt.Sprintf("answered %d: %s", e.Status, text)
	}
	if e.Err != nil {
		text = fmt.Sprintf("%s: %v", text, e.Err)
	}
	hint := e.Hint
	if hint == "" {
		hint = "try again in a while; see the server's log if it goes on"
	}
	return triggers.Finding{Target: target, Problem: text, Hint: hint}
}

func (s *Server) checkServer(ctx context.Context) (found triggers.Finding, up bool) {
	var info struct {
		Version string `json:"version"`
		State   string `json:"state"`
	}
	var user struct {
		Name string `json:"name"`
	}
	if e := s.read(ctx, "/info", &info, func() bool { return info.Version != "" }); e != nil {
		return problem("", e), false
	}
	if e := s.read(ctx, "/currentUser", &user, func() bool { return user.Name != "" }); e != nil {
		return problem("", e), false
	}
	f := triggers.Finding{OK: true, Found: s.texts.Text(fmt.Sprintf("bamboo %s, signed in as %s", info.Version, user.Name))}
	if info.State != "" && info.State != "RUNNING" {
		f.Problem = s.texts.Text("bamboo is " + info.State)
		f.Hint = "builds wait until it runs again"
	}
	return f, true
}

// read gets a small document; whole says whether it is the one asked for.
func (s *Server) read(ctx context.Context, path string, into any, whole func() bool) *triggers.Error {
	c := call{op: "check", method: http.MethodGet, path: "/rest/api/latest" + path}
	a, e := s.send(ctx, c)
	switch {
	case e != nil:
		return e
	case a.status != http.StatusOK:
		e = s.judge(c, a)
		if a.status == http.StatusNotFound {
			e.Hint = hintURL
		}
		return e
	case json.Unmarshal(a.body, into) != nil || !whole():
		return s.stranger(c, a)
	}
	return nil
}

func (s *Server) checkPlan(ctx context.Context, target string, names []string) []triggers.Finding {
	op := "check " + quoteOdd(target)
	if e := checkRequest(op, triggers.Request{Target: target}); e != nil {
		return []triggers.Finding{{Target: target, Problem: e.Reason, Hint: e.Hint}}
	}
	p, e := s.plan(ctx, op, target)
	if e != nil {
		return []triggers.Finding{problem(target, e)}
	}
	if !p.enabled {
		return []triggers.Finding{{Target: target, Problem: "the plan is disabled", Hint: "enable the plan in Bamboo"}}
	}
	var found []triggers.Finding
	remark := func(what, hint string) {
		found = append(found, triggers.Finding{Target: target, OK: true, Problem: what, Hint: hint})
	}
	for _, name := range names {
		if name != triggers.IDName && !p.variables[name] {
			remark(fmt.Sprintf("variable %q is not declared by the plan", name),
				"declare it as a plan variable; whether Bamboo takes others is not documented, and global ones are not seen here")
		}
	}
	if !p.variables[triggers.IDName] {
		remark(fmt.Sprintf("variable %s is not declared by the plan", triggers.IDName),
			"declare it as a plan variable: then a build can be found again after a crash, and is not started twice")
	}
	if found == nil {
		found = []triggers.Finding{{Target: target, OK: true, Found: fmt.Sprintf("declares %s and all variables sent", triggers.IDName)}}
	}
	return found
}
