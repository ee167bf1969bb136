package rules

import (
	"log/slog"
	"time"
)

// A Secret is a token or password. It prints as "[secret]"; string(s) is the
// value.
type Secret string

const hidden = "[secret]"

func (Secret) String() string               { return hidden }
func (Secret) GoString() string             { return hidden }
func (Secret) LogValue() slog.Value         { return slog.StringValue(hidden) }
func (Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// BitbucketPost is the host of a [Source]: Bitbucket's POST service and what
// still speaks it.
const BitbucketPost = "bitbucket-post"

// A Source is where pushes come from.
type Source struct {
	Name string
	Host string
	// Tokens are what a sender must show; one of them suffices. Empty only with
	// Insecure.
	Tokens   []Secret
	Insecure bool
	At       Pos
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
	At              Pos
}

// A File is a rule file as it was written.
type File struct {
	Name    string `json:"name"`
	Content string `json:"content"`
}

// A Set is a loaded rule file. It does not change.
type Set struct {
	sources  []Source
	servers  []Server
	rules    []*rule
	files    []File
	hash     string
	warnings []Problem
}

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

// Len is the number of rules.
func (s *Set) Len() int { return len(s.rules) }

// Hash identifies the files of the set, as written: 64 hex digits of SHA-256.
func (s *Set) Hash() string { return s.hash }

// Files are the files of the set, as written; they hold no expanded secret.
func (s *Set) Files() []File { return s.files }

// Warnings are remarks about the files that do not keep them from use.
func (s *Set) Warnings() []Problem { return s.warnings }

// A rule is a compiled rule.
type rule struct {
	name          string
	at            Pos
	repos         *list // nil: any
	branches      *list // nil: see decide
	tags          *list
	paths         *list // nil: any
	events        []Event
	eventsAt      Pos // Line 0: the default
	skipUnknown   bool
	unknownAt     Pos // Line 0: the default
	defaultBranch string
	starts        []start
}

// A start is one build that a rule starts.
type start struct {
	at     Pos
	server string
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

	noFollow bool
}
