package bamboo

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/pushgate/pushgate/internal/rest"
	"github.com/pushgate/pushgate/triggers"
)

// A plan key and a plan branch key look alike: project, hyphen, plan.
var (
	planKey   = regexp.MustCompile(`^[A-Z][A-Z0-9]*-[A-Z][A-Z0-9]*$`)
	jobKey    = regexp.MustCompile(`^[A-Z][A-Z0-9]*-[A-Z][A-Z0-9]*-[A-Z][A-Z0-9]*$`)
	resultKey = regexp.MustCompile(`^[A-Z][A-Z0-9]*-[A-Z][A-Z0-9]*-[0-9]{1,9}$`)
)

// maxKey bounds a key; Bamboo's own limits lie far below.
const maxKey = 255

const variablePrefix = "bamboo.variable."

// handlePrefix stands before the result key in a handle.
const handlePrefix = "result/"

// Start queues one build of req.Target or of its plan branch for req.Branch.
// Request.Dynamic, Delay and Scan mean nothing to Bamboo and are ignored.
func (s *Server) Start(ctx context.Context, req triggers.Request) (triggers.Receipt, error) {
	op := "start " + quoteOdd(req.Target)
	if e := checkRequest(op, req); e != nil {
		return triggers.Receipt{}, e
	}
	plan := planBranch{key: req.Target}
	if req.Branch != "" {
		found, e := s.resolve(ctx, op, req)
		if e != nil {
			return triggers.Receipt{}, e
		}
		plan = found
	}
	c := call{
		op:     op,
		method: http.MethodPost,
		path:   "/rest/api/latest/queue/{key}",
		params: map[string]string{"key": plan.key},
		query:  queueQuery(req),
		form:   variables(req),
		starts: true,
	}
	a, e := s.send(ctx, c)
	if e != nil {
		return triggers.Receipt{}, e
	}
	var queued struct {
		BuildResultKey string `json:"buildResultKey"`
	}
	if a.status == http.StatusOK && json.Unmarshal(a.body, &queued) == nil && isResultKey(queued.BuildResultKey) {
		return s.receipt(queued.BuildResultKey, plan), nil
	}
	e = s.judge(c, a)
	if a.status == http.StatusNotFound && req.Branch != "" {
		s.keys.drop(req.Target, req.Branch)
		if plan.remembered {
			// The plan branch was deleted since; the next try looks anew.
			e.Temporary = true
			e.Reason = fmt.Sprintf("plan branch %s is gone", plan.key)
		}
	}
	return triggers.Receipt{}, e
}

func (s *Server) receipt(key string, plan planBranch) triggers.Receipt {
	r := triggers.Receipt{
		Outcome: triggers.Started,
		Handle:  handlePrefix + key,
		URL:     s.base + "/browse/" + key,
	}
	if plan.made {
		r.Notes = append(r.Notes, fmt.Sprintf("plan branch %s was created", plan.key))
	}
	if !strings.HasPrefix(key, plan.key+"-") {
		r.Notes = append(r.Notes, fmt.Sprintf("%s was asked for, Bamboo queued %s", plan.key, key))
	}
	return r
}

// checkRequest refuses what Bamboo would refuse, or misread, before anything
// is sent.
func checkRequest(op string, req triggers.Request) *triggers.Error {
	refuse := func(hint, format string, args ...any) *triggers.Error {
		return &triggers.Error{Op: op, Reason: fmt.Sprintf(format, args...), Hint: hint}
	}
	if jobKey.MatchString(req.Target) {
		return refuse("write the plan's key: the first two parts", "%q is the key of a job, which cannot be queued", req.Target)
	}
	if len(req.Target) > maxKey || !planKey.MatchString(req.Target) {
		return refuse("a plan's key is like PROJ-PLAN, a plan branch's like PROJ-PLAN12", "%.80q is not a plan's key", req.Target)
	}
	for _, name := range slices.Sorted(maps.Keys(req.Values)) {
		if name == "" || strings.ContainsFunc(name, rest.IsControl) {
			return refuse("", "%.80q cannot name a variable", name)
		}
	}
	display := displayName(req.Branch)
	if req.Branch != "" && (display == "." || display == ".." || strings.ContainsFunc(display, rest.IsControl)) {
		return refuse("", "%.80q cannot name a plan branch", display)
	}
	return nil
}

func queueQuery(req triggers.Request) url.Values {
	q := url.Values{}
	if req.Stage != "" {
		q.Set("stage", req.Stage)
	}
	if req.AllStages {
		q.Set("executeAllStages", "true")
	}
	if req.Revision != "" {
		q.Set("customRevision", req.Revision)
	}
	return q
}

func variables(req triggers.Request) url.Values {
	form := url.Values{}
	for name, value := range req.Values {
		form.Set(variablePrefix+name, value)
	}
	if req.ID != "" {
		form.Set(variablePrefix+triggers.IDName, req.ID)
	}
	return form
}

func isResultKey(key string) bool { return len(key) <= maxKey && resultKey.MatchString(key) }

// quoteOdd leaves a key as it is and quotes anything else.
func quoteOdd(target string) string {
	if len(target) <= maxKey && planKey.MatchString(target) {
		return target
	}
	return fmt.Sprintf("%.80q", target)
}
