// Package triggers says what it means to start a build on a CI server: what
// is asked ([Request]), what the server said ([Receipt]), how a started build
// stands ([State]), whether a start happened at all ([Sighting]), what stands in
// the way of one ([Finding]) and why a call failed ([Error]).
//
// The contract that every server in a subfolder keeps:
//
//   - A call sends at most one request that starts something. It never retries
//     that request by itself: a trigger says whether a failure is temporary,
//     whoever calls decides when to try again.
//   - Start and Stop alone change anything on the server. Stop touches the build
//     of its handle and no other; it may be called again.
//   - Find never takes trouble with the server for a build that is not there.
//   - Every failure is an [*Error]. Nothing panics on what a server answers.
//   - Request values are data. They reach the server byte for byte and are
//     never rendered, expanded or joined into a URL unescaped.
//   - Methods may be called from several goroutines at once.
package triggers

import "time"

// A Request asks for one build. Fields that a kind of server does not know are
// ignored by it.
type Request struct {
	// ID is pushgate's own id of the build ("b_…"), the same on every try. It
	// travels to the server under [IDName], so that the build can be found
	// there again.
	ID string
	// Target names what to build. Jenkins: the path of the job, item names as
	// Jenkins stores them joined by "/" (a branch job's name is already
	// encoded: "shop/api/release%2F1.2"). Bamboo: the plan's key.
	Target string
	// Dynamic says that part of Target came from a push: the job of a new
	// branch may not exist yet, so its absence is temporary for [IndexWait].
	Dynamic bool
	// Values are build parameters (Jenkins) or variables (Bamboo).
	Values map[string]string

	// Delay is Jenkins' quiet period; zero leaves the job's own. Whole seconds.
	Delay time.Duration
	// Scan asks Jenkins to scan the multibranch project Target, which starts no
	// build of its own.
	Scan bool

	// Branch is the VCS branch whose Bamboo plan branch is meant; empty means
	// the plan itself.
	Branch string
	// CreateBranch lets Bamboo make a missing plan branch.
	CreateBranch bool
	// Revision pins the commit that Bamboo builds; empty means the newest.
	Revision string
	// Stage is the last Bamboo stage to run, AllStages runs manual ones too.
	Stage     string
	AllStages bool
}

// IDName is the parameter (Jenkins) or variable (Bamboo) that carries
// [Request.ID].
const IDName = "PUSHGATE_BUILD"

// IndexWait is how long the absence of a dynamic target counts as temporary.
const IndexWait = 15 * time.Minute

// An Outcome says what became of a Request that the server accepted.
type Outcome string

const (
	// Started: the server made a new queue item or build for this request.
	Started Outcome = "started"
	// Merged: an identical item already waited there, and stands for this
	// request too. It belongs to others as well and must not be cancelled.
	Merged Outcome = "merged"
	// Triggered: something was set off that leaves nothing to follow.
	Triggered Outcome = "triggered"
)

// A Receipt is the server's answer to an accepted Request.
type Receipt struct {
	Outcome Outcome
	// Handle finds the build again through the same server; opaque to callers,
	// empty for Triggered.
	Handle string
	// URL is a page a person can open; may be empty.
	URL string
	// Notes are remarks for the build's page: undeclared parameters and such.
	Notes []string
}

// A Phase is where an accepted build stands.
type Phase string

// The phases of a build; all after Running are ends.
const (
	Queued    Phase = "queued"
	Running   Phase = "running"
	Succeeded Phase = "succeeded"
	Unstable  Phase = "unstable"
	Failed    Phase = "failed"
	Aborted   Phase = "aborted"
	// Lost: the server no longer knows the build.
	Lost Phase = "lost"
)

// Ended says that no later look can give another phase.
func (p Phase) Ended() bool { return p != Queued && p != Running }

// A State is what one look at a started build found.
type State struct {
	Phase Phase
	// Handle replaces the one the look was made with; never empty.
	Handle string
	// URL is the build's page, once there is one.
	URL string
	// Why is the server's reason for waiting, or its word for the result.
	Why string
}
