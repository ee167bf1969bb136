package hosttest

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// gitea is Gitea's API v1. Read in its source, of which one version stands for
// the 1.2x ones: a comparison from the merge base gives the commits, newest first
// and without a bound, each with its own files, and no files of the whole; the
// files of a commit are those against its first parent, a rename as a removed and
// an added one; a status is written to whatever names a commit, and where nothing
// does the answer is a 500. Documented: pages, Link and X-Total-Count, the states.
// Reported by users: the words of a 404 and of missing scopes. Gitea has no limit
// of requests; the 429 is one of a proxy before it. Guesses: that a comparison
// without a common ancestor is empty, the answer to a wrong state, and the words
// to wrong credentials.
type gitea struct{ *Server }

func (g *gitea) routes(mux *http.ServeMux) {
	repo := func(r *http.Request) string { return r.PathValue("owner") + "/" + r.PathValue("repo") }
	at := g.prefix + "/api/v1/repos/{owner}/{repo}"
	on := func(method, path string, needs right, serve func(http.ResponseWriter, *http.Request, *Repo)) {
		mux.HandleFunc(method+" "+at+path, g.guard(needs, repo, serve))
	}
	on("GET", "", mayRead, g.about)
	on("GET", "/compare/{spec...}", mayRead, g.compare)
	on("GET", "/git/commits/{rev}", mayRead, g.commit)
	on("GET", "/commits", mayRead, g.commits)
	on("GET", "/branches", mayRead, g.branches)
	on("GET", "/branches/{name...}", mayRead, g.branch)
	on("POST", "/statuses/{rev}", mayWrite, g.status)
}

func (g *gitea) shown(r *http.Request) (token string, basic bool) {
	kind, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	switch strings.ToLower(kind) {
	case "bearer", "token":
		return token, false
	}
	// Git's way: the token as user or password.
	user, password, _ := r.BasicAuth()
	for _, token := range []string{user, password} {
		if token != "" && g.tokenRight(token) != wrong {
			return token, false
		}
	}
	return "", true
}

func (g *gitea) refuse(w http.ResponseWriter, status int, message string) {
	switch {
	case message != "":
	case status == http.StatusUnauthorized:
		message = "invalid username, password or token"
	case status == http.StatusForbidden:
		message = "token does not have at least one of required scope(s), required=[write:repository], token scope=read:repository"
	default:
		message = "The target couldn't be found."
	}
	d := doc{"message": message, "url": page + "/api/swagger"}
	if status == http.StatusNotFound {
		d["errors"] = []string{}
	}
	answer(w, status, d)
}

func (g *gitea) anonymous(w http.ResponseWriter) { g.refuse(w, http.StatusNotFound, "") }

func (g *gitea) limited(w http.ResponseWriter, end time.Time) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Retry-After", strconv.Itoa(seconds(end)))
	w.WriteHeader(http.StatusTooManyRequests)
	_, _ = w.Write([]byte("<html><h1>429 Too Many Requests</h1></html>"))
}

// giteaPage writes the headers of a page, and gives it.
func giteaPage[T any](g *gitea, w http.ResponseWriter, r *http.Request, list []T) []T {
	q := r.URL.Query()
	size, at := g.size(number(q, "limit", 30), 50), max(1, number(q, "page", 1))
	some, more := window(list, (at-1)*size, size)
	var pages []any
	if more {
		pages = append(pages, "next", at+1, "last", (len(list)+size-1)/size)
	}
	if at > 1 {
		pages = append(pages, "first", 1, "prev", at-1)
	}
	g.links(w, r, pages...)
	w.Header().Set("X-Total-Count", strconv.Itoa(len(list)))
	return some
}

func (g *gitea) about(w http.ResponseWriter, _ *http.Request, repo *Repo) {
	answer(w, http.StatusOK, g.repoDoc(repo))
}

func (g *gitea) compare(w http.ResponseWriter, r *http.Request, repo *Repo) {
	spec := r.PathValue("spec")
	older, newer, dots := strings.Cut(spec, "...")
	if !dots {
		if older, newer, dots = strings.Cut(spec, ".."); !dots {
			older, newer = "HEAD", spec
		}
	}
	base, head := repo.commit(older), repo.commit(newer[strings.IndexByte(newer, ':')+1:])
	if base == nil || head == nil {
		g.refuse(w, http.StatusNotFound, "")
		return
	}
	var list []*commit
	if from := mergeBase(base, head); from != nil {
		list = between(head, from)
	}
	files := r.URL.Query().Get("files") != "false"
	answer(w, http.StatusOK, doc{
		"total_commits": len(list),
		"commits":       each(list, func(c *commit) doc { return g.commitDoc(repo, c, files) }),
	})
}

func (g *gitea) commit(w http.ResponseWriter, r *http.Request, repo *Repo) {
	rev := r.PathValue("rev")
	if strings.ContainsAny(rev, " ~^:?*[\\") || strings.Contains(rev, "..") {
		g.refuse(w, http.StatusUnprocessableEntity, "no valid ref or sha: "+rev)
		return
	}
	if at := repo.commit(rev); at != nil {
		answer(w, http.StatusOK, g.commitDoc(repo, at, r.URL.Query().Get("files") != "false"))
		return
	}
	g.refuse(w, http.StatusNotFound, "")
}

func (g *gitea) commits(w http.ResponseWriter, r *http.Request, repo *Repo) {
	q := r.URL.Query()
	rev := q.Get("sha")
	if rev == "" {
		rev = "HEAD"
	}
	head := repo.commit(rev)
	if head == nil {
		g.refuse(w, http.StatusNotFound, "")
		return
	}
	list := between(head, repo.commit(q.Get("not")))
	some := giteaPage(g, w, r, list)
	w.Header().Set("X-HasMore", strconv.FormatBool(strings.Contains(w.Header().Get("Link"), `rel="next"`)))
	files := q.Get("files") != "false"
	answer(w, http.StatusOK, each(some, func(c *commit) doc { return g.commitDoc(repo, c, files) }))
}

func (g *gitea) branches(w http.ResponseWriter, r *http.Request, repo *Repo) {
	names, heads := repo.branchHeads()
	answer(w, http.StatusOK, each(giteaPage(g, w, r, names), func(name string) doc { return g.branchDoc(repo, name, heads[name]) }))
}

func (g *gitea) branch(w http.ResponseWriter, r *http.Request, repo *Repo) {
	name := r.PathValue("name")
	if _, heads := repo.branchHeads(); heads[name] != nil {
		answer(w, http.StatusOK, g.branchDoc(repo, name, heads[name]))
		return
	}
	g.refuse(w, http.StatusNotFound, "")
}

func (g *gitea) status(w http.ResponseWriter, r *http.Request, repo *Repo) {
	var b struct {
		State, Description, Context string
		TargetURL                   string `json:"target_url"`
	}
	if !readJSON(r, &b) {
		g.refuse(w, http.StatusUnprocessableEntity, "the body cannot be read")
		return
	}
	if !slices.Contains([]string{"pending", "success", "error", "failure", "warning", "skipped"}, b.State) {
		g.refuse(w, http.StatusUnprocessableEntity, "unknown state "+strconv.Quote(b.State))
		return
	}
	rev := r.PathValue("rev")
	at := repo.commit(rev)
	if at == nil {
		g.refuse(w, http.StatusInternalServerError, "GetCommit["+rev+"]: object does not exist [id: "+rev+", rel_path: ]")
		return
	}
	if b.Context == "" {
		b.Context = "default"
	}
	g.keep(repo, at, Status{Key: b.Context, State: b.State, Description: b.Description, URL: b.TargetURL})
	now := time.Now().UTC().Format(time.RFC3339)
	answer(w, http.StatusCreated, doc{
		"id": 1, "status": b.State, "context": b.Context, "description": b.Description, "target_url": b.TargetURL,
		"url": page + "/api/v1/repos/" + repo.name + "/statuses/" + at.id, "created_at": now, "updated_at": now,
	})
}
