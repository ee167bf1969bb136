package bamboo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"

	"github.com/go-resty/resty/v2"

	"github.com/pushgate/pushgate/internal/rest"
	"github.com/pushgate/pushgate/triggers"
)

// A call is one request to Bamboo.
type call struct {
	op     string // for the error
	method string
	path   string // below the base URL; {name} is replaced from params, escaped
	params map[string]string
	query  url.Values
	form   url.Values // the body of a POST, sent even when empty
	starts bool       // this is the request that queues a build
}

// An answer is what came back, read to its end.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// send sends c once. A failure to get an answer is an error; any status is an
// answer.
func (s *Server) send(ctx context.Context, c call) (answer, *triggers.Error) {
	var sent progress
	r := s.client.R().
		SetContext(httptrace.WithClientTrace(ctx, sent.trace())).
		SetPathParams(c.params).
		SetQueryParamsFromValues(c.query)
	switch c.method {
	case http.MethodPost:
		// Without a form, resty would send a chunked body of no type.
		r.SetFormDataFromValues(c.form)
		if len(c.form) == 0 {
			r.SetHeader("Content-Type", "application/x-www-form-urlencoded").SetBody([]byte{})
		}
	case http.MethodPut:
		// The plan resource consumes JSON or XML only, though it reads nothing.
		r.SetHeader("Content-Type", "application/json").SetBody([]byte("{}"))
	}
	resp, err := r.Execute(c.method, s.base+c.path)
	if err != nil {
		// A refusal is a refusal, even if its body was cut short or too long.
		if resp != nil && resp.RawResponse != nil && resp.StatusCode() >= 300 {
			return answer{status: resp.StatusCode(), header: resp.Header()}, nil
		}
		return answer{}, s.unanswered(ctx, c, &sent, err)
	}
	s.log.DebugContext(ctx, "bamboo answered", "op", c.op, "method", c.method, "path", c.path, "status", resp.StatusCode())
	return answer{status: resp.StatusCode(), header: resp.Header(), body: resp.Body()}, nil
}

// unanswered says what it means that no whole answer came.
func (s *Server) unanswered(ctx context.Context, c call, sent *progress, err error) *triggers.Error {
	e := &triggers.Error{Op: c.op, Temporary: true, Server: true, Err: s.texts.Cause(err)}
	timeout := rest.IsTimeout(err) || ctx.Err() != nil
	written := sent.written.Load() || timeout && sent.connected.Load()
	e.Ambiguous = c.starts && written
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		// The caller gave up; that says nothing about the server.
		e.Server = false
		e.Reason = "given up before an answer came"
	case errors.Is(err, resty.ErrResponseBodyTooLarge):
		e.Reason = fmt.Sprintf("the answer is longer than %d bytes", maxAnswer)
		e.Hint = hintURL
	case timeout && written:
		e.Reason = "no answer in time"
	case timeout:
		e.Reason = "no connection in time"
	case written:
		e.Reason = "the connection broke before the answer was complete"
	default:
		e.Reason = "cannot connect"
		e.Hint = "check that Bamboo runs and that the url of the server is right"
	}
	return e
}

// progress knows how far a request got. The hooks run on the transport's
// goroutines.
type progress struct {
	connected atomic.Bool // a connection was had, so writing may have begun
	written   atomic.Bool // the headers were written
}

func (p *progress) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		// The transport asks for a second connection by itself only where it
		// knows that the first one carried nothing: a kept-alive connection that
		// the server had closed. What was written there does not count.
		GetConn: func(string) {
			p.connected.Store(false)
			p.written.Store(false)
		},
		GotConn:              func(httptrace.GotConnInfo) { p.connected.Store(true) },
		WroteHeaders:         func() { p.written.Store(true) },
		WroteRequest:         func(httptrace.WroteRequestInfo) { p.written.Store(true) },
		GotFirstResponseByte: func() { p.written.Store(true) },
	}
}
