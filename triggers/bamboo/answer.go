package bamboo

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/pushgate/pushgate/internal/rest"
	"github.com/pushgate/pushgate/triggers"
)

const (
	hintURL     = "check that the url of the server is Bamboo's own, with https and its context path, and not a login page or a proxy"
	hintAccount = "check the token or the password, and that the account is not locked behind a captcha: log in once in a browser"
	hintTrigger = "give the token the Trigger permission (tokens are read-only by default) and the account the Build permission on the plan"
	hintPlan    = "check the plan's key, and that the account may see the plan"
)

// busyWait is how long a plan at its limit of concurrent builds is left alone.
const busyWait = 30 * time.Second

// A verdict is what a status means for a request. Ambiguous holds for the POST
// that queues only.
type verdict struct {
	from, to                     int
	temporary, server, ambiguous bool
	reason, hint                 string
}

// verdicts has the first matching row win; the last matches anything.
var verdicts = []verdict{
	{from: 200, to: 299, temporary: true, server: true, ambiguous: true, reason: "not Bamboo's answer", hint: hintURL},
	{from: 300, to: 399, temporary: true, server: true, reason: "redirected", hint: hintURL},
	{from: 400, to: 400, reason: "refused as invalid"},
	{from: 401, to: 401, temporary: true, server: true, reason: "credentials refused", hint: hintAccount},
	{from: 403, to: 403, reason: "not allowed", hint: hintTrigger},
	{from: 404, to: 404, reason: "not found", hint: hintPlan},
	{from: 405, to: 405, reason: "method not allowed", hint: hintURL},
	{from: 408, to: 408, temporary: true, server: true, reason: "the request arrived too slowly"},
	{from: 409, to: 409, reason: "in conflict with the plan's state"},
	{from: 413, to: 414, reason: "the request is too large", hint: "send shorter variables"},
	{from: 415, to: 415, reason: "the request's form was not understood", hint: "check that no proxy rewrites the Content-Type"},
	{from: 429, to: 429, temporary: true, reason: "too many requests"},
	{from: 400, to: 499, reason: "refused"},
	{from: 503, to: 503, temporary: true, server: true, reason: "unavailable, starting or stopping"},
	{from: 500, to: 599, temporary: true, server: true, ambiguous: true, reason: "the server failed"},
	{from: 0, to: 999, temporary: true, server: true, ambiguous: true, reason: "not an HTTP answer", hint: hintURL},
}

// judge turns an answer that is not the one hoped for into an error.
func (s *Server) judge(c call, a answer) *triggers.Error {
	i := slices.IndexFunc(verdicts, func(v verdict) bool { return v.from <= a.status && a.status <= v.to })
	v := verdicts[i]
	e := &triggers.Error{
		Op:        c.op,
		Status:    a.status,
		Temporary: v.temporary,
		Server:    v.server,
		Ambiguous: v.ambiguous && c.starts,
		Reason:    v.reason,
		Hint:      v.hint,
	}
	if e.Temporary {
		e.RetryAfter = rest.RetryAfter(a.header.Get("Retry-After"), time.Now())
	}
	switch a.status / 100 {
	case 2:
		// A page is a login form or a proxy's; anything else may be Bamboo's
		// receipt in a shape that cannot be read.
		e.Ambiguous = e.Ambiguous && !rest.IsPage(a.header, a.body)
	case 3:
		e.Err = s.texts.Destination(a.header.Get("Location"))
	default:
		e.Err = s.words(a)
	}
	if a.status == http.StatusBadRequest && isBusy(a.body) {
		e.Temporary, e.RetryAfter = true, max(busyWait, e.RetryAfter)
		e.Reason = "the plan is at its limit of concurrent builds"
	}
	return e
}

// isBusy knows a refusal for now by its words: Bamboo gives it the status of
// an invalid request.
func isBusy(body []byte) bool {
	text := strings.ToLower(strings.Join(said(body), " "))
	return slices.ContainsFunc([]string{"concurren", "too many", "maximum number of"}, func(word string) bool {
		return strings.Contains(text, word)
	})
}

// words gives what Bamboo said about a refusal; nil for a page or nothing.
func (s *Server) words(a answer) error {
	text := s.texts.Text(strings.Join(said(a.body), "; "))
	if text == "" {
		return nil
	}
	return errors.New(text)
}

// said lists the texts of Bamboo's JSON for errors.
func said(body []byte) []string {
	var doc struct {
		Message     any            `json:"message"`
		Errors      []any          `json:"errors"`
		FieldErrors map[string]any `json:"fieldErrors"`
	}
	// A wrong type in one field still leaves the others filled.
	_ = json.Unmarshal(body, &doc)
	var out []string
	if text, ok := doc.Message.(string); ok && text != "" {
		out = append(out, text)
	}
	for _, e := range doc.Errors {
		if text, ok := e.(string); ok {
			out = append(out, text)
		}
	}
	for _, field := range slices.Sorted(maps.Keys(doc.FieldErrors)) {
		out = append(out, fmt.Sprintf("%s: %v", field, doc.FieldErrors[field]))
	}
	return out
}
