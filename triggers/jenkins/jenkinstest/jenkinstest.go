// Package jenkinstest is a simulated Jenkins controller: an http.Handler with
// jobs, a queue, executors and builds that end with time, but no build ever
// runs anything.
//
// It is a simulation. It was written after the facts that this project
// gathered from Jenkins' source and documentation (2.579); it has never been
// compared with a live Jenkins. What it answers where those facts are silent
// (the wording of pages, the exact superset of fields in JSON) is a guess. It
// always sends all fields it has, whatever tree= asks for; of tree= it keeps to
// the range of allBuilds and of the queue's items, and sends allBuilds only
// where it is named, as Jenkins does.
//
// What it keeps to: new items answer 201 with the queue item's Location;
// an identical waiting item is answered by 303 at /buildWithParameters and by
// 201 with the old Location at /build; undeclared parameters vanish and
// missing ones take their default; a branch job has no parameters before its
// first build; POSTs without an API token need a crumb and its session; queue
// items are gone five minutes after they left the queue; to cancel an item that
// has left is a 500, without the permission it is a 422. It never lists a build
// before its parameters, which Jenkins does for a moment.
//
// The state is computed from the clock whenever somebody looks: the controller
// starts no goroutine and needs no closing; it remembers every build, and in a synctest bubble time is
// the bubble's. Restarts and outages change what is answered only: the queue
// and running builds outlive them, as Jenkins' saved queue and its pipelines
// do, and go on meanwhile. Crumbs do not.
package jenkinstest

import (
	"crypto/rand"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Options describes the controller. The zero value has no users and lets
// nobody do anything.
type Options struct {
	// ContextPath is the path it lives under, as in "/jenkins".
	ContextPath string
	// RootURL is the address in the url fields of JSON, with the context path;
	// empty means the address of each request.
	RootURL string
	// Users are those who may do everything.
	Users map[string]User
	// Anonymous lets requests without credentials do everything,
	// AnonymousRead lets them read.
	Anonymous, AnonymousRead bool
	// NoCrumbs turns the protection against forged POSTs off.
	NoCrumbs bool
	// QuietPeriod is how long an item waits before it may be built.
	QuietPeriod time.Duration
	// BuildTime is how long a build runs, ScanTime a multibranch scan.
	BuildTime, ScanTime time.Duration
	// Executors is how many builds run at once; 0 is two.
	Executors int
	// Skew is how far its clock is ahead: in Date and in the times of builds.
	Skew time.Duration
	// ItemLife is how long a queue item is known after it left the queue; 0
	// is five minutes.
	ItemLife time.Duration
}

// A User may have a token, a password or both.
type User struct{ Token, Password string }

// A Controller is one simulated Jenkins. Its methods may be called from
// several goroutines at once.
type Controller struct {
	opts Options

	mu       sync.Mutex
	jobs     map[string]*job // by path; folders too
	items    map[int64]*item // all that are still known
	queue    []*item         // those that wait, oldest first
	left     []*item         // those that have left, in the order they did
	running  []*build
	builds   []*build // all, in order of start
	lastID   int64
	clock    time.Time // up to when the state is computed
	quiet    bool
	down     bool
	downTill time.Time
	boot     string            // X-Jenkins-Session
	sessions map[string]string // id to user; ended by a restart
	fault    func(*http.Request) *Fault
	requests int
}

// New makes a controller without jobs.
func New(o Options) *Controller {
	o.ContextPath = strings.TrimRight(o.ContextPath, "/")
	o.RootURL = strings.TrimRight(o.RootURL, "/")
	if o.Executors == 0 {
		o.Executors = 2
	}
	if o.ItemLife == 0 {
		o.ItemLife = 5 * time.Minute
	}
	return &Controller{
		opts:     o,
		jobs:     map[string]*job{},
		items:    map[int64]*item{},
		clock:    time.Now(),
		boot:     rand.Text()[:8],
		sessions: map[string]string{},
	}
}

// A Build is one build as it stands.
type Build struct {
	Job        string
	Number     int
	QueueID    int64
	Parameters map[string]string
	// Result is empty while the build runs.
	Result         string
	Started, Ended time.Time
}

// Started gives all builds in the order in which they started.
func (c *Controller) Started() []Build {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.advance()
	all := make([]Build, 0, len(c.builds))
	for _, b := range c.builds {
		all = append(all, b.public(c.clock))
	}
	return all
}

// Waiting is how many items are in the queue.
func (c *Controller) Waiting() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.advance()
	n := 0
	for _, it := range c.queue {
		if it.waiting() {
			n++
		}
	}
	return n
}

// Requests is how many requests have come, faulty ones too.
func (c *Controller) Requests() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.requests
}

// Down takes the controller down, or brings it back as a new boot. While down
// it answers 503 with the page that a starting Jenkins shows.
func (c *Controller) Down(down bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.down && !down {
		c.reboot()
	}
	c.down = down
}

// Restart takes the controller down for d.
func (c *Controller) Restart(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reboot()
	c.downTill = time.Now().Add(d)
}

func (c *Controller) reboot() {
	c.boot = rand.Text()[:8]
	c.sessions = map[string]string{}
}

// ExpireSessions ends all sessions: crumbs given so far are refused.
func (c *Controller) ExpireSessions() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sessions = map[string]string{}
}

// QuietDown keeps waiting items from starting. New ones are still accepted.
func (c *Controller) QuietDown(on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.advance()
	c.quiet = on
}
