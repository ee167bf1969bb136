package jenkins

import (
	"fmt"
	"html"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"

	"github.com/pushgate/pushgate/internal/rest"
	"github.com/pushgate/pushgate/triggers"
)

// A verdict is what a status means wherever it comes.
type verdict struct {
	status                       int
	temporary, server, ambiguous bool
	reason, hint                 string
}

// verdictOn reads a failing status. The ranges at the end catch what the list
// does not name.
func verdictOn(status int) verdict {
	for _, v := range []verdict{
		{400, false, false, false, "jenkins refuses the request", "check the names and values of the job's parameters"},
		{401, true, true, false, "jenkins refuses the credentials", "check the server's user and token; a token dies with its user or when it is revoked"},
		{403, false, false, false, "not permitted", "give the user the permission Job/Build there; where none is set, set user and token"},
		{404, false, false, false, "no such job", "check the path; without the permission Job/Read a job looks absent too"},
		{405, false, false, false, "jenkins does not take this method", "a proxy may have turned the POST into a GET"},
		{407, true, true, false, "a proxy asks for credentials", "check HTTP_PROXY and HTTPS_PROXY"},
		{408, true, true, false, "the server gave up waiting for the request", ""},
		{409, false, false, false, "the job cannot be built", "it is disabled, or its branch is gone: enable it in Jenkins"},
		{415, false, false, false, "jenkins does not take a form", "a proxy may have changed the Content-Type"},
		{429, true, false, false, "too many requests", ""},
		{503, true, true, false, "not ready", "Jenkins is starting, restarting or behind a proxy that cannot reach it"},
	} {
		if v.status == status {
			return v
		}
	}
	switch {
	case status >= 500:
		return verdict{status, true, true, true, "the server failed", "see the log of Jenkins or of the proxy before it"}
	case status >= 400:
		return verdict{status, false, false, false, "jenkins refuses the request", ""}
	case status >= 300:
		return verdict{status, true, true, false, "redirected away", "check the server's url"}
	}
	return verdict{status, true, true, false, "not jenkins' answer", "check the server's url"}
}

// refusal is the error of an answer that is no success.
func refusal(op string, a answer) *triggers.Error {
	v := verdictOn(a.status)
	e := &triggers.Error{
		Op: op, Status: a.status,
		Temporary: v.temporary, Server: v.server, Ambiguous: v.ambiguous,
		RetryAfter: rest.RetryAfter(a.header.Get("Retry-After"), time.Now()),
		Reason:     fmt.Sprintf("answered %d: %s", a.status, v.reason),
		Hint:       v.hint,
	}
	if need := plain(a.header.Get("X-Required-Permission")); need != "" {
		e.Hint = fmt.Sprintf("the user needs the permission %q there", need)
	}
	if a.status/100 == 3 && a.redirect != nil {
		to := url.URL{Scheme: a.redirect.Scheme, Host: a.redirect.Host, Path: a.redirect.Path}
		e.Hint = fmt.Sprintf("check the server's url: it leads to %q", plain(to.String()))
	}
	if said := a.words(); said != "" {
		e.Err = fmt.Errorf("it says %q", said)
	}
	return e
}

// notJenkins is the error of a 2xx that Jenkins does not give.
func notJenkins(op string, a answer) *triggers.Error {
	kind, _, err := mime.ParseMediaType(a.header.Get("Content-Type"))
	if err != nil {
		kind = "an untyped body"
	}
	return &triggers.Error{
		Op: op, Status: a.status, Temporary: true, Server: true,
		Reason: fmt.Sprintf("answered %d %s: not jenkins' answer to this request", a.status, plain(kind)),
		Hint:   "check the server's url: a login page or another program may answer there",
	}
}

// receipt reads the answer to a start of the job at path (escaped).
func receipt(op, path string, a answer) (triggers.Receipt, *triggers.Error) {
	item, queued := queueItem(a.redirect)
	switch {
	case a.status == http.StatusCreated && queued:
		return triggers.Receipt{Outcome: triggers.Started, Handle: item}, nil
	case a.status == http.StatusCreated:
		return triggers.Receipt{Outcome: triggers.Triggered, Notes: []string{
			"jenkins accepted the build without naming a queue item: it cannot be followed"}}, nil
	case (a.status == http.StatusSeeOther || a.status == http.StatusFound) && queued:
		return triggers.Receipt{Outcome: triggers.Merged, Handle: item}, nil
	case a.status == http.StatusFound && leadsTo(a.redirect, path):
		return triggers.Receipt{}, &triggers.Error{
			Op: op, Status: a.status,
			Reason: "jenkins declined to queue the build",
			Hint:   "a plugin decides what may be queued, or the target is a folder: a multibranch project is scanned, not built",
		}
	case a.status/100 == 2:
		// With Jenkins' own header on it the build may have been queued.
		e := notJenkins(op, a)
		e.Ambiguous = a.header.Get("X-Jenkins") != ""
		return triggers.Receipt{}, e
	}
	return triggers.Receipt{}, refusal(op, a)
}

// scanReceipt reads the answer to a scan of the project at path (escaped).
func scanReceipt(op, path string, a answer) (triggers.Receipt, *triggers.Error) {
	_, queued := queueItem(a.redirect)
	back := a.status == http.StatusFound || a.status == http.StatusSeeOther
	ours := a.status == http.StatusOK && a.header.Get("X-Jenkins") != ""
	switch {
	case queued && (back || a.status == http.StatusCreated):
		return triggers.Receipt{Outcome: triggers.Triggered, Notes: []string{
			"jenkins queued a build: the target is a job, not a multibranch project"}}, nil
	case a.status == http.StatusCreated, ours, back && leadsTo(a.redirect, path):
		return triggers.Receipt{Outcome: triggers.Triggered}, nil
	case a.status/100 == 2:
		return triggers.Receipt{}, notJenkins(op, a)
	}
	return triggers.Receipt{}, refusal(op, a)
}

// queueItem reads the handle out of a Location. Only the number is taken: host
// and context path are whatever a proxy made of them.
func queueItem(u *url.URL) (handle string, ok bool) {
	if u == nil {
		return "", false
	}
	path := strings.TrimSuffix(u.EscapedPath(), "/")
	i := strings.LastIndexByte(path, '/')
	if i < 0 || !strings.HasSuffix(path[:i], "/queue/item") {
		return "", false
	}
	n, ok := number(path[i+1:])
	return queueHandle(n), ok
}

func leadsTo(u *url.URL, path string) bool {
	return u != nil && strings.HasSuffix(strings.TrimSuffix(u.EscapedPath(), "/"), path)
}

// words is what the server itself says about a failure: the X-Error header or
// the title of its page, made harmless. It is never interpreted.
func (a answer) words() string {
	if text := a.header.Get(errorHeader); text != "" {
		return plain(text)
	}
	page := a.body[:min(len(a.body), 8<<10)]
	_, rest, found := strings.Cut(page, "<title>")
	title, _, closed := strings.Cut(rest, "</title>")
	if !found || !closed {
		return ""
	}
	return plain(html.UnescapeString(title))
}

// plain makes a server's text fit to show: one line, no control or invisible
// characters, 160 characters at most.
func plain(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r) || r == unicode.ReplacementChar:
			return -1
		}
		return r
	}, text[:min(len(text), 4<<10)])
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > 160 {
		text = string(runes[:160]) + "…"
	}
	return text
}
