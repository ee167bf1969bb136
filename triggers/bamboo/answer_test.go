package bamboo

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pushgate/pushgate/internal/rest"
	"github.com/pushgate/pushgate/triggers"
)

// TestAnswersToAStart has a row for every answer to the POST that queues.
func TestAnswersToAStart(t *testing.T) {
	const page = "<!DOCTYPE html><html><body>Log in</body></html>"
	tests := []struct {
		name   string
		status int
		header http.Header
		body   string
		want   failure
		words  string // in the error
	}{
		{"a page", 200, nil, page, failure{Temporary: true, Server: true}, "not Bamboo's answer"},
		{"a page called JSON", 200, http.Header{"Content-Type": {"application/json"}}, page, failure{Temporary: true, Server: true}, "not Bamboo's answer"},
		{"JSON without a key", 200, nil, `{"planKey":"SHOP-API"}`, failure{Temporary: true, Server: true, Ambiguous: true}, "not Bamboo's answer"},
		{"a key that is a number", 200, nil, `{"buildResultKey":12}`, failure{Temporary: true, Server: true, Ambiguous: true}, ""},
		{"a key that climbs", 200, nil, `{"buildResultKey":"../../admin-1"}`, failure{Temporary: true, Server: true, Ambiguous: true}, ""},
		{"JSON cut short", 200, nil, `{"buildResultKey":"SHOP-API-1`, failure{Temporary: true, Server: true, Ambiguous: true}, ""},
		{"XML", 200, nil, `<?xml version="1.0"?><restQueuedBuild/>`, failure{Temporary: true, Server: true, Ambiguous: true}, ""},
		{"nothing", 204, nil, "", failure{Temporary: true, Server: true, Ambiguous: true}, ""},
		{"http to https", 301, http.Header{"Location": {"https://ci.example.com/rest?jsessionid=hidden"}}, "", failure{Temporary: true, Server: true}, `redirected: to "https://ci.example.com/rest"`},
		{"login page", 302, http.Header{"Location": {"/userlogin.action?os_destination=x"}}, "", failure{Temporary: true, Server: true}, "/userlogin.action"},
		{"temporary redirect", 307, http.Header{"Location": {"/elsewhere"}}, "", failure{Temporary: true, Server: true}, ""},
		{"permanent redirect", 308, nil, "", failure{Temporary: true, Server: true}, ""},
		{"plan's limit", 400, nil, `{"errors":["You have reached the maximum number of concurrent builds"],"fieldErrors":{}}`, failure{Temporary: true, RetryAfter: busyWait}, "limit of concurrent builds"},
		{"too many", 400, nil, `{"errors":["Too many builds are queued"]}`, failure{Temporary: true, RetryAfter: busyWait}, "Too many"},
		{"invalid", 400, nil, `{"errors":["no\u001b[31m such\r\nstage"],"fieldErrors":{"stage":["gone"]}}`, failure{}, "no[31m such stage; stage: [gone]"},
		{"invalid, of odd types", 400, nil, `{"errors":{"a":1},"fieldErrors":7,"message":["x"]}`, failure{}, "refused as invalid"},
		{"invalid, a page", 400, nil, page, failure{}, "refused as invalid"},
		{"credentials", 401, nil, `{"message":"Client must be authenticated"}`, failure{Temporary: true, Server: true}, "Client must be authenticated"},
		{"read-only token", 403, nil, "", failure{}, "not allowed"},
		{"no such plan", 404, nil, `{"message":"Plan SHOP-API not found.","status-code":404}`, failure{}, "Plan SHOP-API not found."},
		{"method", 405, nil, "", failure{}, ""},
		{"slow client", 408, nil, "", failure{Temporary: true, Server: true}, ""},
		{"conflict", 409, nil, "", failure{}, ""},
		{"too large", 413, nil, "", failure{}, ""},
		{"media type", 415, nil, "", failure{}, ""},
		{"teapot", 418, nil, "", failure{}, ""},
		{"rate limit, seconds", 429, http.Header{"Retry-After": {"7"}}, "", failure{Temporary: true, RetryAfter: 7 * time.Second}, ""},
		{"rate limit, no word", 429, nil, "", failure{Temporary: true}, ""},
		{"server error", 500, nil, page, failure{Temporary: true, Server: true, Ambiguous: true}, ""},
		{"bad gateway", 502, nil, page, failure{Temporary: true, Server: true, Ambiguous: true}, ""},
		{"restarting", 503, http.Header{"Retry-After": {"120"}}, page, failure{Temporary: true, Server: true, RetryAfter: 2 * time.Minute}, ""},
		{"gateway time-out", 504, nil, page, failure{Temporary: true, Server: true, Ambiguous: true}, ""},
		{"a proxy's own", 522, nil, "", failure{Temporary: true, Server: true, Ambiguous: true}, ""},
		{"off the scale", 799, nil, "", failure{Temporary: true, Server: true, Ambiguous: true}, ""},
		{"echo of the token", 400, nil, `{"errors":["bad token ` + token + `"]}`, failure{}, "bad token …"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var requests atomic.Int32
			client := serving(t, func(w http.ResponseWriter, r *http.Request) {
				requests.Add(1)
				for name, values := range tt.header {
					w.Header()[name] = values
				}
				w.WriteHeader(tt.status)
				_, _ = w.Write([]byte(tt.body))
			})
			receipt, err := client.Start(t.Context(), triggers.Request{ID: "b_1", Target: "SHOP-API"})
			if diff := cmp.Diff(triggers.Receipt{}, receipt); diff != "" {
				t.Errorf("a receipt in spite of it (-want +got):\n%s", diff)
			}
			got, e := failureOf(t, err)
			tt.want.Status = tt.status
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
			if requests.Load() != 1 {
				t.Errorf("%d requests, want 1", requests.Load())
			}
			if !strings.Contains(err.Error(), tt.words) {
				t.Errorf("error %q, want %q in it", err, tt.words)
			}
			if strings.Contains(err.Error(), token) || strings.ContainsFunc(err.Error(), rest.IsControl) || strings.Contains(err.Error(), "hidden") {
				t.Errorf("error %q shows a secret or a control character", err)
			}
			if e.Op != "start SHOP-API" || e.Reason == "" {
				t.Errorf("op %q, reason %q", e.Op, e.Reason)
			}
		})
	}
}
