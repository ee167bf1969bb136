package api

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/pushgate/pushgate/internal/rest"
)

const (
	hintURL     = "check the url of the source's api"
	hintToken   = "check the credentials of the source's api: they may have run out"
	hintAllowed = "give the credentials of the source's api the right to read the repository and to write commit statuses: pushgate hook SOURCE names them"
)

// A verdict is what a status means.
type verdict struct {
	from, to                     int
	temporary, host, credentials bool
	reason, hint                 string
}

// verdictOn has the first matching row win; the last matches anything.
func verdictOn(status int) verdict {
	all := []verdict{
		{from: 300, to: 399, host: true, reason: "redirected", hint: hintURL},
		{from: 401, to: 401, host: true, credentials: true, reason: "credentials refused", hint: hintToken},
		{from: 403, to: 403, credentials: true, reason: "not allowed", hint: hintAllowed},
		{from: 404, to: 404, reason: "not found", hint: "it is gone, or the credentials of the source's api may not see it"},
		{from: 407, to: 407, temporary: true, host: true, reason: "a proxy asks for credentials", hint: "check HTTP_PROXY and HTTPS_PROXY"},
		{from: 408, to: 408, temporary: true, host: true, reason: "the request arrived too slowly"},
		{from: 429, to: 429, temporary: true, host: true, reason: "too many requests"},
		{from: 400, to: 499, reason: "refused"},
		{from: 500, to: 599, temporary: true, host: true, reason: "the host failed"},
		{from: 0, to: 999, temporary: true, host: true, reason: "not an HTTP answer", hint: hintURL},
	}
	return all[slices.IndexFunc(all, func(v verdict) bool { return v.from <= status && status <= v.to })]
}

// limitWait is how long to wait where a host says too many without saying for how
// long.
const limitWait = time.Minute

// maxRefusal is how long an answer that refuses may be for its words to be looked
// for, in bytes.
const maxRefusal = 64 << 10

// judge turns an answer that is not the one hoped for into an error.
func (c *caller) judge(k *call, status int, h http.Header, body []byte) *Error {
	v := verdictOn(status)
	e := &Error{Op: k.op, Status: status, Temporary: v.temporary, Host: v.host, Credentials: v.credentials, Reason: v.reason, Hint: v.hint}
	words := c.clean().Text(strings.Join(said(body), "; "))
	if wait, limited := limited(status, h, words, time.Now()); limited {
		e.Temporary, e.Host, e.Credentials, e.RetryAfter = true, true, false, wait
		e.Reason, e.Hint = "too many requests", ""
	} else if e.Temporary {
		e.RetryAfter = rest.RetryAfter(h.Get("Retry-After"), time.Now())
	}
	if status/100 == 3 {
		e.Err = c.clean().Destination(h.Get("Location"))
		if c.within(h.Get("Location")) {
			e.Host, e.Reason, e.Hint = false, "moved", "the repository was renamed or moved: name it as it is called now"
		}
	} else if words != "" && !rest.IsPage(h, body) {
		e.Err = errors.New(words)
	}
	return e
}

// within says whether a redirect stays below the base: then it is one resource
// that moved, as those of a renamed repository do, and not the whole host.
func (c *caller) within(location string) bool {
	base, err := url.Parse(c.base + "/")
	if err != nil || location == "" {
		return false
	}
	to, err := base.Parse(location)
	return err == nil && to.User == nil && to.Scheme == base.Scheme && to.Host == base.Host &&
		strings.HasPrefix(to.EscapedPath(), base.EscapedPath())
}

// limited says whether an answer limits the rate, and for how long. GitHub does
// so with 403 and X-RateLimit-Remaining: 0, or Retry-After alone, or words alone;
// Bitbucket, GitLab and Gitea with 429. A reset is that of the limit whose rest
// the answer gives, so where there is a rest another limit was reached.
func limited(status int, h http.Header, words string, at time.Time) (time.Duration, bool) {
	after, used := rest.RetryAfter(h.Get("Retry-After"), at), false
	for _, prefix := range []string{"X-RateLimit-", "RateLimit-"} {
		left := h.Get(prefix + "Remaining")
		used = used || left == "0"
		if n, err := strconv.ParseInt(h.Get(prefix+"Reset"), 10, 64); err == nil && after == 0 && (left == "0" || left == "") {
			after = min(max(time.Unix(n, 0).Sub(at), 0), rest.MaxRetryAfter)
		}
	}
	switch {
	case status == http.StatusTooManyRequests,
		status == http.StatusForbidden && (used || h.Get("Retry-After") != "" || strings.Contains(words, "rate limit")):
		if after == 0 {
			after = limitWait
		}
		return after, true
	}
	return 0, false
}

// said lists the texts of the JSON that hosts give for errors: message, error,
// or errors, as texts or as objects with a message.
func said(body []byte) []string {
	var out []string
	var read func(text jsontext.Value, depth int)
	read = func(text jsontext.Value, depth int) {
		switch text.Kind() {
		case '"':
			var s string
			if json.Unmarshal(text, &s) == nil && s != "" && !slices.Contains(out, s) {
				out = append(out, s)
			}
		case '[':
			var list []jsontext.Value
			if depth < 4 && json.Unmarshal(text, &list) == nil {
				for _, item := range list[:min(len(list), 5)] {
					read(item, depth+1)
				}
			}
		case '{':
			var doc map[string]jsontext.Value
			if depth < 4 && json.Unmarshal(text, &doc) == nil {
				for _, name := range []string{"message", "error", "error_description", "errors", "detail"} {
					read(doc[name], depth+1)
				}
			}
		}
	}
	if len(body) > 0 && len(body) <= maxRefusal && body[0] == '{' {
		read(body, 0)
	}
	return out
}
