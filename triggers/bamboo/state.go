package bamboo

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/pushgate/pushgate/internal/rest"
	"github.com/pushgate/pushgate/triggers"
)

// A stand is what Bamboo says about a result; an empty state stands for any.
type stand struct{ life, state string }

// phases maps every stand that Bamboo documents.
var phases = map[stand]triggers.Phase{
	{life: "Pending"}:                       triggers.Queued,
	{life: "Queued"}:                        triggers.Queued,
	{life: "InProgress"}:                    triggers.Running,
	{life: "NotBuilt"}:                      triggers.Aborted,
	{life: "Finished", state: "Successful"}: triggers.Succeeded,
	{life: "Finished", state: "Failed"}:     triggers.Failed,
	{life: "Finished", state: "Unknown"}:    triggers.Aborted,
}

// reasons explains the ends that are neither success nor failure.
var reasons = map[string]string{
	"NotBuilt": "not built: stopped before it ran, or never given to an agent",
	"Finished": "ended without a result, as a stopped build does",
}

// State looks once at the build of a handle that Start gave. Every failure but
// a handle that is not one is temporary: the build is still there.
func (s *Server) State(ctx context.Context, _ triggers.Request, handle string) (triggers.State, error) {
	key, ok := strings.CutPrefix(handle, handlePrefix)
	if !ok || !isResultKey(key) {
		return triggers.State{}, &triggers.Error{
			Op:     fmt.Sprintf("look at %.80q", handle),
			Reason: "not a handle of a Bamboo build",
		}
	}
	c := call{
		op:     "look at " + key,
		method: http.MethodGet,
		path:   "/rest/api/latest/result/{key}",
		params: map[string]string{"key": key},
	}
	a, e := s.send(ctx, c)
	if e != nil {
		return triggers.State{}, e
	}
	st := triggers.State{Handle: handle, URL: s.base + "/browse/" + key}
	if a.status == http.StatusNotFound && !rest.IsPage(a.header, a.body) {
		return triggers.State{Phase: triggers.Lost, Handle: handle, Why: "Bamboo no longer has this result"}, nil
	}
	phase, why, ok := readResult(a, key)
	if !ok {
		e := s.judge(c, a)
		e.Temporary = true
		if a.status == http.StatusNotFound {
			e.Server, e.Reason, e.Hint = true, "not Bamboo's answer", hintURL
		}
		return triggers.State{}, e
	}
	st.Phase, st.Why = phase, why
	return st, nil
}

// readResult gives ok only for an answer about the result of that key in a
// stand that is known.
func readResult(a answer, key string) (phase triggers.Phase, why string, ok bool) {
	var doc struct {
		BuildResultKey string `json:"buildResultKey"`
		LifeCycleState string `json:"lifeCycleState"`
		State          string `json:"state"`
	}
	if a.status != http.StatusOK || json.Unmarshal(a.body, &doc) != nil {
		return "", "", false
	}
	if doc.BuildResultKey != "" && doc.BuildResultKey != key {
		return "", "", false
	}
	return resultRecord{LifeCycleState: doc.LifeCycleState, State: doc.State}.stands()
}

// stands reads where a build is; not ok is a stand that is not known.
func (r resultRecord) stands() (phase triggers.Phase, why string, ok bool) {
	phase, ok = phases[stand{life: r.LifeCycleState}]
	why = r.LifeCycleState
	if !ok {
		phase, ok = phases[stand{r.LifeCycleState, r.State}]
		why = r.State
	}
	if phase == triggers.Aborted {
		why = reasons[r.LifeCycleState]
	}
	return phase, why, ok
}
