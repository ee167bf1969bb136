package gateway

import (
	"errors"
	"sync"
	"time"

	"github.com/pushgate/pushgate/gateway/web"
	"github.com/pushgate/pushgate/rules"
)

// A rulesState keeps count of what became of the tries to replace the rules.
type rulesState struct {
	mu  sync.Mutex
	now web.RulesState
}

func (s *rulesState) replaced(set *rules.Set) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.now = web.RulesState{Hash: set.Hash(), Since: now, Reloads: s.now.Reloads + 1, Failures: s.now.Failures, LastTry: now}
}

// RulesFailed notes that the rules could not be replaced, and why: the pages
// say so until SetRules ends well. Those in force stay. The error must hold no
// secret; [rules.Problems] are shown one by one.
func (g *Gateway) RulesFailed(err error) {
	problems, ok := errors.AsType[rules.Problems](err)
	if !ok {
		problems = rules.Problems{{Text: err.Error()}}
	}
	s := &g.state
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now.Failures++
	s.now.LastTry, s.now.Problems = time.Now(), problems
	if s.now.FailingSince.IsZero() {
		s.now.FailingSince = s.now.LastTry
	}
}

// RulesState says how the rules in force stand to the files they came from.
func (g *Gateway) RulesState() web.RulesState {
	g.state.mu.Lock()
	defer g.state.mu.Unlock()
	return g.state.now
}
