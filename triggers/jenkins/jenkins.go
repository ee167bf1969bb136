// Package jenkins starts builds on a Jenkins controller and follows them.
//
// Its contract, beside the one of package triggers:
//
//   - A start is one POST. A second POST is sent only after an answer that
//     proves that nothing was started: a 400 to the wrong one of /build and
//     /buildWithParameters, a 403 over a stale crumb.
//
//   - An error is Ambiguous exactly where Jenkins may have started the build
//     although its answer did not say so: the connection failed after the
//     request was written, or something answered with a 5xx other than 503.
//
//   - Redirects are answers, never followed. Requests go to the configured URL
//     and nowhere else; URLs that Jenkins sends are shown to people only.
//
//   - A 404 counts only where the configured URL is Jenkins: behind a proxy
//     that has lost its backend everything is a 404, and no build is given up
//     for that.
//
//   - Jenkins does not say when /build, the endpoint of jobs without
//     parameters, is merged into a waiting item: it answers as for a new one.
//     Two starts then have one handle.
//
//   - What is asked of Jenkins changes nothing but for Start and Stop. Stop
//     touches the item or build of its handle, and only while that carries no
//     other request's id.
//
//   - Find says that a build is absent only where it could not be hidden.
//
// Handles are "queue/N" while the item waits and "build/N" from then on.
package jenkins

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/bndr/gojenkins"

	"github.com/pushgate/pushgate/internal/rest"
)

// Options says where Jenkins is and who asks.
type Options struct {
	// URL is the controller's root, with its context path if it has one.
	URL string
	// User with Token (an API token) or with Password. Without any of them
	// requests are anonymous. Tokens need no crumb, all else asks for one.
	User, Token, Password string
	// Transport carries the requests; nil is http.DefaultTransport.
	Transport http.RoundTripper
	// Timeout bounds one request with its answer; 0 is 15 seconds. A Start may
	// take several requests: the caller's context bounds them together.
	Timeout time.Duration
	// Logger hears of crumbs renewed and scans asked for; nil is silence.
	Logger *slog.Logger
}

// A Server is one Jenkins controller. Its methods may be called from several
// goroutines at once; it starts none of its own.
type Server struct {
	base      string
	requester *gojenkins.Requester
	timeout   time.Duration
	log       *slog.Logger
	token     bool

	crumbs crumbBox
	jobs   jobCache
	scans  scanLimit
}

// New checks the options. It does not talk to Jenkins.
func New(o Options) (*Server, error) {
	base, err := rest.BaseURL(o.URL)
	if err != nil {
		return nil, fmt.Errorf("jenkins url %q: %w", rest.RedactUser(o.URL), err)
	}
	auth, err := credentials(o)
	if err != nil {
		return nil, fmt.Errorf("jenkins %s: %w", base, err)
	}
	if o.Timeout < 0 {
		return nil, fmt.Errorf("jenkins %s: negative timeout %s", base, o.Timeout)
	}
	if o.Timeout == 0 {
		o.Timeout = 15 * time.Second
	}
	if o.Transport == nil {
		o.Transport = http.DefaultTransport
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	client := &http.Client{
		Transport:     bounded{o.Transport},
		Timeout:       o.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	requester, ok := gojenkins.CreateJenkins(client, base, auth...).Requester.(*gojenkins.Requester)
	if !ok {
		return nil, fmt.Errorf("jenkins %s: unexpected requester in gojenkins", base)
	}
	return &Server{
		base:      base,
		requester: requester,
		timeout:   o.Timeout,
		log:       o.Logger,
		token:     o.Token != "",
	}, nil
}

func credentials(o Options) ([]any, error) {
	switch {
	case o.Token != "" && o.Password != "":
		return nil, errors.New("both a token and a password: give one")
	case o.User == "" && o.Token+o.Password != "":
		return nil, errors.New("a token or password without a user")
	case o.User != "" && o.Token+o.Password == "":
		return nil, errors.New("a user without a token or password")
	case strings.Contains(o.User, ":"):
		return nil, errors.New("a user's name cannot contain a colon")
	case o.User == "":
		return nil, nil
	}
	return []any{o.User, o.Token + o.Password}, nil
}
