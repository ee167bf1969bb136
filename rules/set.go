package rules

import (
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

// A Secret is a token or password. It prints as "[secret]"; string(s) is the
// value.
type Secret string

const hidden = "[secret]"

func (Secret) String() string               { return hidden }
func (Secret) Format(f fmt.State, _ rune)   { io.WriteString(f, hidden) }
func (Secret) LogValue() slog.Value         { return slog.StringValue(hidden) }
func (Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// The hosts that a [Source] can name.
const (
	BitbucketPost       = "bitbucket-post" // the retired POST service and what still speaks it
	BitbucketCloud      = "bitbucket-cloud"
	BitbucketDataCenter = "bitbucket-datacenter"
	GitHub              = "github"
	GitLab              = "gitlab"
	Gitea               = "gitea"
	Forgejo             = "forgejo"
	Gogs                = "gogs"
)

func hosts() []string {
	return []string{BitbucketPost, BitbucketCloud, BitbucketDataCenter, GitHub, GitLab, Gitea, Forgejo, Gogs}
}

// A Source is where pushes come from.
type Source struct {
	Name string
	Host string
	// Secrets are what the host signs with or sends in its token header, Tokens
	// what a sender of BitbucketPost shows in the address; one of them suffices.
	// At least one of Secrets, Tokens and Allow is there, or Insecure is set.
	Secrets, Tokens []Secret
	// From is the first of them as it is written, where that is ${NAME} or
	// file:/path; "" where it stands in the file.
	From string
	// Allow are the addresses that pushes may come from; empty: any. Behind a
	// proxy that serve trusts they are those it forwards for.
	Allow    []netip.Prefix
	Insecure bool
	API      *API // nil: none
	At       Pos
}

// Format writes the name: with %s, package fmt would write what API points to
// without asking its secrets.
func (s Source) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "source %q", s.Name) }

// An API is how the code host is asked: with Token, with User and Password, or
// as the OAuth client ClientID with ClientSecret.
type API struct {
	URL                           string
	Token, Password, ClientSecret Secret
	User, ClientID                string
	anonymous                     bool // no credentials are given, not even unresolved ones
}

// The kinds of CI servers.
const (
	Jenkins = "jenkins"
	Bamboo  = "bamboo"
)

// A Server is where builds run.
type Server struct {
	Name string
	Kind string // Jenkins or Bamboo
	URL  string
	User string
	// Token is an API token (Jenkins, with User) or a personal access token
	// (Bamboo); Password goes with User.
	Token, Password Secret
	// MaxConcurrent is how many builds started by pushgate may be queued or
	// running there; 0: any number.
	MaxConcurrent int
	// HoldUncertain says that a start of which it cannot be known whether it
	// happened waits for a person instead of being tried again.
	HoldUncertain bool
	At            Pos
}

// A File is a rule file as it was written.
type File struct {
	Name    string `json:"name"`
	Content string `json:"content"`
}

// A Set is a loaded rule file with what it includes. It does not change.
type Set struct {
	sources  []Source
	servers  []Server
	rules    []*rule
	files    []File
	hash     string
	warnings []Problem
	index    index
	scratch  sync.Pool // of *question, between decisions
}

// Format writes the hash: package fmt does not ask the secrets within how they
// print, as the fields they stand in are not exported.
func (s *Set) Format(f fmt.State, _ rune) { io.WriteString(f, "rules "+s.hash) }

// Sources are the sources in file order.
func (s *Set) Sources() []Source { return s.sources }

// Servers are the servers in file order.
func (s *Set) Servers() []Server { return s.servers }

// Source finds a source by name.
func (s *Set) Source(name string) (Source, bool) {
	for _, src := range s.sources {
		if src.Name == name {
			return src, true
		}
	}
	return Source{}, false
}

// Len is the number of rules; "each" makes several of one.
func (s *Set) Len() int { return len(s.rules) }

// Names are the rules, in file order.
func (s *Set) Names() []string {
	names := make([]string, len(s.rules))
	for i, r := range s.rules {
		names[i] = r.name
	}
	return names
}

// RuleHint says which rule may be meant by a name that is none; of many, only one
// that is close.
func (s *Set) RuleHint(name string) string {
	names := s.Names()
	each := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return !strings.HasPrefix(n, name+"/") })
	if len(each) > 0 {
		return fmt.Sprintf("each makes several rules of it: name one of them, such as %q", each[0])
	}
	hint := suggest(name, names)
	if len(names) > 10 && !strings.HasPrefix(hint, "did you mean") {
		return "pushgate check says which file is read; its rules have the field name"
	}
	return hint
}

// Hash identifies the files of the set, as written: 64 hex digits of SHA-256.
func (s *Set) Hash() string { return s.hash }

// Files are the files of the set, as written, the main file first; they hold
// no expanded secret.
func (s *Set) Files() []File { return s.files }

// Warnings are remarks about the files that do not keep them from use.
func (s *Set) Warnings() []Problem { return s.warnings }

// What a newer push of the same rule, target and ref does to older builds; the
// empty text is none.
const (
	SupersedeWaiting = "waiting" // replaces those that wait here
	SupersedeQueued  = "queued"  // and those that wait at the server
	SupersedeRunning = "running" // and those that run
)

// Until when changed files are owed a build; the empty text is until one was
// built.
const (
	SinceSuccess = "success" // until one succeeded
	SincePush    = "push"    // never
)

// A rule is a compiled rule.
type rule struct {
	name, each                                                              string
	at                                                                      Pos
	n                                                                       int32 // its place in the set
	sources, repos, branches, tags, authors, pushers, messages, paths, skip *list // nil: not asked
	events                                                                  []Event
	eventsAt                                                                Pos // Line 0: the default
	skipUnknown                                                             bool
	unknownAt                                                               Pos // Line 0: the default
	defaultBranch                                                           string
	supersede, since                                                        string
	starts                                                                  []start
	ownPaths                                                                bool // not by defaults or each
	hasStart                                                                bool // well written or not
	// gate is the same for rules that ask the same but for paths.
	gate   int32
	traits traits
}

// A start is one build that a rule starts.
type start struct {
	at     Pos
	server string
	kind   string          // of the server
	values map[string]tmpl // parameters or variables

	job   jobPath // Jenkins
	delay time.Duration
	scan  bool

	plan         *tmpl // Bamboo
	branch       string
	createBranch bool
	stage        string
	allStages    bool
	anyRevision  bool

	noFollow      bool
	noReport      bool
	context       *tmpl // nil: the default
	reportSkipped bool
	target        string // job or plan as written
	build         string // the same for starts of the same build, as written;
	ofRule        bool   // another one for each rule
	reportAt      Pos
}
