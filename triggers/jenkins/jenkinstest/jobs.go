package jenkinstest

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// A Job is what Jenkins knows about one job.
type Job struct {
	// Parameters that it declares; nil means that it takes none.
	Parameters []Parameter
	// Disabled jobs answer 409.
	Disabled bool
	// Declines stands for a plugin that refuses to queue the job: 302.
	Declines bool
	// Serial jobs have one build at a time.
	Serial bool
	// Result gives the result of a build from its parameters; nil is SUCCESS.
	// It must not call the controller.
	Result func(parameters map[string]string) string
	// BuildTime replaces the controller's where it is not 0.
	BuildTime time.Duration
	// Multibranch jobs are projects that hold branch jobs and are scanned.
	Multibranch bool
	// Access is what callers may do with it.
	Access Access
	// NoCancel lets nobody cancel its items or stop its builds.
	NoCancel bool
}

// A Parameter is one declared parameter. With Choices, other values make
// Jenkins fail with 500.
type Parameter struct {
	Name, Default string
	Choices       []string
}

// Access is what callers may do with a job.
type Access int

// From all to nothing: without Build a start is a 403, with Discover alone
// everything is, and a hidden job is a 404.
const (
	Full Access = iota
	NoBuild
	Discover
	Hidden
)

type job struct {
	Job
	path    string
	folder  bool
	branch  bool
	visible time.Time // a branch that no scan has found yet is in the far future
	builds  []*build  // newest last; build n is builds[n-1]
}

// AddJob adds the job at path, or gives it a new definition; its builds stay.
// Names in path are as Jenkins stores them ("shop/api/release%2F1.2"). The
// folders around it appear with it.
func (c *Controller) AddJob(path string, j Job) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.advance()
	c.add(path, j)
}

func (c *Controller) add(path string, j Job) *job {
	for i, r := range path {
		if r == '/' && c.jobs[path[:i]] == nil {
			c.jobs[path[:i]] = &job{path: path[:i], folder: true}
		}
	}
	known := c.jobs[path]
	if known == nil {
		known = &job{path: path}
		c.jobs[path] = known
	}
	j.Parameters = slices.Clone(j.Parameters)
	known.Job, known.folder = j, false
	return known
}

// AddBranch adds a branch to the multibranch project at path. Its job, under
// the encoded name, is absent until a scan has found it.
func (c *Controller) AddBranch(path, name string, j Job) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.advance()
	if c.jobs[path] == nil {
		c.add(path, Job{Multibranch: true})
	}
	b := c.add(path+"/"+name, j)
	b.branch = true
	b.visible = c.clock.AddDate(100, 0, 0)
}

// RemoveJob deletes the job, what is under it, and their builds.
func (c *Controller) RemoveJob(path string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.advance()
	maps.DeleteFunc(c.jobs, func(p string, _ *job) bool {
		return p == path || strings.HasPrefix(p, path+"/")
	})
	for _, it := range c.queue {
		if c.jobs[it.job.path] != it.job && it.waiting() {
			c.leave(it)
			it.cancelled = true
		}
	}
}

// RemoveBuild deletes a build that has ended, as a person or the build
// discarder does.
func (c *Controller) RemoveBuild(path string, number int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.advance()
	if j := c.jobs[path]; j != nil && number > 0 && number <= len(j.builds) {
		j.builds[number-1].gone = true
	}
}

// scan lets the branches of a project appear once the scan is over.
func (c *Controller) scan(project *job) {
	found := c.clock.Add(c.opts.ScanTime)
	for _, child := range c.children(project.path) {
		if child.branch && child.visible.After(found) {
			child.visible = found
		}
	}
}

// children are the jobs right under path, by name; "" is the root.
func (c *Controller) children(path string) []*job {
	prefix := ""
	if path != "" {
		prefix = path + "/"
	}
	var list []*job
	for p, j := range c.jobs {
		if name, under := strings.CutPrefix(p, prefix); under && !strings.Contains(name, "/") {
			list = append(list, j)
		}
	}
	slices.SortFunc(list, func(a, b *job) int { return strings.Compare(a.path, b.path) })
	return list
}

// declared is what the job says about its parameters now: a branch job learns
// them from its first build.
func (j *job) declared(now time.Time) []Parameter {
	if j.branch && !slices.ContainsFunc(j.builds, func(b *build) bool { return b.over(now) }) {
		return nil
	}
	return j.Parameters
}

func (j *job) name() string { return j.path[strings.LastIndexByte(j.path, '/')+1:] }
