package triggers

import (
	"errors"
	"fmt"
	"time"
)

// An Error is a failed call. It says what the failure means for the build;
// when to try again is the caller's decision.
type Error struct {
	// Op is what was being done, as in "start shop/api".
	Op string
	// Status is the HTTP status, 0 where there was no answer.
	Status int
	// Temporary says that the same call may succeed later.
	Temporary bool
	// Server says that the failure is the server's as a whole (unreachable,
	// 5xx, credentials refused), so that other calls would fail alike.
	Server bool
	// Ambiguous says that the server may have carried the request out.
	Ambiguous bool
	// RetryAfter is how long the server asked to wait; 0 where it did not.
	RetryAfter time.Duration
	// Within bounds a temporary failure: counted from the time the build was
	// called for, after this long it is permanent. 0 means no bound.
	Within time.Duration
	// Reason is one line for people, from this program's own words.
	Reason string
	// Hint is what to do about it; may be empty.
	Hint string
	// Err is the cause; may be nil.
	Err error
}

func (e *Error) Error() string {
	msg := e.Op + ": " + e.Reason
	if e.Err != nil {
		msg = fmt.Sprintf("%s: %v", msg, e.Err)
	}
	return msg
}

func (e *Error) Unwrap() error { return e.Err }

// AsError gives err as an [*Error]. An error of another type becomes a
// temporary and ambiguous one, the reading that loses nothing.
func AsError(op string, err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return &Error{Op: op, Temporary: true, Ambiguous: true, Reason: "unexpected failure", Err: err}
}
