package bamboo

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/pushgate/pushgate/internal/rest"
	"github.com/pushgate/pushgate/triggers"
)

const hintStop = "give the token the Trigger permission and the account the Build permission on the plan, or stop the build in Bamboo"

// jobResult is the key of one job's part of a build.
var jobResult = regexp.MustCompile(`^[A-Z][A-Z0-9]*-[A-Z][A-Z0-9]*-[A-Z][A-Z0-9]*-[0-9]{1,9}$`)

// Stop stops the build of a handle, waiting or running. Bamboo documents no way
// to stop a build but only one for its jobs: all of them that have not ended
// are stopped, one request each. What has ended, what Bamboo no longer has, and
// a build that carries the id of another request is left alone, and that is no
// error.
//
// Bamboo stops in its own time, if at all: a job that runs may need to be told
// twice (BAM-21065). Success says that it was asked to; State tells when the
// build ended. To ask again does no harm, so no error is Ambiguous.
func (s *Server) Stop(ctx context.Context, req triggers.Request, handle string) error {
	key, ok := strings.CutPrefix(handle, handlePrefix)
	if !ok || !isResultKey(key) {
		return &triggers.Error{Op: fmt.Sprintf("stop %.80q", handle), Reason: "not a handle of a Bamboo build"}
	}
	if e := s.stop(ctx, "stop "+key, req, key); e != nil {
		e.Ambiguous = false
		if !e.Temporary && (e.Hint == "" || e.Status == http.StatusForbidden) {
			e.Hint = hintStop
		}
		return e
	}
	return nil
}

func (s *Server) stop(ctx context.Context, op string, req triggers.Request, key string) *triggers.Error {
	c := call{
		op: op, method: http.MethodGet, path: "/rest/api/latest/result/{key}",
		params: map[string]string{"key": key},
		query:  url.Values{"expand": {"stages.stage.results.result,variables"}},
	}
	a, e := s.send(ctx, c)
	switch {
	case e != nil:
		return e
	case a.status == http.StatusNotFound && !rest.IsPage(a.header, a.body):
		return nil
	case a.status == http.StatusNotFound:
		return s.stranger(c, a)
	}
	phase, _, ok := readResult(a, key)
	if !ok {
		if a.status != http.StatusOK {
			return s.judge(c, a)
		}
		return s.stranger(c, a)
	}
	var doc struct {
		resultRecord
		Stages struct {
			Stage []struct {
				Results struct {
					List []resultRecord `json:"result"`
				} `json:"results"`
			} `json:"stage"`
		} `json:"stages"`
	}
	if json.Unmarshal(a.body, &doc) != nil {
		return s.stranger(c, a)
	}
	if ours, tells := doc.carry(req.ID); phase.Ended() || tells && !ours && req.ID != "" {
		return nil
	}
	var jobs []string
	known := 0
	for _, stage := range doc.Stages.Stage {
		for _, r := range stage.Results.List {
			if !belongs(r.key(), key) {
				continue
			}
			known++
			if r.LifeCycleState != "Finished" && r.LifeCycleState != "NotBuilt" {
				jobs = append(jobs, r.key())
			}
		}
	}
	if len(jobs) == 0 {
		// Between two stages, before the first, or the plan's jobs are hidden.
		return &triggers.Error{
			Op: op, Status: a.status, Temporary: true,
			Reason: fmt.Sprintf("Bamboo names %d jobs of this build, and none that could be stopped", known),
			Hint:   "stop the build in Bamboo if this goes on",
		}
	}
	return s.stopJobs(ctx, op, jobs)
}

// belongs says whether a key is that of a job of the build: PROJ-PLAN-JOB-12
// and PROJ-PLAN-12.
func belongs(job, build string) bool {
	if len(job) > maxKey || !jobResult.MatchString(job) {
		return false
	}
	parts := strings.Split(job, "-")
	return strings.Join(slices.Delete(parts, 2, 3), "-") == build
}

// stopJobs tells the last stage's jobs first, so that none is begun meanwhile,
// and goes on after a failure unless it is the server's. The first is given.
func (s *Server) stopJobs(ctx context.Context, op string, jobs []string) (first *triggers.Error) {
	for _, job := range slices.Backward(jobs) {
		c := call{
			op: op, method: http.MethodDelete, path: "/rest/api/latest/queue/{key}",
			params: map[string]string{"key": job},
		}
		a, e := s.send(ctx, c)
		switch {
		case e != nil:
		case a.status == http.StatusNoContent:
		case a.status == http.StatusNotFound && !rest.IsPage(a.header, a.body):
			// It has ended since.
		case a.status == http.StatusNotFound, a.status/100 == 2 && rest.IsPage(a.header, a.body):
			e = s.stranger(c, a)
		case a.status/100 == 2:
		default:
			e = s.judge(c, a)
		}
		if first == nil {
			first = e
		}
		if e != nil && (e.Server || e.RetryAfter > 0 || ctx.Err() != nil) {
			return first
		}
	}
	return first
}
