package hosttest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// gitlab is GitLab's API v4. Documented: the resources, Link and the X- headers
// of pages, the states. Read in its source: the files of a comparison are cut at
// the limit and compare_timeout says so; the answers to what is not there; that
// a status that is pending or running is changed, and refused what it already
// is, while one that ended makes room for a new one. Guesses: the limit of 1000
// files (an installation can set its own, and there is one of lines), that it
// also cuts the files of a commit, without a word, and that a comparison without
// a common ancestor is from nothing.
type gitlab struct{ *Server }

// mostDiffs is how many files GitLab compares.
const mostDiffs = 1000

func (g *gitlab) routes(mux *http.ServeMux) {
	at := g.prefix + "/api/v4/projects/{id}"
	on := func(method, path string, needs right, serve func(http.ResponseWriter, *http.Request, *Repo)) {
		mux.HandleFunc(method+" "+at+path, g.guard(needs, g.project, serve))
	}
	on("GET", "", mayRead, g.about)
	on("GET", "/repository/compare", mayRead, g.compare)
	on("GET", "/repository/merge_base", mayRead, g.mergeBase)
	on("GET", "/repository/commits", mayRead, g.commits)
	on("GET", "/repository/commits/{rev}", mayRead, g.commit)
	on("GET", "/repository/commits/{rev}/diff", mayRead, g.diff)
	on("GET", "/repository/branches", mayRead, g.branches)
	on("GET", "/repository/branches/{name...}", mayRead, g.branch)
	on("POST", "/statuses/{rev}", mayWrite, g.status)
}

// project reads the id of a project: its path, or its number.
func (g *gitlab) project(r *http.Request) string {
	id := r.PathValue("id")
	if n, err := strconv.Atoi(id); err == nil {
		for _, repo := range g.everyRepo() {
			if repo.number == n {
				return repo.name
			}
		}
	}
	return id
}

func (g *gitlab) shown(r *http.Request) (token string, basic bool) {
	if token = r.Header.Get("PRIVATE-TOKEN"); token != "" {
		return token, false
	}
	if token = r.URL.Query().Get("private_token"); token != "" {
		return token, false
	}
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		token = ""
	}
	return token, false
}

func (g *gitlab) refuse(w http.ResponseWriter, status int, message string) {
	switch {
	case status == http.StatusForbidden:
		answer(w, status, doc{
			"error": "insufficient_scope", "scope": "api",
			"error_description": "The request requires higher privileges than provided by the access token.",
		})
		return
	case message == "" && status == http.StatusUnauthorized:
		message = "401 Unauthorized"
	case message == "":
		message = "404 Project Not Found"
	}
	answer(w, status, doc{"message": message})
}

func (g *gitlab) anonymous(w http.ResponseWriter) { g.refuse(w, http.StatusNotFound, "") }

func (g *gitlab) limited(w http.ResponseWriter, end time.Time) {
	h := w.Header()
	h.Set("Content-Type", "text/plain")
	h.Set("RateLimit-Limit", "60")
	h.Set("RateLimit-Remaining", "0")
	h.Set("RateLimit-Reset", strconv.FormatInt(end.Unix(), 10))
	h.Set("Retry-After", strconv.Itoa(seconds(end)))
	w.WriteHeader(http.StatusTooManyRequests)
	_, _ = io.WriteString(w, "Retry later\n")
}

// gitlabPage writes the headers of a page, and gives it.
func gitlabPage[T any](g *gitlab, w http.ResponseWriter, r *http.Request, list []T) []T {
	q := r.URL.Query()
	size, at := g.size(number(q, "per_page", 20), 100), max(1, number(q, "page", 1))
	some, more := window(list, (at-1)*size, size)
	last := max(1, (len(list)+size-1)/size)
	var pages []any
	before, after := "", ""
	if at > 1 {
		before = strconv.Itoa(at - 1)
		pages = append(pages, "prev", at-1)
	}
	if more {
		after = strconv.Itoa(at + 1)
		pages = append(pages, "next", at+1)
	}
	g.links(w, r, append(pages, "first", 1, "last", last)...)
	for name, value := range map[string]string{
		"X-Page": strconv.Itoa(at), "X-Per-Page": strconv.Itoa(size), "X-Prev-Page": before, "X-Next-Page": after,
		"X-Total": strconv.Itoa(len(list)), "X-Total-Pages": strconv.Itoa(last),
	} {
		w.Header().Set(name, value)
	}
	return some
}

func (g *gitlab) about(w http.ResponseWriter, _ *http.Request, repo *Repo) {
	answer(w, http.StatusOK, g.repoDoc(repo))
}

func (g *gitlab) compare(w http.ResponseWriter, r *http.Request, repo *Repo) {
	q := r.URL.Query()
	for _, name := range []string{"from", "to"} {
		if !q.Has(name) {
			answer(w, http.StatusBadRequest, doc{"error": name + " is missing"})
			return
		}
	}
	from, to := repo.commit(q.Get("from")), repo.commit(q.Get("to"))
	if from == nil || to == nil {
		g.refuse(w, http.StatusNotFound, "404 Ref Not Found")
		return
	}
	commits := between(to, from)
	slices.Reverse(commits)
	var head any
	if len(commits) > 0 {
		head = g.commitDoc(repo, commits[len(commits)-1])
	}
	same := from == to
	if q.Get("straight") != "true" {
		from = mergeBase(from, to)
	}
	list := changes(from, to)
	answer(w, http.StatusOK, doc{
		"commit": head, "commits": each(commits, func(c *commit) doc { return g.commitDoc(repo, c) }),
		"diffs":           each(list[:min(mostDiffs, len(list))], g.diffDoc),
		"compare_timeout": len(list) > mostDiffs, "compare_same_ref": same,
		"web_url": page + "/" + repo.name + "/-/compare/" + q.Get("from") + "..." + q.Get("to"),
	})
}

func (g *gitlab) mergeBase(w http.ResponseWriter, r *http.Request, repo *Repo) {
	q := r.URL.Query()
	refs := q["refs[]"]
	if len(refs) == 0 && q.Get("refs") != "" {
		refs = strings.Split(q.Get("refs"), ",")
	}
	if len(refs) < 2 {
		g.refuse(w, http.StatusBadRequest, "Provide at least 2 refs")
		return
	}
	var unknown []string
	var base *commit
	for i, ref := range refs {
		switch at := repo.commit(ref); {
		case at == nil:
			unknown = append(unknown, ref)
		case i == 0:
			base = at
		default:
			base = mergeBase(base, at)
		}
	}
	switch {
	case len(unknown) == 1:
		g.refuse(w, http.StatusBadRequest, "Could not find ref: "+unknown[0])
	case len(unknown) > 1:
		g.refuse(w, http.StatusBadRequest, "Could not find refs: "+strings.Join(unknown, ", "))
	case base == nil:
		g.refuse(w, http.StatusNotFound, "404 Merge Base Not Found")
	default:
		answer(w, http.StatusOK, g.commitDoc(repo, base))
	}
}

func (g *gitlab) commits(w http.ResponseWriter, r *http.Request, repo *Repo) {
	older, newer, two := strings.Cut(r.URL.Query().Get("ref_name"), "..")
	if !two {
		older, newer = "", older
	}
	if newer == "" {
		newer = "HEAD"
	}
	var list []*commit
	if to := repo.commit(newer); to != nil {
		list = between(to, repo.commit(older))
	}
	answer(w, http.StatusOK, each(gitlabPage(g, w, r, list), func(c *commit) doc { return g.commitDoc(repo, c) }))
}

func (g *gitlab) commit(w http.ResponseWriter, r *http.Request, repo *Repo) {
	if at := repo.commit(r.PathValue("rev")); at != nil {
		answer(w, http.StatusOK, g.commitDoc(repo, at))
		return
	}
	g.refuse(w, http.StatusNotFound, "404 Commit Not Found")
}

func (g *gitlab) diff(w http.ResponseWriter, r *http.Request, repo *Repo) {
	at := repo.commit(r.PathValue("rev"))
	if at == nil {
		g.refuse(w, http.StatusNotFound, "404 Commit Not Found")
		return
	}
	list := at.ownChanges()
	answer(w, http.StatusOK, each(gitlabPage(g, w, r, list[:min(mostDiffs, len(list))]), g.diffDoc))
}

func (g *gitlab) branches(w http.ResponseWriter, r *http.Request, repo *Repo) {
	names, heads := repo.branchHeads()
	answer(w, http.StatusOK, each(gitlabPage(g, w, r, names), func(name string) doc { return g.branchDoc(repo, name, heads[name]) }))
}

func (g *gitlab) branch(w http.ResponseWriter, r *http.Request, repo *Repo) {
	name := r.PathValue("name")
	if _, heads := repo.branchHeads(); heads[name] != nil {
		answer(w, http.StatusOK, g.branchDoc(repo, name, heads[name]))
		return
	}
	g.refuse(w, http.StatusNotFound, "404 Branch Not Found")
}

// parameters are those of the query, and of a body that is a form or JSON.
func parameters(r *http.Request) (url.Values, bool) {
	q := r.URL.Query()
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		err := r.ParseForm()
		return r.Form, err == nil
	}
	var body map[string]any
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil && err != io.EOF {
		return nil, false
	}
	for name, value := range body {
		if value != nil {
			q.Set(name, fmt.Sprint(value))
		}
	}
	return q, true
}

func (g *gitlab) status(w http.ResponseWriter, r *http.Request, repo *Repo) {
	p, ok := parameters(r)
	at := repo.commit(r.PathValue("rev"))
	st := Status{Key: p.Get("name"), State: p.Get("state"), Name: p.Get("name"), Description: p.Get("description"), URL: p.Get("target_url")}
	if st.Key == "" {
		st.Key = p.Get("context")
	}
	if st.Key == "" {
		st.Key = "default"
	}
	wrong := func(message any) { answer(w, http.StatusBadRequest, doc{"message": message}) }
	long := func(s string) bool { return utf8.RuneCountInString(s) > 255 }
	switch {
	case !ok:
		answer(w, http.StatusBadRequest, doc{"error": "the body cannot be read"})
	case st.State == "":
		answer(w, http.StatusBadRequest, doc{"error": "state is missing"})
	case !slices.Contains([]string{"pending", "running", "success", "failed", "canceled", "skipped"}, st.State):
		answer(w, http.StatusBadRequest, doc{"error": "state does not have a valid value"})
	case at == nil:
		g.refuse(w, http.StatusNotFound, "404 Commit Not Found")
	case p.Get("ref") == "" && !repo.onBranch(at):
		g.refuse(w, http.StatusNotFound, "404 References for commit Not Found")
	case long(st.Description):
		wrong(doc{"description": []string{"is too long (maximum is 255 characters)"}})
	case long(st.Key):
		wrong(doc{"name": []string{"is too long (maximum is 255 characters)"}})
	case st.URL != "" && !isHTTP(st.URL):
		wrong(doc{"target_url": []string{"is blocked: Only allowed schemes are http, https"}})
	default:
		if refusal := transition(g.current(repo, at, st.Key), st.State); refusal != "" {
			wrong(refusal)
			return
		}
		g.keep(repo, at, st)
		answer(w, http.StatusCreated, doc{
			"id": 1, "sha": at.id, "ref": orNull(p.Get("ref") != "", p.Get("ref")), "status": st.State, "name": st.Key,
			"target_url": orNull(st.URL != "", st.URL), "description": orNull(st.Description != "", st.Description),
			"created_at": time.Now().UTC().Format(time.RFC3339), "allow_failure": false, "coverage": nil, "pipeline_id": 1,
		})
	}
}

// current is the state that the newest status of a name has, "" for none.
func (g *gitlab) current(repo *Repo, at *commit, key string) (state string) {
	for _, st := range g.Statuses(repo.name, at.id) {
		if st.Key == key {
			state = st.State
		}
	}
	return state
}

// transition says why a status cannot go from one state to another, "" if it
// can. What ended is not changed any more: a new status begins.
func transition(from, to string) string {
	event := map[string]string{"pending": "enqueue", "running": "run"}[to]
	if event == "" || from != "running" && (from != "pending" || to != "pending") {
		return ""
	}
	return fmt.Sprintf("Cannot transition status via :%s from :%s (Reason(s): Status cannot transition via %q)", event, from, event)
}

// onBranch says that a branch reaches the commit.
func (r *Repo) onBranch(at *commit) bool {
	_, heads := r.branchHeads()
	for _, head := range heads {
		if ancestors(head)[at] {
			return true
		}
	}
	return false
}
