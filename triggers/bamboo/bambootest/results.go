package bambootest

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// result serves the results of a plan or one of them.
func (s *Server) result(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := r.PathValue("key")
	if strings.Count(key, "-") == 1 {
		s.results(w, r, key)
		return
	}
	b := s.find(key)
	if b == nil {
		refuse(w, r, http.StatusNotFound, fmt.Sprintf("Result %s not found.", key))
		return
	}
	answer(w, r, http.StatusOK, "result", s.resultDoc(r, b, ""))
}

// results lists those of a plan, 25 a page unless asked otherwise.
func (s *Server) results(w http.ResponseWriter, r *http.Request, key string) {
	if s.plans[key] == nil {
		refuse(w, r, http.StatusNotFound, fmt.Sprintf("Plan %s not found.", key))
		return
	}
	query := r.URL.Query()
	list := []map[string]any{}
	for _, b := range slices.Backward(s.builds) {
		life, _ := s.stand(b)
		if b.Plan == key && (query.Get("includeAllStates") == "true" || life == "Finished") {
			list = append(list, s.resultDoc(r, b, "results.result."))
		}
	}
	query.Set("max-result", query.Get("max-results"))
	r.URL.RawQuery = query.Encode()
	start, page := window(r, list)
	answer(w, r, http.StatusOK, "results", map[string]any{
		"expand": "results",
		"results": map[string]any{
			"size":        len(list),
			"expand":      "result",
			"start-index": start,
			"max-result":  len(page),
			"result":      page,
		},
	})
}

// resultDoc is one result, with what expand= names under the prefix.
func (s *Server) resultDoc(r *http.Request, b *Build, prefix string) map[string]any {
	life, state := s.stand(b)
	doc := map[string]any{
		"key":            b.Key(),
		"buildResultKey": b.Key(),
		"plan":           map[string]any{"key": b.Plan, "link": s.link(r, "plan/"+b.Plan)},
		"number":         b.Number,
		"buildNumber":    b.Number,
		"lifeCycleState": life,
		"state":          string(state),
		"buildState":     string(state),
		"successful":     state == Successful,
		"finished":       life == "Finished",
		"vcsRevisionKey": b.Revision,
		"link":           s.link(r, "result/"+b.Key()),
	}
	if began := b.Queued.Add(s.options.QueueTime); !began.After(time.Now()) {
		doc["buildStartedTime"] = began.Add(s.options.Skew).Format("2006-01-02T15:04:05.000Z07:00")
	}
	for name := range strings.SplitSeq(r.URL.Query().Get("expand"), ",") {
		switch name {
		case prefix + "variables":
			list := []map[string]any{}
			for _, name := range slices.Sorted(maps.Keys(b.Variables)) {
				list = append(list, map[string]any{"name": name, "value": b.Variables[name]})
			}
			doc["variables"] = listDoc("variable", list)
		case prefix + "stages.stage.results.result":
			jobs := []map[string]any{}
			for _, job := range b.jobs {
				key := b.Plan + "-" + job + "-" + strconv.Itoa(b.Number)
				stands, result := life, string(state)
				if b.halted[job] {
					stands, result = "Finished", string(Unknown)
				}
				jobs = append(jobs, map[string]any{"key": key, "buildResultKey": key, "lifeCycleState": stands, "state": result})
			}
			stage := map[string]any{"name": "Default Stage", "lifeCycleState": life, "results": listDoc("result", jobs)}
			doc["stages"] = listDoc("stage", []map[string]any{stage})
		}
	}
	return doc
}

// listDoc is a list as Bamboo wraps it.
func listDoc(name string, list []map[string]any) map[string]any {
	return map[string]any{"size": len(list), "start-index": 0, "max-result": len(list), name: list}
}

// listQueue tells of the jobs that wait.
func (s *Server) listQueue(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []map[string]any{}
	for _, b := range s.builds {
		if life, _ := s.stand(b); life != "Queued" {
			continue
		}
		for _, job := range b.jobs {
			list = append(list, map[string]any{
				"planKey": b.Plan + "-" + job, "buildNumber": b.Number,
				"buildResultKey": b.Plan + "-" + job + "-" + strconv.Itoa(b.Number),
			})
		}
	}
	start, page := window(r, list)
	doc := map[string]any{"size": len(list), "start-index": start, "max-result": len(page)}
	if strings.Contains(r.URL.Query().Get("expand"), "queuedBuilds") {
		doc["queuedBuild"] = page
	}
	answer(w, r, http.StatusOK, "queue", map[string]any{"expand": "queuedBuilds", "queuedBuilds": doc})
}

// getPlan tells of a plan or plan branch.
func (s *Server) getPlan(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.plans[r.PathValue("key")]
	if p == nil {
		refuse(w, r, http.StatusNotFound, fmt.Sprintf("Plan %s not found.", r.PathValue("key")))
		return
	}
	doc := map[string]any{"key": p.key, "name": p.key, "enabled": !p.disabled, "link": s.link(r, "plan/"+p.key)}
	if strings.Contains(r.URL.Query().Get("expand"), "variableContext") {
		list := []map[string]any{}
		for _, name := range slices.Sorted(maps.Keys(p.settings.Variables)) {
			list = append(list, map[string]any{"key": name, "value": p.settings.Variables[name], "variableType": "PLAN", "isPassword": false})
		}
		doc["variableContext"] = listDoc("variable", list)
	}
	answer(w, r, http.StatusOK, "plan", doc)
}

func (s *Server) info(w http.ResponseWriter, r *http.Request) {
	answer(w, r, http.StatusOK, "info", map[string]any{"version": "12.1.1", "edition": "", "buildNumber": "120101", "state": "RUNNING"})
}

func (s *Server) currentUser(w http.ResponseWriter, r *http.Request) {
	name, _, ok := r.BasicAuth()
	if !ok {
		name = "gate"
	}
	answer(w, r, http.StatusOK, "user", map[string]any{"name": name, "fullName": name})
}
