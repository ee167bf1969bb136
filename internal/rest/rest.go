// Package rest holds what clients of REST APIs here have in common. Contract:
//
//   - A client sends to the address it is given and nowhere else: redirects are
//     not followed, so that credentials stay with the host they are for.
//   - It sends each request once. Whoever wants another try makes it.
//   - Answers are read up to a bound.
//   - A text of a server's is hostile until a [Cleaner] made it one bounded line
//     without secrets.
package rest

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-resty/resty/v2"
)

// Options say how to ask.
type Options struct {
	// Transport carries the requests; nil: [http.DefaultTransport].
	Transport http.RoundTripper
	// Timeout bounds one request and its answer; 0: 15 s.
	Timeout time.Duration
	// MaxAnswer bounds an answer's body in bytes.
	MaxAnswer int
	// Logger is told at debug level what the client remarks.
	Logger *slog.Logger
}

// NewClient makes a client that keeps the package's contract. It has no
// credentials yet.
func NewClient(o Options) *resty.Client {
	if o.Transport == nil {
		o.Transport = http.DefaultTransport
	}
	if o.Timeout <= 0 {
		o.Timeout = 15 * time.Second
	}
	return resty.NewWithClient(&http.Client{Transport: o.Transport, Timeout: o.Timeout}).
		SetLogger(debug{o.Logger}).
		SetDisableWarn(true).
		SetRetryCount(0).
		SetResponseBodyLimit(o.MaxAnswer).
		SetRedirectPolicy(resty.RedirectPolicyFunc(func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		})).
		SetHeader("Accept", "application/json").
		SetHeader("User-Agent", "pushgate")
}

// debug hands what resty has to say to slog, at debug level: each failure is
// already returned as an error.
type debug struct{ log *slog.Logger }

func (l debug) Errorf(format string, v ...any) { l.log.Debug(fmt.Sprintf(format, v...)) }
func (l debug) Warnf(format string, v ...any)  { l.log.Debug(fmt.Sprintf(format, v...)) }
func (l debug) Debugf(format string, v ...any) { l.log.Debug(fmt.Sprintf(format, v...)) }

// BaseURL checks an address and gives it without a slash at its end, in escaped
// form.
func BaseURL(raw string) (string, error) {
	u, err := url.Parse(raw)
	if err != nil {
		// The url package's message repeats the URL, which may hold a password.
		return "", errors.New("not a URL")
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return "", errors.New("the scheme must be http or https")
	case u.Hostname() == "":
		return "", errors.New("no host")
	case u.User != nil:
		return "", errors.New("credentials do not belong in the url: give them beside it")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return "", errors.New("no query or fragment may follow the path")
	case strings.Contains(u.Path+"/", "/../") || strings.Contains(u.Path+"/", "/./"):
		return "", errors.New("a path with dot segments names another one")
	}
	return strings.TrimRight(u.String(), "/"), nil
}

// RedactUser cuts what stands between the scheme and an "@" of an address that
// may not even be one.
func RedactUser(raw string) string {
	at := strings.LastIndex(raw, "@")
	if at < 0 {
		return raw
	}
	scheme, _, found := strings.Cut(raw[:at], "://")
	if !found {
		return "…@" + raw[at+1:]
	}
	return scheme + "://…@" + raw[at+1:]
}
