package hosttest

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// github is GitHub's REST API. Documented: the resources, a comparison from the
// merge base with at most 300 files, all on its first page, and 250 commits unless
// pages are asked for; the files of a commit in pages of 300 up to 3000; Link; the
// headers of the limit; the states. Recorded: bad credentials, a commit that is not
// there (422, also for a tag object), no common ancestor, a long description, an
// address that is not of the web, too many statuses. Guesses: which 250 commits
// are listed (the newest), that files are absent from later pages, and that the
// files of a merge are those against its first parent.
type github struct{ *Server }

func (g *github) routes(mux *http.ServeMux) {
	repo := func(r *http.Request) string { return r.PathValue("owner") + "/" + r.PathValue("repo") }
	on := func(method, path string, needs right, serve func(http.ResponseWriter, *http.Request, *Repo)) {
		guarded := g.guard(needs, repo, serve)
		mux.HandleFunc(method+" "+g.prefix+"/repos/{owner}/{repo}"+path, func(w http.ResponseWriter, r *http.Request) {
			g.limits(w, g.remaining(5000), time.Now().Add(time.Hour))
			guarded(w, r)
		})
	}
	on("GET", "", mayRead, g.about)
	on("GET", "/compare/{spec...}", mayRead, g.compare)
	on("GET", "/commits", mayRead, g.commits)
	on("GET", "/commits/{rev...}", mayRead, g.commit)
	on("GET", "/branches", mayRead, g.branches)
	on("GET", "/branches/{name...}", mayRead, g.branch)
	on("POST", "/statuses/{rev}", mayWrite, g.status)
}

func (g *github) limits(w http.ResponseWriter, left int, reset time.Time) {
	h := w.Header()
	h.Set("X-RateLimit-Limit", "5000")
	h.Set("X-RateLimit-Remaining", strconv.Itoa(left))
	h.Set("X-RateLimit-Used", strconv.Itoa(5000-left))
	h.Set("X-RateLimit-Resource", "core")
	h.Set("X-RateLimit-Reset", strconv.FormatInt(reset.Unix(), 10))
}

// limited is the primary limit. The secondary one, 403 with Retry-After, is a
// [Fault].
func (g *github) limited(w http.ResponseWriter, end time.Time) {
	g.limits(w, 0, end.Add(time.Second-1))
	g.refuse(w, http.StatusForbidden, "API rate limit exceeded for user ID 1.")
}

func (g *github) shown(r *http.Request) (token string, basic bool) {
	kind, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	switch strings.ToLower(kind) {
	case "bearer", "token":
		return token, false
	}
	// Git's way: the token as password.
	if _, password, ok := r.BasicAuth(); ok && g.tokenRight(password) != wrong {
		return password, false
	}
	return "", true
}

func (g *github) refuse(w http.ResponseWriter, status int, message string) {
	if message == "" {
		message = map[int]string{
			http.StatusUnauthorized: "Bad credentials",
			http.StatusForbidden:    "Resource not accessible by personal access token",
			http.StatusNotFound:     "Not Found",
		}[status]
	}
	answer(w, status, doc{"message": message, "documentation_url": "https://docs.github.com/rest", "status": strconv.Itoa(status)})
}

func (g *github) anonymous(w http.ResponseWriter) { g.refuse(w, http.StatusNotFound, "") }

// invalid answers 422 about one field of a status.
func (g *github) invalid(w http.ResponseWriter, field, message string) {
	answer(w, http.StatusUnprocessableEntity, doc{
		"message": "Validation Failed", "documentation_url": "https://docs.github.com/rest", "status": "422",
		"errors": []doc{{"resource": "Status", "code": "custom", "field": field, "message": message}},
	})
}

// paging writes Link for a list, and gives its page.
func githubPage[T any](g *github, w http.ResponseWriter, r *http.Request, list []T, usual, most int) []T {
	q := r.URL.Query()
	size, at := g.size(number(q, "per_page", usual), most), max(1, number(q, "page", 1))
	some, more := window(list, (at-1)*size, size)
	var pages []any
	if at > 1 {
		pages = append(pages, "prev", at-1, "first", 1)
	}
	if more {
		pages = append(pages, "next", at+1, "last", (len(list)+size-1)/size)
	}
	g.links(w, r, pages...)
	return some
}

func (g *github) about(w http.ResponseWriter, r *http.Request, repo *Repo) {
	answer(w, http.StatusOK, g.repoDoc(g.base(r), repo))
}

func (g *github) compare(w http.ResponseWriter, r *http.Request, repo *Repo) {
	older, newer, ok := strings.Cut(r.PathValue("spec"), "...")
	plain := func(rev string) string { return rev[strings.IndexByte(rev, ':')+1:] } // owner:branch
	base, head := repo.commit(plain(older)), repo.commit(plain(newer))
	if !ok || base == nil || head == nil {
		g.refuse(w, http.StatusNotFound, "")
		return
	}
	from := mergeBase(base, head)
	if from == nil {
		g.refuse(w, http.StatusNotFound, "No common ancestor between "+older+" and "+newer+".")
		return
	}
	ahead, behind := between(head, base), between(base, head)
	slices.Reverse(ahead)
	status := "identical"
	switch {
	case len(ahead) > 0 && len(behind) > 0:
		status = "diverged"
	case len(ahead) > 0:
		status = "ahead"
	case len(behind) > 0:
		status = "behind"
	}
	api := g.base(r)
	d := doc{
		"url": api + r.URL.EscapedPath(), "status": status, "ahead_by": len(ahead), "behind_by": len(behind), "total_commits": len(ahead),
		"base_commit": g.commitDoc(api, repo, base), "merge_base_commit": g.commitDoc(api, repo, from),
	}
	q := r.URL.Query()
	some := ahead[max(0, len(ahead)-g.size(250, 250)):]
	if q.Has("page") || q.Has("per_page") {
		some = githubPage(g, w, r, ahead, 30, 100)
	}
	d["commits"] = each(some, func(c *commit) doc { return g.commitDoc(api, repo, c) })
	if number(q, "page", 1) <= 1 {
		list := changes(from, head)
		d["files"] = each(list[:min(300, len(list))], g.fileDoc)
	}
	answer(w, http.StatusOK, d)
}

func (g *github) commits(w http.ResponseWriter, r *http.Request, repo *Repo) {
	rev := r.URL.Query().Get("sha")
	if rev == "" {
		rev = "HEAD"
	}
	head := repo.commit(rev)
	if head == nil {
		g.refuse(w, http.StatusNotFound, "Not Found")
		return
	}
	some := githubPage(g, w, r, between(head), 30, 100)
	answer(w, http.StatusOK, each(some, func(c *commit) doc { return g.commitDoc(g.base(r), repo, c) }))
}

func (g *github) commit(w http.ResponseWriter, r *http.Request, repo *Repo) {
	rev := r.PathValue("rev")
	at := repo.commit(rev)
	if at == nil || repo.isObject(rev) {
		g.refuse(w, http.StatusUnprocessableEntity, "No commit found for SHA: "+rev)
		return
	}
	list := at.ownChanges()
	d := g.commitDoc(g.base(r), repo, at)
	d["stats"] = doc{"total": 2 * len(list), "additions": len(list), "deletions": len(list)}
	d["files"] = each(githubPage(g, w, r, list[:min(3000, len(list))], 300, 300), g.fileDoc)
	answer(w, http.StatusOK, d)
}

func (g *github) branches(w http.ResponseWriter, r *http.Request, repo *Repo) {
	names, heads := repo.branchHeads()
	answer(w, http.StatusOK, each(githubPage(g, w, r, names, 30, 100), func(name string) doc {
		return doc{"name": name, "protected": false, "commit": doc{"sha": heads[name].id, "url": g.base(r) + "/repos/" + repo.name + "/commits/" + heads[name].id}}
	}))
}

func (g *github) branch(w http.ResponseWriter, r *http.Request, repo *Repo) {
	name := r.PathValue("name")
	_, heads := repo.branchHeads()
	if heads[name] == nil {
		g.refuse(w, http.StatusNotFound, "Branch not found")
		return
	}
	answer(w, http.StatusOK, doc{"name": name, "protected": false, "commit": g.commitDoc(g.base(r), repo, heads[name])})
}

func (g *github) status(w http.ResponseWriter, r *http.Request, repo *Repo) {
	var b struct {
		State, Description, Context string
		TargetURL                   string `json:"target_url"`
	}
	if !readJSON(r, &b) {
		g.refuse(w, http.StatusBadRequest, "Problems parsing JSON")
		return
	}
	if b.Context == "" {
		b.Context = "default"
	}
	rev := r.PathValue("rev")
	at := repo.commit(rev)
	if at == nil || at.id != rev {
		g.refuse(w, http.StatusUnprocessableEntity, "No commit found for SHA: "+rev)
		return
	}
	same := 0
	for _, st := range g.Statuses(repo.name, at.id) {
		if st.Key == b.Context {
			same++
		}
	}
	switch u, err := url.Parse(b.TargetURL); {
	case !slices.Contains([]string{"error", "failure", "pending", "success"}, b.State):
		g.invalid(w, "state", "state is not included in the list")
		return
	case utf8.RuneCountInString(b.Description) > 140:
		g.invalid(w, "description", "description is too long (maximum is 140 characters)")
		return
	case b.TargetURL != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https"):
		g.invalid(w, "target_url", "target_url must use http(s) scheme")
		return
	case same >= 1000:
		g.invalid(w, "base", "This SHA and context has reached the maximum number of statuses.")
		return
	}
	g.keep(repo, at, Status{Key: b.Context, State: b.State, Description: b.Description, URL: b.TargetURL})
	now := time.Now().UTC().Format(time.RFC3339)
	answer(w, http.StatusCreated, doc{
		"url": g.base(r) + "/repos/" + repo.name + "/statuses/" + at.id, "id": same + 1, "state": b.State, "context": b.Context,
		"description": orNull(b.Description != "", b.Description), "target_url": orNull(b.TargetURL != "", b.TargetURL),
		"created_at": now, "updated_at": now,
	})
}

// isObject says that an id is a tag object's.
func (r *Repo) isObject(id string) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.objects[id] != ""
}
