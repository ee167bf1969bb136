// Package bamboo starts builds on an Atlassian Bamboo server and follows them,
// through its REST API.
//
// # Starting
//
// [Server.Start] queues one build of a plan or of a plan branch with one POST,
// sent once and never again by itself. Variables travel in the form body, byte
// for byte, never in the URL. The request's id goes with them as the variable
// [triggers.IDName].
//
// A request for a VCS branch is first resolved to the key of its plan branch.
// It never becomes the plan itself and never the plan branch of another VCS
// branch, as far as Bamboo tells which is which. Its REST API finds a plan
// branch by display name only and has no field for the VCS branch behind it;
// by custom the display name is the VCS branch with "-" for "/", so that "a/b"
// and "a-b" share one. What is verified:
//
//   - the plan branch found carries the name asked for, its key is the plan's
//     key and a number, and it is enabled;
//   - where the name holds a "-", exactly one VCS branch that Bamboo lists for
//     the plan maps to it, and that is the one asked for. Two: the build is
//     refused. None yet: refused too, but temporarily, for [triggers.IndexWait];
//   - a plan branch made here was made for the VCS branch asked for.
//
// What is not verified: a plan branch that somebody pointed at a VCS branch
// its name does not say, or whose VCS branch was deleted while another one with
// the same display name came up. Such a build still has its revision pinned
// where the request pins one.
//
// A plan branch is made only where the request allows it. Whether Bamboo runs a
// first build of its own for a new plan branch is Bamboo's affair; the receipt
// notes that one was made. Resolved keys are remembered for a short while.
//
// # Failing
//
// Every failure is a [triggers.Error]. Ambiguous is only ever said of the POST
// that queues: after anything of it was written and no answer came, or the
// answer does not say. Server says that the trouble is not this build's.
// Bamboo's own words are shown bounded, in one line, without the credentials.
//
// # Following
//
// [Server.State] never takes trouble with the server for a lost build: only
// Bamboo's own 404 is [triggers.Lost]. [Server.States] gives the same for many
// builds at once, from the lists of their plans' results.
//
// # Finding again, stopping
//
// [Server.Find] relies on two things that Atlassian's documents say: that a
// plan's results in all states are those that wait and run, too, and that the
// variables that a plan declares can be set by who starts a build. That results
// show their variables is seen in clients of others. [Server.Stop] stops the
// jobs of one build, which alone is documented, and none while the build shows
// another request's id.
//
// # Safety
//
// Credentials are sent to the configured URL and nowhere else: redirects are
// not followed, and a URL in an answer is never requested. Answers are read up
// to 4 MiB. Nothing was run against a live Bamboo: the shapes are those of
// Atlassian's OpenAPI document for 12.1 and of clients that others wrote.
package bamboo

import (
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/go-resty/resty/v2"

	"github.com/pushgate/pushgate/internal/rest"
)

// Options say which server and who asks.
type Options struct {
	// URL is where people open Bamboo; it may have a context path.
	URL string
	// Token is a personal access token with the Trigger permission.
	Token string
	// User and Password are used where there is no Token.
	User, Password string
	// Transport carries the requests; nil means http.DefaultTransport.
	Transport http.RoundTripper
	// Timeout bounds one request and its answer; 0 means 15 s.
	Timeout time.Duration
	// Logger is told of every answer at debug level; nil discards.
	Logger *slog.Logger
}

const maxAnswer = 4 << 20

// A Server is one Bamboo server. It may be used by several goroutines at once
// and holds nothing that needs closing but its transport's connections.
type Server struct {
	base   string // no slash at its end
	client *resty.Client
	log    *slog.Logger
	texts  rest.Cleaner
	keys   keyCache
}

// New checks the options; it sends nothing.
func New(o Options) (*Server, error) {
	base, err := rest.BaseURL(o.URL)
	if err != nil {
		return nil, fmt.Errorf("bamboo url %q: %w", rest.RedactUser(o.URL), err)
	}
	if err := checkCredentials(o); err != nil {
		return nil, fmt.Errorf("bamboo credentials: %w", err)
	}
	s := &Server{base: base, log: o.Logger}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.client = rest.NewClient(rest.Options{Transport: o.Transport, Timeout: o.Timeout, MaxAnswer: maxAnswer, Logger: s.log}).
		SetHeader("X-Atlassian-Token", "no-check")
	if o.Token != "" {
		s.client.SetAuthToken(o.Token)
		s.texts = rest.Cleaner{o.Token}
	} else {
		s.client.SetBasicAuth(o.User, o.Password)
		s.texts = rest.Cleaner{base64.StdEncoding.EncodeToString([]byte(o.User + ":" + o.Password)), o.Password}
	}
	if strings.HasPrefix(base, "http://") {
		s.log.Warn("bamboo credentials travel unencrypted", "url", base)
	}
	return s, nil
}

func checkCredentials(o Options) error {
	switch {
	case o.Token == "" && o.User == "":
		return errors.New("a token, or a user and password, is needed")
	case o.Token != "" && (o.User != "" || o.Password != ""):
		return errors.New("either a token or a user and password, not both")
	case o.Token == "" && o.Password == "":
		return errors.New("the password is empty")
	case strings.Contains(o.User, ":"):
		return errors.New("a user name cannot hold a colon")
	case strings.TrimSpace(o.Token) != o.Token || strings.ContainsFunc(o.Token, rest.IsControl):
		return errors.New("the token holds spaces around it or control characters")
	}
	return nil
}
