// Package ledger keeps what must not be lost: deliveries, the pushes they tell
// of, what is known of refs, the builds called for, and the rule sets that
// decided. It is also the work queue. Contract:
//
//   - A call that returns nil has committed, durably: SQLite runs with a
//     write-ahead log and synchronous=FULL. A call that returns an error has
//     changed nothing. [ErrUnavailable] says that the ledger cannot commit now.
//   - All writes go through one writer, which commits together everything that
//     waits (group commit) and falls back to one at a time when a batch fails.
//   - A delivery with a key is taken once per source; a repeat gives the first
//     one's id. A push is decided once; its builds appear in the transaction
//     that marks it decided, once per push and key.
//   - Work is leased: whoever claimed a build is named in its row together with
//     the number of the lease, and an answer under an older lease changes
//     nothing. A process that finds builds leased by an earlier run of itself
//     takes them back at once; only one process serves a file.
//   - No secret is stored: rule files are kept as written, headers without
//     credentials.
//
// Structs here are what is stored; what commands and pages show is made from
// them elsewhere, so that both can change on their own.
package ledger

import (
	"errors"
	"time"

	"github.com/pushgate/pushgate/rules"
)

// ErrUnavailable is in the chain of errors of a ledger that cannot commit:
// locked by another program, read-only, on a full disk, corrupt or closed.
var ErrUnavailable = errors.New("the ledger cannot commit")

// ErrNotFound says that there is no such delivery or build.
var ErrNotFound = errors.New("not found")

// A Delivery is an accepted request.
type Delivery struct {
	N          int64
	ID         string
	Source     string
	Key        string // empty: never a repeat
	ReceivedAt time.Time
	Repo       string
	Remote     string
	Headers    map[string]string
	Size       int64
	Pushes     int
	Note       string
	// Asks says what the host is being asked about branches that the body does not
	// name; empty where it is not.
	Asks    string
	Repeats int
	// Look is asked of Receive: the body names no branch, and the host is to be
	// asked which moved.
	Look bool
}

// The states of a push. A waiting one has no row of its own yet.
const (
	PushWaiting = "waiting"
	PushDecided = "decided"
	PushRepeat  = "repeat" // the same move of the ref as the newest push: starts nothing
)

// A Push is a ref that moved and what became of it.
type Push struct {
	N         int64  // 0 while waiting
	Delivery  string // id
	Push      rules.Push
	State     string
	Late, Gap bool
	// Waits says what a waiting one waits for; may be empty.
	Waits     string
	DecidedAt time.Time // zero while waiting
	Rules     string    // hash of the deciding set
	Owed      rules.Owed
	Matched   []string
}

// A State is where a build stands.
type State string

// The states of a build.
const (
	Due       State = "due"
	Starting  State = "starting"
	Queued    State = "queued"
	Running   State = "running"
	Succeeded State = "succeeded"
	Unstable  State = "unstable"
	Failed    State = "failed"
	Aborted   State = "aborted"
	Triggered State = "triggered" // accepted, nothing to follow
	Dead      State = "dead"      // could not be started
	Lost      State = "lost"      // gone from its server
)

// States are all states, in the order a build goes through them.
func States() []State {
	return []State{Due, Starting, Queued, Running, Succeeded, Unstable, Failed, Aborted, Triggered, Dead, Lost}
}

// Ended says that nothing more will happen to a build by itself.
func (s State) Ended() bool {
	switch s {
	case Due, Starting, Queued, Running:
		return false
	}
	return true
}

// A Build is one build that a push called for.
type Build struct {
	N         int64
	ID        string
	Push      int64
	Delivery  string // id
	Repo, Ref string
	Server    string
	Target    string
	Build     rules.Build
	State     State
	Reason    string
	Uncertain bool
	Merged    bool
	Handle    string
	URL       string
	Notes     []string
	Attempts  int
	Failures  int
	Lease     int64
	DueAt     time.Time // zero: never
	CreatedAt time.Time
	StartedAt time.Time // zero: not yet
	EndedAt   time.Time // zero: not yet
	// AskedAt is when a start was first asked of the server; AbsentAt when a look
	// first proved that the server had not taken it, which an uncertain one needs.
	AskedAt, AbsentAt time.Time
}

// An Attempt is one try to start a build.
type Attempt struct {
	Number  int
	At      time.Time
	Took    time.Duration
	Outcome string
	Detail  string
}
