// Package bambootest is a simulated Bamboo server: an [http.Handler] that
// answers the part of the REST API that a trigger uses, as far as Atlassian's
// documents tell. It serves tests, and the demonstration without a Bamboo.
//
// It is a simulation. It was checked against the notes in this project's facts,
// the resources and statuses of the OpenAPI document for Bamboo 12.1, and the
// shapes that clients of others read; never against a live Bamboo. Words of
// errors, and what the documents leave open (which status a missing branch has,
// what a stage that does not exist gives, whether a variable that the plan does
// not declare is taken, that a result is listed as soon as it is queued), are
// guesses.
//
// What it does:
//
//   - POST /queue/{plan}: 200 with the result's key; 400 at a plan's limit, for
//     an unknown stage or a disabled plan; 404 for anything but the key of a plan
//     or plan branch; 415 for a body that is no form, JSON or XML; 403 without
//     X-Atlassian-Token. A variable in the query wins over one in the body
//   - DELETE /queue/{plan}-{job}-{n}: 204; a build stops when all its jobs were
//   - GET /queue: the jobs that wait
//   - GET /result/{plan}-{n}, and /result/status/… while it is not finished;
//     expand=variables tells its variables, and stages… its jobs, in one stage
//   - GET /result/{plan}: its results, the newest first, finished ones only
//     unless includeAllStates; expand=results.result.variables
//   - GET /plan/{plan}, with its variables as variableContext; /info and
//     /currentUser
//   - GET and PUT /plan/{plan}/branch/{display name}, GET /plan/{plan}/branch,
//     GET /plan/{plan}/vcsBranches, GET /search/branches
//   - JSON where Accept asks for it, else a short XML answer
//   - bearer tokens and basic authentication; a token may be read-only (403)
//   - / and /browse/{plan}-{n}: pages that say they are simulated
//
// Builds run by the clock: where one stands is computed from when it was queued
// whenever somebody asks. There is no goroutine, so a server works inside a
// testing/synctest bubble and needs no closing. Builds are kept for ever.
package bambootest

import (
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/pushgate/pushgate/internal/simfault"
)

// Options say who may ask and how long builds take. Without tokens and users
// everybody may do everything.
type Options struct {
	// ContextPath is what the URL has before /rest, as in "/bamboo".
	ContextPath string
	// Tokens are personal access tokens and what each may do.
	Tokens map[string]Permission
	// Users are user names with their passwords; each may do everything.
	Users map[string]string
	// QueueTime is how long a build waits, BuildTime how long it then runs.
	QueueTime, BuildTime time.Duration
	// Skew is how far its clock is ahead: in Date and in the times of results.
	Skew time.Duration
}

// A Permission is what a personal access token may do.
type Permission string

// The permissions of a token.
const (
	Read    Permission = "read"
	Trigger Permission = "trigger"
)

// A Result is how the builds of a plan end.
type Result string

// The ends of a build. NotBuilt never runs.
const (
	Successful Result = "Successful"
	Failed     Result = "Failed"
	Unknown    Result = "Unknown"
	NotBuilt   Result = "NotBuilt"
)

// A Plan is what a key stands for.
type Plan struct {
	// Stages can be named by a request; empty allows none.
	Stages []string
	// Variables are the plan's own; a request's replace them.
	Variables map[string]string
	// Disabled plans refuse to be queued.
	Disabled bool
	// Limit is how many builds may be queued or running at once; 0 is no limit.
	Limit int
	// Result is how builds end; empty is Successful.
	Result Result
	// Branches are the plan branches by VCS branch.
	Branches map[string]Branch
	// Strict plans drop variables that they do not declare.
	Strict bool
	// Jobs are the keys of the plan's jobs; empty is JOB1.
	Jobs []string
	// VCSBranches are branches of the repository that have no plan branch. Those
	// of Branches are listed by the server anyway.
	VCSBranches []string
}

// A Branch is a plan branch.
type Branch struct {
	// Name is the display name; empty is the VCS branch with "-" for "/".
	Name string
	// Disabled branches refuse to be queued.
	Disabled bool
}

// A Build is one that was queued.
type Build struct {
	// Plan is the key it was queued by, a plan's or a plan branch's.
	Plan string
	// Number counts the builds of that key from 1.
	Number int
	// Branch is the VCS branch of the plan branch; empty for the plan itself.
	Branch string
	// Revision, Stage and AllStages are as asked for.
	Revision, Stage string
	AllStages       bool
	// Variables are the plan's with the request's over them.
	Variables map[string]string
	// Queued is when it was.
	Queued time.Time

	jobs    []string
	halted  map[string]bool // jobs that were stopped
	stopped time.Time
	result  Result
}

// Key is the key of the build's result, as in PROJ-PLAN-12.
func (b Build) Key() string { return b.Plan + "-" + strconv.Itoa(b.Number) }

// A Server is a simulated Bamboo. It may be used by several goroutines at once.
type Server struct {
	simfault.Faults // Break, Heal and Down

	options Options
	mux     *http.ServeMux

	mu     sync.Mutex
	plans  map[string]*plan
	builds []*Build
}

// A plan is one that was added, or one of its branches.
type plan struct {
	key      string
	name     string // display name of a branch
	branch   string // VCS branch of a branch
	master   *plan  // of a branch
	settings Plan
	disabled bool
	branches []*plan // in the order of their numbers
	vcs      map[string]bool
	number   int // of the newest build
}

// New gives a server without plans.
func New(o Options) *Server {
	s := &Server{options: o, plans: map[string]*plan{}}
	s.mux = s.routes(strings.TrimRight(o.ContextPath, "/"))
	return s
}

// AddPlan adds the plan of a key like PROJ-PLAN, or replaces it and its plan
// branches; the plan's build numbers go on.
func (s *Server) AddPlan(key string, settings Plan) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := &plan{key: key, settings: settings, disabled: settings.Disabled, vcs: map[string]bool{}}
	if old := s.plans[key]; old != nil {
		p.number = old.number
		for _, b := range old.branches {
			delete(s.plans, b.key)
		}
	}
	s.plans[key] = p
	for _, name := range settings.VCSBranches {
		p.vcs[name] = true
	}
	for _, vcs := range slices.Sorted(maps.Keys(settings.Branches)) {
		b := settings.Branches[vcs]
		name := b.Name
		if name == "" {
			name = strings.ReplaceAll(vcs, "/", "-")
		}
		s.addBranch(p, name, vcs, !b.Disabled)
	}
}

// Declares has a plan or plan branch declare a variable from now on.
func (s *Server) Declares(key, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.plans[key]; p != nil {
		p.settings.Variables = maps.Clone(p.settings.Variables)
		if p.settings.Variables == nil {
			p.settings.Variables = map[string]string{}
		}
		p.settings.Variables[name] = ""
	}
}

func (s *Server) addBranch(p *plan, name, vcs string, enabled bool) *plan {
	b := &plan{
		key:      p.key + strconv.Itoa(len(p.branches)),
		name:     name,
		branch:   vcs,
		master:   p,
		settings: p.settings,
		disabled: !enabled,
	}
	p.branches = append(p.branches, b)
	p.vcs[vcs] = true
	s.plans[b.key] = b
	return b
}

// RemovePlan forgets a plan or a plan branch; its results stay.
func (s *Server) RemovePlan(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.plans[key]
	if p == nil {
		return
	}
	for _, b := range p.branches {
		delete(s.plans, b.key)
	}
	delete(s.plans, key)
}

// RemoveResult forgets one build, as Bamboo's expiry does.
func (s *Server) RemoveResult(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.builds = slices.DeleteFunc(s.builds, func(b *Build) bool { return b.Key() == key })
}

// Started gives every build that was queued, the oldest first.
func (s *Server) Started() []Build {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Build, len(s.builds))
	for i, b := range s.builds {
		out[i] = *b
		out[i].Variables = maps.Clone(b.Variables)
	}
	return out
}

// PlanBranches gives the plan branches of a plan: VCS branch to key.
func (s *Server) PlanBranches(key string) map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]string{}
	if p := s.plans[key]; p != nil {
		for _, b := range p.branches {
			if s.plans[b.key] == b {
				out[b.branch] = b.key
			}
		}
	}
	return out
}

// ServeHTTP answers as Bamboo would, unless a fault says otherwise.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// Read to its end first: only then does a request's context end when the
	// client goes away.
	err := r.ParseForm()
	if err == nil && r.Body != nil {
		_, err = io.Copy(io.Discard, r.Body)
	}
	if err != nil {
		refuse(w, r, http.StatusBadRequest, err.Error())
		return
	}
	simfault.Serve(&s.Faults, w, r, s.mux, http.HandlerFunc(startingUp))
}

func startingUp(w http.ResponseWriter, _ *http.Request) {
	page(w, http.StatusServiceUnavailable, "Bamboo is starting up", "Nothing can be done before it is up.")
}
