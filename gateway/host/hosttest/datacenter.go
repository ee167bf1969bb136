package hosttest

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// datacenter is Bitbucket Data Center's REST API 1.0. Documented: the resources;
// that compare/changes is from the merge base, with from the newer one, and
// changes the plain difference; the pages and their bounds (100 commits, 1000
// branches), and that no more than 1000 changes can be had at all; the headers of
// the limit; both ways to write a build's status, of which one asks only for read
// permission and the other for none in particular. Recorded: commits, a missing
// commit, branch or repository, wrong credentials. Guesses: that the 1000 also
// bound compare/changes and that its page then says it is the last, the status of
// a build at a commit of no repository (accepted), and the words about wrong
// fields.
type datacenter struct{ *Server }

// mostChanges is page.max.changes.
const mostChanges = 1000

func (d *datacenter) routes(mux *http.ServeMux) {
	repo := func(r *http.Request) string { return r.PathValue("project") + "/" + r.PathValue("repo") }
	at := d.prefix + "/rest/api/{version}/projects/{project}/repos/{repo}"
	on := func(method, path string, serve func(http.ResponseWriter, *http.Request, *Repo)) {
		mux.HandleFunc(method+" "+at+path, d.guard(mayRead, repo, serve))
	}
	on("GET", "", d.about)
	on("GET", "/compare/changes", d.compare)
	on("GET", "/changes", d.changes)
	on("GET", "/commits", d.commits)
	on("GET", "/commits/{rev...}", d.commit)
	on("GET", "/branches", d.branches)
	on("GET", "/default-branch", d.defaultBranch)
	on("GET", "/branches/default", d.defaultBranch)
	on("POST", "/commits/{rev}/builds", d.build)
	mux.HandleFunc("POST "+d.prefix+"/rest/build-status/{version}/commits/{rev}", d.anyBuild)
}

func (d *datacenter) shown(r *http.Request) (token string, basic bool) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		token = ""
	}
	return token, true
}

const dcPackage = "com.atlassian.bitbucket."

func (d *datacenter) refuse(w http.ResponseWriter, status int, message string) {
	var exception any
	switch {
	case status == http.StatusUnauthorized:
		message, exception = "Authentication failed. Please check your credentials and try again.", dcPackage+"auth.IncorrectPasswordAuthenticationException"
	case status == http.StatusNotFound && message == "":
		message, exception = "Repository does not exist.", dcPackage+"repository.NoSuchRepositoryException"
	}
	d.errors(w, status, nil, message, exception)
}

func (d *datacenter) errors(w http.ResponseWriter, status int, context any, message string, exception any) {
	answer(w, status, doc{"errors": []doc{{"context": context, "message": message, "exceptionName": exception}}})
}

func (d *datacenter) anonymous(w http.ResponseWriter) {
	d.errors(w, http.StatusUnauthorized, nil, "You are not permitted to access this resource", dcPackage+"AuthorisationException")
}

func (d *datacenter) limited(w http.ResponseWriter, end time.Time) {
	h := w.Header()
	h.Set("X-RateLimit-Limit", "60")
	h.Set("X-RateLimit-Remaining", "0")
	h.Set("X-RateLimit-FillRate", "5")
	h.Set("X-RateLimit-Interval-Seconds", "1")
	h.Set("Retry-After", fmt.Sprint(seconds(end)))
	d.errors(w, http.StatusTooManyRequests, nil, "You have been rate limited", nil)
}

// find gives the commit of a parameter, and the default branch's where there is
// none.
func (d *datacenter) find(w http.ResponseWriter, repo *Repo, rev string) *commit {
	if rev == "" {
		rev = "HEAD"
	}
	at := repo.commit(rev)
	if at == nil {
		_, slug, _ := strings.Cut(repo.name, "/")
		d.errors(w, http.StatusNotFound, nil, fmt.Sprintf("Commit '%s' does not exist in repository '%s'.", rev, slug), dcPackage+"commit.NoSuchCommitException")
	}
	return at
}

// dcPage answers one page of a list.
func dcPage[T any](d *datacenter, w http.ResponseWriter, r *http.Request, list []T, most int, item func(T) doc) {
	q := r.URL.Query()
	start, size := number(q, "start", 0), d.size(number(q, "limit", 25), most)
	some, more := window(list, start, size)
	answer(w, http.StatusOK, doc{
		"values": each(some, item), "size": len(some), "start": start, "limit": size,
		"isLastPage": !more, "nextPageStart": orNull(more, start+size),
	})
}

func (d *datacenter) about(w http.ResponseWriter, _ *http.Request, repo *Repo) {
	answer(w, http.StatusOK, d.repoDoc(repo))
}

func (d *datacenter) compare(w http.ResponseWriter, r *http.Request, repo *Repo) {
	q := r.URL.Query()
	from := d.find(w, repo, q.Get("from"))
	if from == nil {
		return
	}
	to := d.find(w, repo, q.Get("to"))
	if to == nil {
		return
	}
	d.changesBetween(w, r, mergeBase(from, to), from)
}

func (d *datacenter) changes(w http.ResponseWriter, r *http.Request, repo *Repo) {
	q := r.URL.Query()
	until := d.find(w, repo, q.Get("until"))
	if until == nil {
		return
	}
	var since *commit
	if q.Get("since") != "" {
		if since = d.find(w, repo, q.Get("since")); since == nil {
			return
		}
	} else if len(until.parents) > 0 {
		since = until.parents[0]
	}
	d.changesBetween(w, r, since, until)
}

func (d *datacenter) changesBetween(w http.ResponseWriter, r *http.Request, old, now *commit) {
	list := changes(old, now)
	dcPage(d, w, r, list[:min(mostChanges, len(list))], mostChanges, d.changeDoc)
}

func (d *datacenter) commits(w http.ResponseWriter, r *http.Request, repo *Repo) {
	q := r.URL.Query()
	until := d.find(w, repo, q.Get("until"))
	if until == nil {
		return
	}
	var since []*commit
	if q.Get("since") != "" {
		at := d.find(w, repo, q.Get("since"))
		if at == nil {
			return
		}
		since = append(since, at)
	}
	dcPage(d, w, r, between(until, since...), 100, d.commitDoc)
}

func (d *datacenter) commit(w http.ResponseWriter, r *http.Request, repo *Repo) {
	if at := d.find(w, repo, r.PathValue("rev")); at != nil {
		answer(w, http.StatusOK, d.commitDoc(at))
	}
}

func (d *datacenter) branches(w http.ResponseWriter, r *http.Request, repo *Repo) {
	names, heads := repo.branchHeads()
	if filter := r.URL.Query().Get("filterText"); filter != "" {
		names = slices.DeleteFunc(names, func(name string) bool {
			return !strings.Contains(strings.ToLower(name), strings.ToLower(filter))
		})
	}
	dcPage(d, w, r, names, 1000, func(name string) doc { return d.branchDoc(repo, name, heads[name]) })
}

func (d *datacenter) defaultBranch(w http.ResponseWriter, _ *http.Request, repo *Repo) {
	_, heads := repo.branchHeads()
	if at := heads[repo.defaultBranch]; at != nil {
		answer(w, http.StatusOK, d.branchDoc(repo, repo.defaultBranch, at))
		return
	}
	d.errors(w, http.StatusNotFound, nil, "refs/heads/"+repo.defaultBranch+" is set as the default branch, but this branch does not exist", dcPackage+"repository.NoDefaultBranchException")
}

// readBuild reads a build's status with one of the states; nil after an error.
func (d *datacenter) readBuild(w http.ResponseWriter, r *http.Request, states ...string) *Status {
	var b struct{ Key, State, URL, Name, Description string }
	if kind := r.Header.Get("Content-Type"); !strings.HasPrefix(kind, "application/json") {
		d.errors(w, http.StatusUnsupportedMediaType, nil, "HTTP 415 Unsupported Media Type", nil)
		return nil
	}
	if !readJSON(r, &b) {
		d.errors(w, http.StatusBadRequest, nil, "the request cannot be read as JSON", nil)
		return nil
	}
	long := func(s string, most int) bool { return utf8.RuneCountInString(s) > most }
	field, words := "", "This field is required."
	switch {
	case b.Key == "":
		field = "key"
	case long(b.Key, 255):
		field, words = "key", "Please enter a valid key. A key must be between 1 and 255 characters long."
	case !slices.Contains(states, b.State):
		field, words = "state", "state must be one of "+strings.Join(states, ", ")
	case !isHTTP(b.URL), long(b.URL, 450):
		field, words = "url", "Please enter a valid URL of at most 450 characters."
	case long(b.Name, 255):
		field, words = "name", "A name must be at most 255 characters long."
	case long(b.Description, 255):
		field, words = "description", "A description must be at most 255 characters long."
	default:
		return &Status{Key: b.Key, State: b.State, Name: b.Name, Description: b.Description, URL: b.URL}
	}
	d.errors(w, http.StatusBadRequest, field, words, nil)
	return nil
}

func (d *datacenter) build(w http.ResponseWriter, r *http.Request, repo *Repo) {
	at := d.find(w, repo, r.PathValue("rev"))
	if at == nil {
		return
	}
	if st := d.readBuild(w, r, "SUCCESSFUL", "FAILED", "INPROGRESS", "CANCELLED", "UNKNOWN"); st != nil {
		d.keep(repo, at, *st)
		w.WriteHeader(http.StatusNoContent)
	}
}

// anyBuild is the older way, which names no repository: the status is that of
// the commit wherever it is.
func (d *datacenter) anyBuild(w http.ResponseWriter, r *http.Request) {
	switch d.right(r) {
	case wrong:
		d.refuse(w, http.StatusUnauthorized, "")
		return
	case nobody:
		d.anonymous(w)
		return
	}
	st := d.readBuild(w, r, "SUCCESSFUL", "FAILED", "INPROGRESS")
	if st == nil {
		return
	}
	for _, repo := range d.everyRepo() {
		if at := repo.commit(r.PathValue("rev")); at != nil && at.id == r.PathValue("rev") {
			d.keep(repo, at, *st)
		}
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) everyRepo() []*Repo {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []*Repo
	for _, r := range s.repos {
		all = append(all, r)
	}
	return all
}

// ref is the address part that names a branch in a link.
func ref(name string) string { return url.QueryEscape("refs/heads/" + name) }
