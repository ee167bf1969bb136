package gateway

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/pushgate/pushgate/rules"
)

// TestRulesState: tries to replace the rules are counted, and a failure is shown
// until the next that ends well; the rules in force stay meanwhile.
func TestRulesState(t *testing.T) {
	s := setUp(t, stageRules, nil)
	page := func() string {
		t.Helper()
		resp, err := http.Get(s.url + "/")
		if err != nil {
			t.Fatal(err)
		}
		defer http.DefaultClient.CloseIdleConnections()
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	set := s.gateway.Rules()
	start := s.gateway.RulesState()
	if start.Hash != set.Hash() || start.Since.IsZero() || !start.LastTry.IsZero() || start.Reloads+start.Failures != 0 || strings.Contains(page(), "has errors") {
		t.Errorf("at the start: %+v", start)
	}
	s.gateway.RulesFailed(fmt.Errorf("load: %w", rules.Problems{{At: rules.Pos{File: "rules.yaml", Line: 3}, Text: "a <b>bad</b> rule"}}))
	first := s.gateway.RulesState()
	s.gateway.RulesFailed(errors.New("the file is gone"))
	second := s.gateway.RulesState()
	if s.gateway.Rules() != set || second.Since != start.Since || second.FailingSince != first.FailingSince || second.Failures != 2 || second.Reloads != 0 || first.Problems[0].At.Line != 3 || second.LastTry.Before(first.LastTry) {
		t.Errorf("failing: %+v, then %+v", first, second)
	}
	if text := page(); !strings.Contains(text, "has errors") || !strings.Contains(text, "the file is gone") || strings.Contains(text, "<b>bad") {
		t.Errorf("the page: %s", text)
	}
	if err := s.gateway.SetRules(t.Context(), set); err != nil {
		t.Fatal(err)
	}
	last := s.gateway.RulesState()
	if last.Reloads != 1 || last.Failures != 2 || !last.FailingSince.IsZero() || last.Problems != nil || last.LastTry != last.Since || strings.Contains(page(), "has errors") {
		t.Errorf("well again: %+v", last)
	}
}
