package web

import (
	"time"

	"github.com/pushgate/pushgate/rules"
)

// A RulesState says how the rules in force stand to the files they came from.
type RulesState struct {
	// Hash is of the set in force, Since when that was put in force.
	Hash  string
	Since time.Time
	// Reloads and Failures count the tries to replace it since the start that
	// did and did not end well; LastTry is when the last one was, zero: none.
	Reloads, Failures int64
	LastTry           time.Time
	// FailingSince is when the first try failed after the last that ended well;
	// zero where none did. Problems are what the last try found.
	FailingSince time.Time
	Problems     []rules.Problem
}

// problemsShown bounds the problems of a rule file on a page.
const problemsShown = 20

// failing is what every page says while the files do not load.
type failing struct {
	RulesState
	More int // problems not shown
}

// failing is nil while all is well.
func (p *Pages) failing() *failing {
	if p.o.RulesState == nil {
		return nil
	}
	f := &failing{RulesState: p.o.RulesState()}
	if f.FailingSince.IsZero() {
		return nil
	}
	f.More = max(0, len(f.Problems)-problemsShown)
	f.Problems = f.Problems[:len(f.Problems)-f.More]
	return f
}
