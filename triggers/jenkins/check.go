package jenkins

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/pushgate/pushgate/triggers"
)

// Check asks whether the server and the targets of a list of requests are ready
// for them: one finding for the server, then one or more for each target, in
// the order of the list. It starts nothing, so whether this user may start
// builds is not found out: Jenkins has no way to ask. Only names of a request's
// values are used. Requests with one target count as one.
func (s *Server) Check(ctx context.Context, list []triggers.Request) []triggers.Finding {
	server, up := s.checkServer(ctx)
	if !up {
		return server
	}
	var targets []triggers.Request
	at := map[string]int{}
	for _, req := range list {
		i, known := at[req.Target]
		if !known {
			i = len(targets)
			at[req.Target] = i
			targets = append(targets, triggers.Request{Target: req.Target, Dynamic: req.Dynamic, Scan: req.Scan, Values: map[string]string{}})
		}
		for name := range req.Values {
			targets[i].Values[name] = ""
		}
	}
	found := make([][]triggers.Finding, len(targets))
	triggers.Each(len(targets), func(i int) { found[i] = s.checkTarget(ctx, targets[i]) })
	return append(server, slices.Concat(found...)...)
}

// problem is what an error means to somebody who sets things up.
func problem(target string, e *triggers.Error) triggers.Finding {
	text := e.Reason
	if e.Err != nil {
		text = fmt.Sprintf("%s: %v", text, e.Err)
	}
	hint := e.Hint
	if hint == "" {
		hint = "try again in a while; see the server's log if it goes on"
	}
	return triggers.Finding{Target: target, Problem: text, Hint: hint}
}

func (s *Server) checkServer(ctx context.Context) (found []triggers.Finding, up bool) {
	const op = "check"
	var who struct {
		Name      string `json:"name"`
		Anonymous *bool  `json:"anonymous"`
	}
	a, e := s.get(ctx, op, "/whoAmI", "name,anonymous", &who)
	if e == nil && a.status != http.StatusOK && a.status != http.StatusNotFound && a.status != http.StatusForbidden {
		e = refusal(op, a)
	}
	if e != nil {
		return []triggers.Finding{problem("", e)}, false
	}
	var root struct {
		Mode     string `json:"mode"`
		Quieting bool   `json:"quietingDown"`
	}
	r, e := s.get(ctx, op, "", "mode,quietingDown", &root)
	if e == nil && r.status != http.StatusOK {
		e = refusal(op, r)
		if r.status == http.StatusForbidden {
			e.Hint = "give the user the permission Overall/Read; where none is set, set user and token"
		} else {
			e.Hint = "check the server's url and its context path"
		}
	}
	if e != nil {
		return []triggers.Finding{problem("", e)}, false
	}
	f := triggers.Finding{OK: true, Found: "jenkins"}
	if version := plain(r.header.Get("X-Jenkins")); version != "" {
		f.Found += " " + version
	} else {
		f.Problem, f.Hint = "the answer has no X-Jenkins header", "check that the server's url is that of Jenkins; a proxy may hide the header"
	}
	switch {
	case who.Anonymous != nil && *who.Anonymous:
		f.Found += ", not signed in"
		if f.Problem == "" {
			f.Problem, f.Hint = "requests are anonymous", "set user and token, unless everybody may start builds there"
		}
	case who.Name != "":
		f.Found += ", signed in as " + plain(who.Name)
	}
	if root.Quieting && f.Problem == "" {
		f.Problem, f.Hint = "jenkins prepares to shut down: builds wait", "cancel the shut-down in Jenkins if it is not meant"
	}
	return []triggers.Finding{f}, true
}

func (s *Server) checkTarget(ctx context.Context, req triggers.Request) []triggers.Finding {
	path, err := jobPath(req.Target)
	if err != nil {
		return []triggers.Finding{{Target: req.Target, Problem: err.Error(), Hint: "a job's path is item names joined by /"}}
	}
	var job struct {
		Name      string      `json:"name"`
		Buildable *bool       `json:"buildable"`
		Property  properties  `json:"property"`
		Jobs      *[]struct{} `json:"jobs"`
	}
	op := "check " + req.Target
	a, e := s.get(ctx, op, path, "name,buildable,jobs[name]{0,1},"+propertyTree, &job)
	switch {
	case e != nil:
	case a.status == http.StatusNotFound && req.Dynamic:
		return []triggers.Finding{{Target: req.Target, OK: true, Problem: "no such job yet", Hint: "the job of a branch appears when Jenkins has scanned its project"}}
	case a.status != http.StatusOK:
		e = refusal(op, a)
	case job.Name == "":
		e = notJenkins(op, a)
	}
	if e != nil {
		return []triggers.Finding{problem(req.Target, e)}
	}
	wrong := func(what, hint string) []triggers.Finding {
		return []triggers.Finding{{Target: req.Target, Problem: what, Hint: hint}}
	}
	switch {
	case req.Scan && job.Jobs == nil:
		return wrong("a job, which cannot be scanned", "leave scan out, or name the multibranch project")
	case req.Scan:
		return []triggers.Finding{{Target: req.Target, OK: true, Found: "can be scanned"}}
	case job.Jobs != nil:
		return wrong("a folder or multibranch project, which cannot be built", "name a job in it, or set scan: true for a multibranch project")
	case job.Buildable != nil && !*job.Buildable:
		return wrong("the job cannot be built", "it is disabled, or its branch is gone: enable it in Jenkins")
	}
	return checkParameters(req, job.Property.declaration())
}

// checkParameters holds the names a request sends against those the job
// declares.
func checkParameters(req triggers.Request, d declaration) []triggers.Finding {
	var found []triggers.Finding
	for _, name := range sortedNames(req.Values) {
		if name != triggers.IDName && !d.names[name] {
			found = append(found, triggers.Finding{
				Target: req.Target, Problem: fmt.Sprintf("parameter %q is not declared by the job; jenkins ignores it", name),
				Hint: "declare it as a string parameter, or leave it out of the rule; the job of a new branch declares none before its first build",
			})
		}
	}
	if !d.names[triggers.IDName] {
		found = append(found, triggers.Finding{
			Target: req.Target, OK: true, Problem: fmt.Sprintf("parameter %s is not declared by the job", triggers.IDName),
			Hint: "declare it as a string parameter: then a build can be found again after a crash, and is not started twice",
		})
	}
	if found == nil {
		found = []triggers.Finding{{Target: req.Target, OK: true, Found: fmt.Sprintf("declares %s and all parameters sent", triggers.IDName)}}
	}
	return found
}
