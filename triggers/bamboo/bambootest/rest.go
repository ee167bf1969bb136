package bambootest

import (
	"crypto/subtle"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"
)

// routes lists everything that is served.
func (s *Server) routes(prefix string) *http.ServeMux {
	mux := http.NewServeMux()
	api := func(method, path string, needs Permission, serve http.HandlerFunc) {
		mux.HandleFunc(method+" "+prefix+"/rest/api/latest"+path, s.guard(needs, serve))
	}
	api("POST", "/queue/{key}", Trigger, s.queue)
	api("DELETE", "/queue/{key}", Trigger, s.stop)
	api("GET", "/queue", Read, s.listQueue)
	api("GET", "/info", Read, s.info)
	api("GET", "/currentUser", Read, s.currentUser)
	api("GET", "/plan/{key}", Read, s.getPlan)
	api("GET", "/result/{key}", Read, s.result)
	api("GET", "/result/status/{key}", Read, s.status)
	api("GET", "/plan/{key}/branch", Read, s.listBranches)
	api("GET", "/plan/{key}/branch/{name}", Read, s.getBranch)
	api("PUT", "/plan/{key}/branch/{name}", Trigger, s.putBranch)
	api("GET", "/plan/{key}/vcsBranches", Read, s.listVCSBranches)
	api("GET", "/search/branches", Read, s.searchBranches)
	mux.HandleFunc("GET "+prefix+"/browse/{key}", s.browse)
	mux.HandleFunc("GET "+prefix+"/{$}", s.home)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		refuse(w, r, http.StatusNotFound, "no such resource")
	})
	return mux
}

// guard asks who it is before anything else, and then for the header that
// keeps forms of other sites out.
func (s *Server) guard(needs Permission, serve http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", time.Now().Add(s.options.Skew).UTC().Format(http.TimeFormat))
		has, ok := s.permission(r)
		switch {
		case !ok:
			w.Header().Set("WWW-Authenticate", `Basic realm="protected-area"`)
			refuse(w, r, http.StatusUnauthorized, "Client must be authenticated to access this resource.")
		case needs == Trigger && has != Trigger:
			refuse(w, r, http.StatusForbidden, "the access token has no permission to do this")
		case r.Method == http.MethodPost && r.Header.Get("X-Atlassian-Token") != "no-check":
			refuse(w, r, http.StatusForbidden, "XSRF check failed")
		default:
			serve(w, r)
		}
	}
}

func (s *Server) permission(r *http.Request) (Permission, bool) {
	if len(s.options.Tokens)+len(s.options.Users) == 0 {
		return Trigger, true
	}
	if user, password, ok := r.BasicAuth(); ok {
		want, known := s.options.Users[user]
		return Trigger, known && same(password, want)
	}
	given, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return "", false
	}
	for token, permission := range s.options.Tokens {
		if same(given, token) {
			return permission, true
		}
	}
	return "", false
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// consumes says whether the body is of one of the types; none at all is fine.
func consumes(r *http.Request, kinds ...string) bool {
	given := r.Header.Get("Content-Type")
	kind, _, _ := mime.ParseMediaType(given)
	return given == "" || slices.Contains(kinds, kind)
}

// link is Bamboo's reference to a resource.
func (s *Server) link(r *http.Request, path string) map[string]any {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	prefix := strings.TrimRight(s.options.ContextPath, "/")
	return map[string]any{"href": scheme + "://" + r.Host + prefix + "/rest/api/latest/" + path, "rel": "self"}
}

// answer writes doc as JSON where that is asked for, else its plain fields as
// XML below root, as Bamboo does without an Accept header.
func answer(w http.ResponseWriter, r *http.Request, status int, root string, doc map[string]any) {
	if strings.Contains(r.Header.Get("Accept"), "json") {
		w.Header().Set("Content-Type", "application/json;charset=UTF-8")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(doc)
		return
	}
	w.Header().Set("Content-Type", "application/xml;charset=UTF-8")
	w.WriteHeader(status)
	var b strings.Builder
	fmt.Fprintf(&b, "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?><%s>", root)
	for _, name := range slices.Sorted(maps.Keys(doc)) {
		switch value := doc[name].(type) {
		case string, int, bool:
			fmt.Fprintf(&b, "<%s>", name)
			_ = xml.EscapeText(&b, fmt.Append(nil, value))
			fmt.Fprintf(&b, "</%s>", name)
		}
	}
	fmt.Fprintf(&b, "</%s>", root)
	_, _ = w.Write([]byte(b.String()))
}

// refuse answers with a message, as for anything that is not there.
func refuse(w http.ResponseWriter, r *http.Request, status int, message string) {
	answer(w, r, status, "status", map[string]any{"message": message, "status-code": status})
}

// invalid answers 400 with the lists that Bamboo gives for it.
func invalid(w http.ResponseWriter, r *http.Request, errs ...string) {
	answer(w, r, http.StatusBadRequest, "errors", map[string]any{"errors": errs, "fieldErrors": map[string]any{}})
}
