package jenkins

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"

	"github.com/bndr/gojenkins"

	"github.com/pushgate/pushgate/triggers"
)

// maxBody bounds what is read of an answer; a hundred builds take 20 kB.
const maxBody = 4 << 20

// errorHeader is where X-Error goes, and longHeader marks a body that was cut
// at maxBody; see bounded.
const (
	errorHeader = "X-Pushgate-Error"
	longHeader  = "X-Pushgate-Long"
)

// bounded is the transport under gojenkins. It reads each body itself, up to
// maxBody: gojenkins reads without a limit, and what an answer says in status
// and Location stays known when the connection breaks within the body. It
// renames X-Error, on which gojenkins would throw the whole answer away.
type bounded struct{ next http.RoundTripper }

func (b bounded) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := b.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	// A body cut short is no JSON, and that is told where JSON is wanted.
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	_ = resp.Body.Close()
	resp.Header.Del(longHeader)
	if len(body) > maxBody {
		body = body[:maxBody]
		resp.Header.Set(longHeader, "cut")
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	resp.ContentLength = int64(len(body))
	if text := resp.Header.Get("X-Error"); text != "" {
		resp.Header.Del("X-Error")
		resp.Header.Set(errorHeader, text)
	}
	return resp, nil
}

// quiet hides the context value "debug", which would make gojenkins dump
// answers to the standard logger or end the program.
type quiet struct{ context.Context }

func (q quiet) Value(key any) any {
	if key == "debug" {
		return nil
	}
	return q.Context.Value(key)
}

// An answer is what came back to one request. GETs leave body empty: theirs
// is decoded.
type answer struct {
	status   int
	header   http.Header
	body     string
	redirect *url.URL // Location, resolved; nil where there is none
}

// long says that the body went on beyond maxBody.
func (a answer) long() bool { return a.header.Get(longHeader) != "" }

func newAnswer(resp *http.Response, body string) answer {
	a := answer{status: resp.StatusCode, header: resp.Header, body: body}
	if u, err := resp.Location(); err == nil {
		a.redirect = u
	}
	return a
}

// get reads path/api/json into a struct. An error means that no answer of
// Jenkins came, or a 200 that is not Jenkins' JSON; all else is in the status.
func (s *Server) get(ctx context.Context, op, path, tree string, into any) (answer, *triggers.Error) {
	if ctx.Err() != nil {
		return answer{}, s.broken(ctx, op, ctx.Err(), false)
	}
	// gojenkins appends "/api/json" to the path.
	resp, err := s.requester.GetJSON(quiet{ctx}, path, into, map[string]string{"tree": tree})
	if resp == nil {
		return answer{}, s.broken(ctx, op, err, false)
	}
	a := newAnswer(resp, "")
	if a.status == http.StatusOK && a.long() {
		return a, &triggers.Error{
			Op: op, Status: a.status, Temporary: true,
			Reason: fmt.Sprintf("the answer is longer than %d bytes", maxBody),
		}
	}
	if a.status == http.StatusOK && err != nil {
		e := notJenkins(op, a)
		e.Err = fmt.Errorf("decode: %w", err)
		return a, e
	}
	return a, nil
}

// post sends a form, with a crumb where one is needed. When Jenkins refuses
// the crumb, nothing was done: a new one is fetched and the form sent again,
// once.
func (s *Server) post(ctx context.Context, op, path string, query map[string]string, form url.Values) (answer, *triggers.Error) {
	var c *crumb
	if !s.token {
		var e *triggers.Error
		if c, e = s.crumb(ctx, op); e != nil {
			return answer{}, e
		}
	}
	a, e := s.postOnce(ctx, op, path, query, form, c)
	if e != nil || !refusesCrumb(a) {
		return a, e
	}
	s.log.Info("jenkins refused the crumb, fetching another", "server", s.base)
	if c, e = s.freshCrumb(ctx, op); e != nil {
		return answer{}, e
	}
	if c == nil || c.field == "" {
		return a, nil
	}
	a, e = s.postOnce(ctx, op, path, query, form, c)
	if e == nil && refusesCrumb(a) {
		return answer{}, crumbless(op, a)
	}
	return a, e
}

func (s *Server) postOnce(ctx context.Context, op, path string, query map[string]string, form url.Values, c *crumb) (answer, *triggers.Error) {
	if ctx.Err() != nil {
		return answer{}, s.broken(ctx, op, ctx.Err(), false)
	}
	request := gojenkins.NewAPIRequest(http.MethodPost, path, strings.NewReader(form.Encode()))
	request.SetHeader("Content-Type", "application/x-www-form-urlencoded")
	c.attach(request)

	// Only a transport that reports can say that nothing was written; silence
	// is read as "perhaps".
	var asked, wrote atomic.Bool
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn:      func(string) { asked.Store(true) },
		WroteHeaders: func() { wrote.Store(true) },
	})
	var body string
	resp, err := s.requester.Do(quiet{traced}, request, &body, query)
	if resp == nil {
		return answer{}, s.broken(ctx, op, err, (wrote.Load() || !asked.Load()) && !dialing(err))
	}
	return newAnswer(resp, body), nil
}

// broken is the error of a request that got no answer.
func (s *Server) broken(ctx context.Context, op string, err error, ambiguous bool) *triggers.Error {
	e := &triggers.Error{Op: op, Temporary: true, Server: true, Ambiguous: ambiguous, Err: err}
	var slow net.Error
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		e.Server = false
		e.Reason = "given up before jenkins answered"
	case ctx.Err() != nil:
		e.Reason = "no answer within the caller's time"
	case errors.As(err, &slow) && slow.Timeout():
		e.Reason = fmt.Sprintf("no answer within %s", s.timeout)
	case dialing(err):
		e.Reason = "cannot connect"
		e.Hint = "check that Jenkins runs and that the server's url names it"
	default:
		e.Reason = "the connection broke before an answer"
	}
	return e
}

// dialing says that err befell the making of a connection.
func dialing(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "dial"
}
