package jenkinstest

import (
	"fmt"
	"html"
	"net/http"
	"slices"
	"strings"
	"time"
)

func (k call) jobList(path string) []any {
	list := []any{}
	for _, j := range k.c.children(path) {
		if j.Access < Discover && !j.visible.After(k.c.clock) {
			list = append(list, map[string]any{"_class": class(j), "name": j.name(), "url": k.shown(k.jobURL(j))})
		}
	}
	return list
}

func class(j *job) string {
	switch {
	case j.folder:
		return "com.cloudbees.hudson.plugins.folder.Folder"
	case j.Multibranch:
		return "org.jenkinsci.plugins.workflow.multibranch.WorkflowMultiBranchProject"
	}
	return "org.jenkinsci.plugins.workflow.job.WorkflowJob"
}

func (k call) jobJSON(j *job) map[string]any {
	v := map[string]any{
		"_class": class(j), "name": j.name(), "fullName": j.path, "url": k.shown(k.jobURL(j)),
	}
	if j.folder || j.Multibranch {
		v["jobs"] = k.jobList(j.path)
		return v
	}
	property := []any{map[string]any{"_class": "jenkins.model.BuildDiscarderProperty"}}
	if declared := j.declared(k.c.clock); declared != nil {
		definitions := []any{}
		for _, p := range declared {
			definitions = append(definitions, map[string]any{
				"_class": "hudson.model.StringParameterDefinition", "name": p.Name,
				"defaultParameterValue": map[string]any{"name": p.Name, "value": p.Default},
			})
		}
		property = append(property, map[string]any{
			"_class": "hudson.model.ParametersDefinitionProperty", "parameterDefinitions": definitions,
		})
	}
	var kept []*build
	for _, b := range slices.Backward(j.builds) {
		if !b.gone {
			kept = append(kept, b)
		}
	}
	list := func(builds []*build) []any {
		out := []any{}
		for _, b := range builds {
			out = append(out, k.buildJSON(b))
		}
		return out
	}
	if strings.Contains(k.r.FormValue("tree"), "allBuilds[") {
		from, to := k.span("allBuilds", len(kept))
		v["allBuilds"] = list(kept[from:to])
	}
	v["buildable"], v["disabled"] = !j.Disabled, j.Disabled
	v["property"], v["builds"], v["nextBuildNumber"] = property, list(kept[:min(len(kept), 100)]), len(j.builds)+1
	return v
}

// span is the range that tree= gives for a field, as in "builds[number]{0,9}",
// within a list of n.
func (k call) span(field string, n int) (from, to int) {
	_, rest, found := strings.Cut(k.r.FormValue("tree"), field+"[")
	depth := 1
	for found && depth > 0 && rest != "" {
		switch rest[0] {
		case '[':
			depth++
		case ']':
			depth--
		}
		rest = rest[1:]
	}
	if _, err := fmt.Sscanf(rest, "{%d,%d}", &from, &to); err != nil || from < 0 || to < from {
		return 0, n
	}
	return min(from, n), min(to, n)
}

func (k call) whoAmI(user string) {
	name := user
	if name == "" {
		name = "anonymous"
	}
	k.json(map[string]any{
		"_class": "hudson.security.WhoAmI", "name": name, "anonymous": user == "", "authenticated": true,
	})
}

func (k call) buildJSON(b *build) map[string]any {
	over := b.over(k.c.clock)
	v := map[string]any{
		"_class": "org.jenkinsci.plugins.workflow.job.WorkflowRun",
		"number": b.number, "id": fmt.Sprint(b.number), "queueId": b.item.id,
		"url":      k.shown(fmt.Sprintf("%s%d/", k.jobURL(b.item.job), b.number)),
		"building": !over, "inProgress": !over, "result": nil,
		"timestamp": b.started.Add(k.c.opts.Skew).UnixMilli(), "actions": actions(b.item),
	}
	if over {
		v["result"], v["duration"] = b.result, b.ends.Sub(b.started).Milliseconds()
	}
	return v
}

// actions carry the parameters of an item or build.
func actions(it *item) []any {
	list := []any{map[string]any{}}
	if it.parameters != nil {
		values := []any{}
		for _, p := range it.job.Parameters {
			values = append(values, map[string]any{
				"_class": "hudson.model.StringParameterValue", "name": p.Name, "value": it.parameters[p.Name],
			})
		}
		list = append(list, map[string]any{"_class": "hudson.model.ParametersAction", "parameters": values})
	}
	return list
}

func (k call) itemJSON(it *item) map[string]any {
	v := map[string]any{
		"id": it.id, "url": fmt.Sprintf("queue/item/%d/", it.id),
		"inQueueSince": it.since.UnixMilli(), "actions": actions(it),
		"task":    map[string]any{"_class": class(it.job), "name": it.job.name(), "url": k.shown(k.jobURL(it.job))},
		"blocked": false, "buildable": false, "stuck": false, "why": nil,
	}
	kind := "Left"
	switch {
	case !it.waiting():
		v["cancelled"], v["executable"] = it.cancelled, nil
		if it.build != nil {
			v["executable"] = map[string]any{
				"_class": "org.jenkinsci.plugins.workflow.job.WorkflowRun", "number": it.build.number,
				"url": k.shown(fmt.Sprintf("%s%d/", k.jobURL(it.job), it.build.number)),
			}
		}
	case it.quietTill.After(k.c.clock):
		kind = "Waiting"
		left := it.quietTill.Sub(k.c.clock).Round(time.Second)
		v["why"] = fmt.Sprintf("In the quiet period. Expires in %d sec", int(left/time.Second))
	case k.c.blocker(it) != nil:
		kind, v["blocked"] = "Blocked", true
		v["why"] = fmt.Sprintf("Build #%d is already in progress", k.c.blocker(it).number)
	case k.c.quiet:
		kind, v["blocked"] = "Blocked", true
		v["why"] = "Jenkins is about to shut down"
	default:
		kind, v["buildable"] = "Buildable", true
		v["why"] = "Waiting for next available executor"
	}
	v["_class"] = "hudson.model.Queue$" + kind + "Item"
	return v
}

// page answers with a small page whose title is what Jenkins would say.
func page(w http.ResponseWriter, status int, title string, lines ...string) {
	w.Header().Set("Content-Type", "text/html;charset=utf-8")
	w.WriteHeader(status)
	title = html.EscapeString(title)
	_, _ = fmt.Fprintf(w, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>%s</title></head>\n"+
		"<body><h1>%s</h1>\n<p>This is a simulated Jenkins: it builds nothing.</p>\n%s\n</body></html>\n",
		title, title, strings.Join(lines, "\n"))
}

func link(to, text string) string {
	return fmt.Sprintf(`<p><a href="%s">%s</a></p>`, html.EscapeString(to), html.EscapeString(text))
}

func (k call) rootPage() { page(k.w, http.StatusOK, "Simulated Jenkins", k.jobLinks("")...) }

func (k call) jobLinks(path string) []string {
	var lines []string
	for _, j := range k.c.children(path) {
		if j.Access < Discover && !j.visible.After(k.c.clock) {
			lines = append(lines, link(k.root+k.jobURL(j), j.name()))
		}
	}
	return lines
}

func (k call) jobPage(j *job) {
	lines := k.jobLinks(j.path)
	for _, b := range slices.Backward(j.builds) {
		if len(lines) == 100 {
			break
		}
		if b.gone {
			continue
		}
		lines = append(lines, link(fmt.Sprintf("%s%s%d/", k.root, k.jobURL(j), b.number), fmt.Sprintf("#%d %s", b.number, k.standing(b))))
	}
	page(k.w, http.StatusOK, j.path, lines...)
}

func (k call) buildPage(b *build) {
	lines := []string{"<p>" + html.EscapeString(k.standing(b)) + "</p>"}
	for _, p := range b.item.job.Parameters {
		if value, given := b.item.parameters[p.Name]; given {
			lines = append(lines, fmt.Sprintf("<pre>%s = %s</pre>", html.EscapeString(p.Name), html.EscapeString(value)))
		}
	}
	page(k.w, http.StatusOK, fmt.Sprintf("%s #%d", b.item.job.path, b.number), lines...)
}

func (k call) standing(b *build) string {
	if b.over(k.c.clock) {
		return b.result
	}
	return "running"
}
