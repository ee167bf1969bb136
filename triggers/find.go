package triggers

import (
	"fmt"
	"time"
)

// A Presence is whether a build that carries a request's ID is on the server.
type Presence string

const (
	// Present: it is there, and State says how it stands.
	Present Presence = "present"
	// Absent: at the moment of the look it was not there, neither waiting nor
	// among the builds since the start was sent; no build there could be it.
	// A request that is still on its way may yet start it. An item cancelled
	// in the queue by hand, or a newest build deleted by hand, is absent too.
	Absent Presence = "absent"
	// Unknown: it may be there without the look showing it. Why says why.
	Unknown Presence = "unknown"
)

// A Sighting is the answer to the question whether a start happened.
//
// What is Present carries the request's own ID. No other request has that ID,
// and servers merge identical requests only, so it is never shared. Where
// several carry the ID, as after a rebuild by hand, it is the oldest: a copy
// can be made of what exists only.
type Sighting struct {
	Presence Presence
	// State is for adoption, where Present: handle, phase and URL.
	State State
	// Why is one line for people, where Unknown.
	Why string
}

// A Trace is what one build on a server's list tells about its origin.
type Trace struct {
	Number int64
	// At is when it began, by the server's clock; zero where that is not told.
	At time.Time
	// Tells says that it shows a value under [IDName], its own or another's: a
	// build that tells is not one whose ID the server dropped.
	Tells bool
}

// Hidden looks through a target's builds, none of which carries the ID that is
// sought, for a place where such a build of since or later may hide. The list
// is newest first, without the builds below its last page, or whole; pages of
// it may overlap. Empty: no build hides. More: the list says nothing so far,
// and its next page may.
//
// A build may hide behind one that does not tell, in a gap between numbers
// where builds were deleted, and beyond the end of the list. Builds are
// numbered in the order in which they were accepted, and none begins before
// that: so one that began before since ends the search.
func Hidden(list []Trace, since time.Time, whole bool) (why string, more bool) {
	last := int64(0)
	for _, t := range list {
		switch {
		case last > 0 && t.Number >= last:
			continue // seen: the list grew between two pages
		case last > 0 && t.Number < last-1:
			return fmt.Sprintf("a build between #%d and #%d was deleted", t.Number, last), false
		case !t.At.IsZero() && t.At.Before(since):
			return "", false
		case !t.Tells:
			return fmt.Sprintf("build #%d does not say which request it is for: it shows no %s", t.Number, IDName), false
		}
		last = t.Number
	}
	switch {
	case !whole:
		return "the list of builds does not reach back to the start", true
	case last > 1:
		return fmt.Sprintf("builds before #%d were deleted", last), false
	}
	return "", false
}

// clockSlack is how far the clocks of a server and its proxy may be apart.
const clockSlack = 5 * time.Minute

// Earliest is the earliest time that a server's clock can have shown when ours
// showed since. Date is that header of an answer that came at now; a server
// that does not send it is trusted to have the time right within the slack.
func Earliest(since, now time.Time, date time.Time) time.Time {
	if behind := now.Sub(date); !date.IsZero() && behind > 0 {
		since = since.Add(-behind)
	}
	return since.Add(-clockSlack)
}
