package hosttest

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// cloud is Bitbucket Cloud's API 2.0. Documented: the resources and their
// parameters, the order of a diffstat's two commits and what topic and merge mean
// (merge is on where neither is given), that next is whole and opaque, the states
// of a build, and OAuth. Recorded: diffstat, commits and branch; the answers to a
// missing commit, a long key, an unknown token, missing scopes and to asking too
// often, which comes without Retry-After. Guesses: what merge-base gives without
// a common ancestor, a page past the end, the words about a wrong URL or state,
// and the longest page of a diffstat.
type cloud struct{ *Server }

func (c *cloud) routes(mux *http.ServeMux) {
	repo := func(r *http.Request) string { return r.PathValue("owner") + "/" + r.PathValue("repo") }
	at := c.prefix + "/2.0/repositories/{owner}/{repo}"
	get := func(path string, serve func(http.ResponseWriter, *http.Request, *Repo)) {
		mux.HandleFunc("GET "+at+path, c.guard(mayRead, repo, serve))
	}
	get("", c.about)
	get("/{$}", c.about)
	get("/diffstat/{spec...}", c.diffstat)
	get("/merge-base/{spec...}", c.mergeBase)
	get("/commit/{rev...}", c.commit)
	get("/commits", c.commits)
	get("/commits/{rev...}", c.commits)
	get("/refs/branches", c.branches)
	get("/refs/branches/{name...}", c.branches)
	for _, end := range []string{"", "/{$}"} {
		mux.HandleFunc("POST "+at+"/commit/{rev}/statuses/build"+end, c.guard(mayWrite, repo, c.build))
	}
	mux.HandleFunc("POST "+c.prefix+"/site/oauth2/access_token", c.oauth)
}

func (c *cloud) shown(r *http.Request) (token string, basic bool) {
	token, _ = strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if token == r.Header.Get("Authorization") {
		token = ""
	}
	return token, true
}

func (c *cloud) refuse(w http.ResponseWriter, status int, message string) {
	e := doc{"message": message}
	if message == "" {
		switch status {
		case http.StatusUnauthorized:
			e["message"] = "Token is invalid, expired, or not supported for this endpoint."
		case http.StatusForbidden:
			e["message"] = "Your credentials lack one or more required privilege scopes."
			e["detail"] = doc{"granted": []string{"repository"}, "required": []string{"repository:write"}}
		default:
			e["message"] = "You may not have access to this repository or it no longer exists in this workspace. If you think this repository exists and you have access, make sure you are authenticated."
		}
	}
	answer(w, status, doc{"type": "error", "error": e})
}

func (c *cloud) anonymous(w http.ResponseWriter) { c.refuse(w, http.StatusNotFound, "") }

func (c *cloud) limited(w http.ResponseWriter, _ time.Time) {
	w.Header().Set("Content-Type", "text/plain")
	w.WriteHeader(http.StatusTooManyRequests)
	_, _ = io.WriteString(w, "Rate limit for this resource has been exceeded")
}

func (c *cloud) notFound(w http.ResponseWriter, revs ...string) {
	data := doc{"shas": revs}
	answer(w, http.StatusNotFound, doc{"type": "error", "data": data, "error": doc{"message": "Commit not found", "data": data}})
}

func (c *cloud) oauth(w http.ResponseWriter, r *http.Request) {
	wrong := func(kind, words string) {
		answer(w, http.StatusBadRequest, doc{"error": kind, "error_description": words})
	}
	id, secret, ok := r.BasicAuth()
	if !ok || c.options.ClientID == "" || !same(id, c.options.ClientID) || !same(secret, c.options.ClientSecret) {
		wrong("unauthorized_client", "Invalid OAuth client credentials")
		return
	}
	if grant := r.PostFormValue("grant_type"); grant != "client_credentials" {
		wrong("unsupported_grant_type", fmt.Sprintf("Unsupported grant type: %s", grant))
		return
	}
	token, life := c.issue()
	answer(w, http.StatusOK, doc{
		"access_token": token, "token_type": "bearer", "expires_in": int(life.Seconds()),
		"scopes": "repository:write", "state": "client_credentials", "refresh_token": token + "-refresh",
	})
}

// paged answers one page; total is left out of lists that the host does not count.
func paged[T any](c *cloud, w http.ResponseWriter, r *http.Request, list []T, usual, most int, counted bool, item func(T) doc) {
	q := r.URL.Query()
	asked, at := number(q, "pagelen", usual), number(q, "page", 1)
	if asked < 1 || asked > most {
		c.refuse(w, http.StatusBadRequest, "Invalid pagelen")
		return
	}
	size := c.size(asked, most)
	if at < 1 || at > 1 && (at-1)*size >= len(list) {
		c.refuse(w, http.StatusNotFound, "Invalid page")
		return
	}
	some, more := window(list, (at-1)*size, size)
	d := doc{"pagelen": size, "page": at, "values": each(some, item)}
	if counted {
		d["size"] = len(list)
	}
	if more {
		d["next"] = c.pageAddress(r, "page", at+1)
	}
	if at > 1 {
		d["previous"] = c.pageAddress(r, "page", at-1)
	}
	answer(w, http.StatusOK, d)
}

func (c *cloud) about(w http.ResponseWriter, r *http.Request, repo *Repo) {
	d := c.repoDoc(c.base(r), c.base(r), repo)
	d["mainbranch"] = doc{"type": "branch", "name": repo.defaultBranch}
	answer(w, http.StatusOK, d)
}

// two reads a spec of two commits, written NEW..OLD.
func (c *cloud) two(w http.ResponseWriter, r *http.Request, repo *Repo) (now, old *commit, ok bool) {
	spec := strings.TrimSuffix(r.PathValue("spec"), "/")
	first, second, two := strings.Cut(spec, "..")
	if now = repo.commit(first); now == nil {
		c.notFound(w, first)
		return nil, nil, false
	}
	if !two {
		if len(now.parents) > 0 {
			old = now.parents[0]
		}
		return now, old, true
	}
	if old = repo.commit(second); old == nil {
		c.notFound(w, second)
		return nil, nil, false
	}
	return now, old, true
}

func (c *cloud) diffstat(w http.ResponseWriter, r *http.Request, repo *Repo) {
	now, old, ok := c.two(w, r, repo)
	if !ok {
		return
	}
	q := r.URL.Query()
	if q.Has("topic") && q.Has("merge") {
		c.refuse(w, http.StatusBadRequest, "The merge and topic parameters cannot be both used at the same time.")
		return
	}
	if strings.Contains(r.PathValue("spec"), "..") && (q.Get("topic") == "true" || !q.Has("topic") && q.Get("merge") != "false") {
		old = mergeBase(now, old)
	}
	list := changes(old, now)
	if q.Get("renames") == "false" {
		list = apart(list)
	}
	if paths := q["path"]; len(paths) > 0 {
		list = slices.DeleteFunc(list, func(ch Change) bool {
			return !slices.ContainsFunc(paths, func(p string) bool {
				return ch.Path == p || strings.HasPrefix(ch.Path, strings.TrimSuffix(p, "/")+"/")
			})
		})
	}
	paged(c, w, r, list, 500, 5000, true, func(ch Change) doc { return c.stat(c.base(r), repo, old, now, ch) })
}

// apart takes renames for a removed and an added file.
func apart(list []Change) []Change {
	var out []Change
	for _, ch := range list {
		if ch.Kind == Renamed {
			out = append(out, Change{Path: ch.From, Kind: Removed})
			ch = Change{Path: ch.Path, Kind: Added}
		}
		out = append(out, ch)
	}
	return out
}

func (c *cloud) mergeBase(w http.ResponseWriter, r *http.Request, repo *Repo) {
	if !strings.Contains(r.PathValue("spec"), "..") {
		c.refuse(w, http.StatusBadRequest, "a revspec of two commits is needed")
		return
	}
	a, b, ok := c.two(w, r, repo)
	if !ok {
		return
	}
	base := mergeBase(a, b)
	if base == nil {
		c.refuse(w, http.StatusNotFound, "No common ancestor")
		return
	}
	answer(w, http.StatusOK, c.commitDoc(c.base(r), c.base(r), repo, base))
}

func (c *cloud) commit(w http.ResponseWriter, r *http.Request, repo *Repo) {
	rev := strings.TrimSuffix(r.PathValue("rev"), "/")
	if at := repo.commit(rev); at != nil {
		answer(w, http.StatusOK, c.commitDoc(c.base(r), c.base(r), repo, at))
		return
	}
	c.notFound(w, rev)
}

// commits lists what the revision and include reach and exclude does not; of
// none, what any branch reaches.
func (c *cloud) commits(w http.ResponseWriter, r *http.Request, repo *Repo) {
	q := r.URL.Query()
	include := slices.Clone(q["include"])
	if rev := strings.TrimSuffix(r.PathValue("rev"), "/"); rev != "" {
		include = append(include, rev)
	}
	var from, without []*commit
	if len(include) == 0 {
		_, heads := repo.branchHeads()
		for _, head := range heads {
			from = append(from, head)
		}
	}
	for i, rev := range append(include, q["exclude"]...) {
		at := repo.commit(rev)
		switch {
		case at == nil:
			c.notFound(w, rev)
			return
		case i < len(include):
			from = append(from, at)
		default:
			without = append(without, at)
		}
	}
	list := between(&commit{parents: from, number: -1}, without...)
	paged(c, w, r, list[:len(list)-1], 30, 100, false, func(at *commit) doc { return c.commitDoc(c.base(r), c.base(r), repo, at) })
}

func (c *cloud) branches(w http.ResponseWriter, r *http.Request, repo *Repo) {
	names, heads := repo.branchHeads()
	item := func(name string) doc {
		d := c.refDoc(c.base(r), c.base(r), repo, "branch", name, heads[name])
		d["merge_strategies"] = []string{"merge_commit", "squash", "fast_forward"}
		d["default_merge_strategy"] = "merge_commit"
		return d
	}
	if name := strings.TrimSuffix(r.PathValue("name"), "/"); name != "" {
		if heads[name] == nil {
			c.refuse(w, http.StatusNotFound, "Branch "+name+" not found")
			return
		}
		answer(w, http.StatusOK, item(name))
		return
	}
	paged(c, w, r, names, 10, 100, true, item)
}

func (c *cloud) build(w http.ResponseWriter, r *http.Request, repo *Repo) {
	var b struct{ Key, State, URL, Name, Description string }
	if !readJSON(r, &b) {
		c.refuse(w, http.StatusBadRequest, "Bad request")
		return
	}
	at := repo.commit(r.PathValue("rev"))
	if at == nil {
		c.notFound(w, r.PathValue("rev"))
		return
	}
	field, words := "", ""
	switch u, _ := url.Parse(b.URL); {
	case b.Key == "":
		field, words = "key", "This field is required."
	case utf8.RuneCountInString(b.Key) > 40:
		field, words = "key", fmt.Sprintf("Ensure this value has at most 40 characters (it has %d).", utf8.RuneCountInString(b.Key))
	case !slices.Contains([]string{"SUCCESSFUL", "FAILED", "INPROGRESS", "STOPPED"}, b.State):
		field, words = "state", fmt.Sprintf("Select a valid choice. %s is not one of the available choices.", b.State)
	case b.URL == "":
		field, words = "url", "This field is required."
	case !isHTTP(b.URL), !strings.Contains(u.Hostname(), "."):
		field, words = "url", "Enter a valid URL."
	}
	if field != "" {
		answer(w, http.StatusBadRequest, doc{"type": "error", "error": doc{"message": field + ": " + words, "fields": doc{field: []string{words}}}})
		return
	}
	c.keep(repo, at, Status{Key: b.Key, State: b.State, Name: b.Name, Description: b.Description, URL: b.URL})
	now := time.Now().UTC().Format("2006-01-02T15:04:05.000000-07:00")
	api := c.base(r) + "/2.0/repositories/" + repo.name + "/commit/" + at.id
	answer(w, http.StatusCreated, doc{
		"type": "build", "key": b.Key, "state": b.State, "name": b.Name, "description": b.Description, "url": b.URL,
		"refname": nil, "created_on": now, "updated_on": now,
		"commit": doc{"type": "commit", "hash": at.id, "links": doc{"self": doc{"href": api}}},
		"links":  doc{"self": doc{"href": api + "/statuses/build/" + url.PathEscape(b.Key)}, "commit": doc{"href": api}},
	})
}
