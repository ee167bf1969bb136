package api

import (
	"errors"
	"fmt"
	"time"

	"github.com/pushgate/pushgate/internal/rest"
)

// An Error is a failed call. It says what the failure means; when to try again
// is the caller's decision.
type Error struct {
	// Op is what was being done, as in "compare 1a2b3c…4d5e6f of acme/shop".
	Op string
	// Status is the HTTP status, 0 where there was no answer.
	Status int
	// Temporary says that the same call may succeed later.
	Temporary bool
	// Host says that other calls would fail alike: the host is away, refuses the
	// credentials, or limits the rate.
	Host bool
	// Credentials says that they were refused.
	Credentials bool
	// RetryAfter is how long the host asks to wait; 0 where it does not.
	RetryAfter time.Duration
	// Reason is one line for people, in this program's own words, Hint what to do
	// about it; may be empty.
	Reason, Hint string
	// Err is the cause; may be nil.
	Err error
}

func (e *Error) Error() string {
	msg := rest.Cleaner(nil).Text(e.Op) + ": " + e.Reason
	if e.Status >= 300 {
		msg += fmt.Sprintf(" (status %d)", e.Status)
	}
	if e.Err != nil {
		msg = fmt.Sprintf("%s: %v", msg, e.Err)
	}
	return msg
}

func (e *Error) Unwrap() error { return e.Err }

// AsError gives err as an [*Error]. An error of another type becomes a temporary
// one.
func AsError(op string, err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return &Error{Op: op, Temporary: true, Reason: "unexpected failure", Err: err}
}

// cannot is the error of what the host has no way to do.
func cannot(op, reason, hint string) *Error {
	return &Error{Op: op, Reason: reason, Hint: hint}
}
