// Package hosttest is simulated code hosts: an [http.Handler] that answers the
// part of a host's REST API that tells what a push changed and takes the
// statuses of builds, over a history that a test describes, and the webhooks that
// the host would send for it. It serves tests, and the demonstration without a
// code host.
//
// It is a simulation. It was written from the hosts' documentation, from recorded
// answers and requests, and from what users of the hosts reported; never checked
// against a live host. The file of each host says what of it is documented and
// what is a guess; line counts, user ids and the like are made up throughout.
//
// The history is computed for real: ancestors, merge bases, the commits of one
// side and not the other, and the difference of two trees with its renames.
// Time is the clock's, there is no goroutine, and nothing needs closing, so a
// server works inside a testing/synctest bubble.
package hosttest

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/pushgate/pushgate/internal/simfault"
)

// A Fault is trouble for the requests that it matches.
type Fault = simfault.Fault

// Options say which host it is and who may ask. Without any credentials
// everybody may do everything.
type Options struct {
	// Host is "bitbucket-cloud", "bitbucket-datacenter", "github", "gitlab" or
	// "gitea".
	Host string
	// Token is accepted in the ways that this host takes tokens; ReadToken too,
	// but it may not write statuses, except on Bitbucket Data Center, where who may
	// read may do so.
	Token, ReadToken string
	// User and Password are for basic authentication. GitLab has none.
	User, Password string
	// ClientID and ClientSecret get tokens by OAuth's client credentials, which
	// only Bitbucket Cloud has: POST /site/oauth2/access_token.
	ClientID, ClientSecret string
	// TokenLife is how long such a token is good; 0 is two hours.
	TokenLife time.Duration
	// PageSize bounds a page of any list; 0 leaves it to the host's own bounds.
	PageSize int
	// ContextPath is what addresses have before those of the API, as in "/git".
	ContextPath string
}

// A Status is one that was written to a commit, in the host's words.
type Status struct {
	Key         string // the context, where the host calls it that
	State       string
	Name        string
	Description string
	URL         string
}

// A Server is a simulated code host. It may be used by several goroutines at
// once.
type Server struct {
	simfault.Faults // Break, Heal and Down

	options Options
	prefix  string
	forge   forge
	mux     *http.ServeMux

	mu       sync.Mutex
	repos    map[string]*Repo // by the name in lower case
	statuses map[string][]Status
	requests []string
	tokens   map[string]time.Time // handed out by OAuth, until when
	issued   int                  // tokens and deliveries
	added    int                  // repositories
	limit    *limit
}

// A forge is what one host does in its own way.
type forge interface {
	// routes adds what is served.
	routes(mux *http.ServeMux)
	// shown gives the token that a request carries; basic says that user and
	// password may be shown instead.
	shown(r *http.Request) (token string, basic bool)
	// refuse answers an error: 401 to wrong credentials, 403 to those that may not
	// write, 404 to what is not there.
	refuse(w http.ResponseWriter, status int, message string)
	// anonymous answers whom nobody knows.
	anonymous(w http.ResponseWriter)
	// limited answers who asks too often; at the end it may ask again.
	limited(w http.ResponseWriter, end time.Time)
	// webhook gives headers and body for a move, and what header signs it.
	webhook(m *move) (http.Header, []byte)
}

// New gives a host without repositories. It panics for a host it does not know.
func New(o Options) *Server {
	s := &Server{
		options: o, prefix: strings.TrimRight(o.ContextPath, "/"), mux: http.NewServeMux(),
		repos: map[string]*Repo{}, statuses: map[string][]Status{}, tokens: map[string]time.Time{},
	}
	switch o.Host {
	case "bitbucket-cloud":
		s.forge = &cloud{s}
	case "github":
		s.forge = &github{s}
	case "bitbucket-datacenter":
		s.forge = &datacenter{s}
	case "gitlab":
		s.forge = &gitlab{s}
	case "gitea":
		s.forge = &gitea{s}
	default:
		panic(fmt.Sprintf("hosttest: there is no host %q", o.Host))
	}
	s.forge.routes(s.mux)
	s.mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		s.forge.refuse(w, http.StatusNotFound, "there is no such resource here")
	})
	return s
}

// AddRepo adds an empty repository named owner/name, or replaces it. GitLab's
// owner may be several groups deep; names are found in any case.
func (s *Server) AddRepo(name, defaultBranch string) *Repo {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := newRepo(name, defaultBranch)
	s.added++
	r.number = s.added
	s.repos[strings.ToLower(name)] = r
	return r
}

// RemoveRepo has a repository unknown from now on.
func (s *Server) RemoveRepo(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.repos, strings.ToLower(name))
}

func (s *Server) repo(name string) *Repo {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.repos[strings.ToLower(name)]
}

// Requests gives what was asked, "METHOD path?query" as it came, the oldest
// first; refused requests too.
func (s *Server) Requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string{}, s.requests...)
}

// Statuses gives what was written to a commit, in the order in which it was
// accepted; one that replaced an older of its key stands beside that.
func (s *Server) Statuses(repo, commit string) []Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Status{}, s.statuses[strings.ToLower(repo)+"@"+commit]...)
}

func (s *Server) keep(r *Repo, c *commit, st Status) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := strings.ToLower(r.name) + "@" + c.id
	s.statuses[key] = append(s.statuses[key], st)
}

// ServeHTTP answers as the host would, unless a fault says otherwise.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// Read to its end first: only then does a request's context end when the
	// client goes away.
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20)); err != nil {
			s.forge.refuse(w, http.StatusBadRequest, "the body cannot be read")
			return
		}
	}
	r = r.Clone(r.Context())
	r.Body = io.NopCloser(strings.NewReader(string(body)))
	s.mu.Lock()
	s.requests = append(s.requests, r.Method+" "+r.URL.RequestURI())
	s.mu.Unlock()
	simfault.Serve(&s.Faults, w, r, http.HandlerFunc(s.serve), http.HandlerFunc(unavailable))
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	if end, over := s.overLimit(); over {
		s.forge.limited(w, end)
		return
	}
	s.mux.ServeHTTP(w, r)
}

func unavailable(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(http.StatusServiceUnavailable)
	_, _ = io.WriteString(w, "<html><title>Unavailable</title><h1>503</h1>This simulated code host is down.</html>")
}
