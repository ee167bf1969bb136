package bambootest

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const variablePrefix = "bamboo.variable."

// queue is the trigger.
func (s *Server) queue(w http.ResponseWriter, r *http.Request) {
	if !consumes(r, "application/x-www-form-urlencoded", "application/json", "application/xml") {
		refuse(w, r, http.StatusUnsupportedMediaType, "unsupported media type")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.plans[r.PathValue("key")]
	if p == nil {
		refuse(w, r, http.StatusNotFound, fmt.Sprintf("Plan %s not found.", r.PathValue("key")))
		return
	}
	query := r.URL.Query()
	b := &Build{
		Plan:      p.key,
		Number:    p.number + 1,
		Branch:    p.branch,
		Revision:  query.Get("customRevision"),
		Stage:     query.Get("stage"),
		AllStages: query.Get("executeAllStages") == "true",
		Variables: map[string]string{},
		Queued:    time.Now(),
		result:    p.settings.Result,
		jobs:      p.settings.Jobs,
		halted:    map[string]bool{},
	}
	if len(b.jobs) == 0 {
		b.jobs = []string{"JOB1"}
	}
	if b.result == "" {
		b.result = Successful
	}
	maps.Copy(b.Variables, p.settings.Variables)
	for _, from := range []url.Values{r.PostForm, query} {
		for name, values := range from {
			name, ok := strings.CutPrefix(name, variablePrefix)
			if _, declared := p.settings.Variables[name]; ok && name != "" && (declared || !p.settings.Strict) {
				b.Variables[name] = values[0]
			}
		}
	}
	switch {
	case p.disabled:
		invalid(w, r, "The plan is disabled and cannot be built.")
		return
	case b.Stage != "" && !slices.Contains(p.settings.Stages, b.Stage):
		invalid(w, r, fmt.Sprintf("There is no stage named %s.", b.Stage))
		return
	case p.settings.Limit > 0 && s.busy(p.key) >= p.settings.Limit:
		invalid(w, r, "The maximum number of concurrent builds for this plan has been reached.")
		return
	}
	p.number++
	s.builds = append(s.builds, b)
	answer(w, r, http.StatusOK, "restQueuedBuild", map[string]any{
		"planKey":        b.Plan,
		"buildNumber":    b.Number,
		"buildResultKey": b.Key(),
		"triggerReason":  "Manual build",
		"link":           s.link(r, "result/"+b.Key()),
	})
}

// busy counts the builds of a key that wait or run.
func (s *Server) busy(key string) int {
	n := 0
	for _, b := range s.builds {
		if life, _ := s.stand(b); b.Plan == key && (life == "Queued" || life == "InProgress") {
			n++
		}
	}
	return n
}

// stand computes where a build is by the clock.
func (s *Server) stand(b *Build) (life string, state Result) {
	runs := b.Queued.Add(s.options.QueueTime)
	ends := runs.Add(s.options.BuildTime)
	now := time.Now()
	if !b.stopped.IsZero() {
		if b.stopped.Before(runs) {
			return string(NotBuilt), Unknown
		}
		return "Finished", Unknown
	}
	switch {
	case now.Before(runs):
		return "Queued", Unknown
	case b.result == NotBuilt:
		return string(NotBuilt), Unknown
	case now.Before(ends):
		return "InProgress", Unknown
	}
	return "Finished", b.result
}

func (s *Server) find(key string) *Build {
	i := slices.IndexFunc(s.builds, func(b *Build) bool { return b.Key() == key })
	if i < 0 {
		return nil
	}
	return s.builds[i]
}

// stop wants the key of a job's result. The build stops with the last of its
// jobs.
func (s *Server) stop(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	parts := strings.Split(r.PathValue("key"), "-")
	var b *Build
	if len(parts) == 4 {
		b = s.find(parts[0] + "-" + parts[1] + "-" + parts[3])
	}
	if b == nil || !slices.Contains(b.jobs, parts[2]) {
		refuse(w, r, http.StatusNotFound, "the result of a job is wanted, as in PROJ-PLAN-JOB1-12")
		return
	}
	if life, _ := s.stand(b); life == "Queued" || life == "InProgress" {
		b.halted[parts[2]] = true
		if len(b.halted) == len(b.jobs) {
			b.stopped = time.Now()
		}
	}
	w.WriteHeader(http.StatusNoContent)
}

// status knows builds that are not finished only.
func (s *Server) status(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.find(r.PathValue("key"))
	life := ""
	if b != nil {
		life, _ = s.stand(b)
	}
	if life != "Queued" && life != "InProgress" {
		refuse(w, r, http.StatusNotFound, "the build is not running")
		return
	}
	done := 0.0
	if life == "InProgress" {
		done = float64(time.Since(b.Queued.Add(s.options.QueueTime))) / float64(s.options.BuildTime)
	}
	answer(w, r, http.StatusOK, "restBuildStatus", map[string]any{
		"finished": false,
		"progress": map[string]any{"percentageCompleted": done, "isUnderAverageTime": true},
	})
}
