package api

import (
	"fmt"
	"net/url"
	"strings"
)

// described gives the description of a status in one line. Of a build that runs
// it says so, for the hosts that have no state for that.
func described(s Status, limit int) string {
	text := strings.Join(strings.Fields(s.Description), " ")
	if s.State == Running && !strings.Contains(strings.ToLower(text), "running") {
		text = strings.TrimSuffix("running: "+text, ": ")
	}
	return cut(text, limit)
}

// linkOf gives the page of a status, or "" for what would have the host refuse
// the whole: no address of the web, or a longer one than it stores.
func linkOf(s Status, limit int) string {
	u, err := url.Parse(s.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || len(s.URL) > limit {
		return ""
	}
	return s.URL
}

// A statusBody is a status as GitHub and Gitea take it.
type statusBody struct {
	State       string `json:"state"`
	Context     string `json:"context"`
	Description string `json:"description,omitzero"`
	TargetURL   string `json:"target_url,omitzero"`
}

// forgeStatus is a status as these take it, in the words they share, its texts and
// its link cut to what they store.
func forgeStatus(s Status, context, text, link int) statusBody {
	states := map[State]string{
		Pending: "pending", Running: "pending", Success: "success", Skipped: "success", Failure: "failure", Aborted: "error",
	}
	return statusBody{State: states[s.State], Context: contextOf(s.Context, context), Description: described(s, text), TargetURL: linkOf(s, link)}
}

// reporting names the telling of a status for errors.
func reporting(s Status, commit, repo string) string {
	return fmt.Sprintf("report %s for commit %.12s of %s", s.State, commit, repo)
}
