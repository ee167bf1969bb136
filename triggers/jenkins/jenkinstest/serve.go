package jenkinstest

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// maxForm bounds the body of a request.
const maxForm = 8 << 20

// ServeHTTP is the controller's HTTP side.
func (c *Controller) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// Reading the body first lets the http package notice a caller who leaves.
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxForm))
	r.Body = io.NopCloser(bytes.NewReader(body))
	c.mu.Lock()
	c.requests++
	fault := c.fault
	c.mu.Unlock()
	if err != nil {
		page(w, http.StatusRequestEntityTooLarge, "Request too large")
		return
	}
	carry := func(w http.ResponseWriter) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.advance()
		c.serve(w, r)
		c.advance()
	}
	if fault != nil {
		if f := fault(r); f != nil && f.fail(w, r, carry) {
			return
		}
	}
	carry(w)
}

// A call is one request on its way through the controller.
type call struct {
	c    *Controller
	w    http.ResponseWriter
	r    *http.Request
	root string // address of the controller as this caller knows it
	may  bool   // may change things
}

// serve answers with the lock held.
func (c *Controller) serve(w http.ResponseWriter, r *http.Request) {
	if c.down || c.clock.Before(c.downTill) {
		page(w, http.StatusServiceUnavailable, "Please wait while Jenkins is getting ready to work")
		return
	}
	w.Header().Set("X-Jenkins", "2.579")
	w.Header().Set("X-Jenkins-Session", c.boot)
	w.Header().Set("Date", c.clock.Add(c.opts.Skew).UTC().Format(http.TimeFormat))
	path, inside := strings.CutPrefix(r.URL.EscapedPath(), c.opts.ContextPath)
	if !inside || path != "" && path[0] != '/' {
		page(w, http.StatusNotFound, "Not Found")
		return
	}
	user, token, ok := c.login(r)
	switch {
	case !ok:
		w.Header().Set("WWW-Authenticate", `Basic realm="Jenkins"`)
		page(w, http.StatusUnauthorized, "Invalid password/token for user")
		return
	case r.Method == http.MethodPost && !token && !c.opts.NoCrumbs && !c.crumbHolds(r, user):
		page(w, http.StatusForbidden, "No valid crumb was included in the request")
		return
	case user == "" && !c.opts.Anonymous && !(c.opts.AnonymousRead && r.Method != http.MethodPost):
		page(w, http.StatusForbidden, "Authentication required")
		return
	}
	scheme := "http://"
	if r.TLS != nil {
		scheme = "https://"
	}
	k := call{c: c, w: w, r: r, root: scheme + r.Host + c.opts.ContextPath, may: user != "" || c.opts.Anonymous}
	k.route(strings.Split(strings.Trim(path, "/"), "/"), user)
}

// login names the caller; "" is anonymous. Credentials that do not hold are
// not ok, whatever anonymous callers may do.
func (c *Controller) login(r *http.Request) (user string, token, ok bool) {
	if r.Header.Get("Authorization") == "" {
		return "", false, true
	}
	name, secret, basic := r.BasicAuth()
	u, known := c.opts.Users[name]
	if !basic || !known || secret == "" {
		return "", false, false
	}
	return name, secret == u.Token, secret == u.Token || secret == u.Password
}

const sessionCookie = "JSESSIONID.sim"

// issueCrumb begins a session and gives the crumb that goes with it. A second
// cookie comes along, as from proxies that keep a session on one backend.
func (k call) issueCrumb(user string) {
	if k.c.opts.NoCrumbs {
		page(k.w, http.StatusNotFound, "Not Found")
		return
	}
	if len(k.c.sessions) >= 1000 {
		k.c.sessions = map[string]string{}
	}
	id := rand.Text()
	k.c.sessions[id] = user
	for _, cookie := range []http.Cookie{{Name: "backend", Value: "one", Path: "/"}, {Name: sessionCookie, Value: id, Path: "/", HttpOnly: true}} {
		http.SetCookie(k.w, &cookie)
	}
	k.json(map[string]any{
		"_class":            "hudson.security.csrf.DefaultCrumbIssuer",
		"crumb":             k.c.crumb(user, id),
		"crumbRequestField": "Jenkins-Crumb",
	})
}

func (c *Controller) crumb(user, session string) string {
	sum := sha256.Sum256([]byte(user + "\x00" + session + "\x00" + c.boot))
	return hex.EncodeToString(sum[:])
}

func (c *Controller) crumbHolds(r *http.Request, user string) bool {
	cookie, err := r.Cookie(sessionCookie)
	if err != nil {
		return false
	}
	owner, live := c.sessions[cookie.Value]
	return live && owner == user && r.Header.Get("Jenkins-Crumb") == c.crumb(user, cookie.Value)
}

// route finds what the path, split and still escaped, is about.
func (k call) route(seg []string, user string) {
	rest := strings.Join(seg, "/")
	switch {
	case rest == "crumbIssuer/api/json", rest == "crumbIssuer/api/json/api/json":
		k.issueCrumb(user)
	case rest == "whoAmI/api/json":
		k.whoAmI(user)
	case rest == "":
		k.rootPage()
	case rest == "api/json":
		k.json(map[string]any{
			"_class": "hudson.model.Hudson", "mode": "NORMAL", "url": k.shown("/"),
			"quietingDown": k.c.quiet, "jobs": k.jobList(""),
		})
	case seg[0] == "queue":
		k.queue(seg[1:])
	case seg[0] == "job":
		k.job(seg)
	default:
		page(k.w, http.StatusNotFound, "Not Found")
	}
}

// job walks down /job/a/job/b to a job and hands over what follows.
func (k call) job(seg []string) {
	var names []string
	for len(seg) >= 2 && seg[0] == "job" {
		name, err := url.PathUnescape(seg[1])
		if err != nil || name == "" || strings.Contains(name, "/") {
			page(k.w, http.StatusBadRequest, "Ambiguous path")
			return
		}
		names, seg = append(names, name), seg[2:]
	}
	j := k.c.jobs[strings.Join(names, "/")]
	if j == nil || j.visible.After(k.c.clock) || j.Access == Hidden {
		page(k.w, http.StatusNotFound, "Not Found")
		return
	}
	if j.Access == Discover {
		k.forbidden("hudson.model.Item.Read")
		return
	}
	rest := strings.Join(seg, "/")
	switch {
	case rest == "":
		k.jobPage(j)
	case rest == "api/json":
		k.json(k.jobJSON(j))
	case rest == "build" && j.Multibranch:
		k.acting(func() { k.scan(j) })
	case (rest == "build" || rest == "buildWithParameters") && !j.folder && !j.Multibranch:
		k.acting(func() { k.build(j, rest == "buildWithParameters") })
	default:
		k.buildOf(j, seg)
	}
}

// buildOf serves what is under /job/…/N.
func (k call) buildOf(j *job, seg []string) {
	n, err := strconv.Atoi(seg[0])
	if err != nil || n < 1 || n > len(j.builds) || j.builds[n-1].gone {
		page(k.w, http.StatusNotFound, "Not Found")
		return
	}
	b := j.builds[n-1]
	switch strings.Join(seg[1:], "/") {
	case "":
		k.buildPage(b)
	case "api/json":
		k.json(k.buildJSON(b))
	case "stop":
		k.acting(func() { k.stop(b) })
	default:
		page(k.w, http.StatusNotFound, "Not Found")
	}
}

// acting lets POSTs of callers who may change things through.
func (k call) acting(do func()) {
	switch {
	case k.r.Method != http.MethodPost:
		k.w.Header().Set("Allow", http.MethodPost)
		page(k.w, http.StatusMethodNotAllowed, "Form post required")
	case !k.may:
		k.forbidden("hudson.model.Item.Build")
	default:
		do()
	}
}

func (k call) forbidden(permission string) {
	k.w.Header().Set("X-Required-Permission", permission)
	page(k.w, http.StatusForbidden, "Access Denied")
}

func (k call) json(v any) {
	k.w.Header().Set("Content-Type", "application/json;charset=utf-8")
	_ = json.NewEncoder(k.w).Encode(v)
}

// shown is an address for the url fields of JSON.
func (k call) shown(path string) string {
	if k.c.opts.RootURL != "" {
		return k.c.opts.RootURL + path
	}
	return k.root + path
}

func (k call) jobURL(j *job) string {
	var b strings.Builder
	for name := range strings.SplitSeq(j.path, "/") {
		fmt.Fprintf(&b, "/job/%s", url.PathEscape(name))
	}
	return b.String() + "/"
}
