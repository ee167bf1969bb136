package api

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/go-resty/resty/v2"

	"github.com/pushgate/pushgate/internal/rest"
)

// maxAnswer bounds an answer's body in bytes: a page of large differences.
const maxAnswer = 32 << 20

// A caller sends requests to one host.
type caller struct {
	base   string // no slash at its end
	client *resty.Client
	// sign puts credentials on a request; nil: none. It may have to fetch a token.
	sign func(context.Context, *resty.Request) error
	// again says after a 401 that other credentials are worth a second try.
	again func() bool
	texts rest.Cleaner
	// issued are the last tokens that the host gave, as secret as the credentials.
	// A refusal of the one before may come after its successor.
	issued atomic.Pointer[[]string]
	log    *slog.Logger
}

// newCaller prepares calls below base. Where the credentials go is the host's
// affair: sign is set by it.
func newCaller(base string, o Options) *caller {
	c := &caller{base: base, log: o.Logger}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	c.client = rest.NewClient(rest.Options{Transport: o.Transport, Timeout: o.Timeout, MaxAnswer: maxAnswer, Logger: c.log})
	c.client.JSONUnmarshal = func(text []byte, v any) error { return json.Unmarshal(text, v) }
	user, password := o.API.User, string(o.API.Password)
	for secret, whose := range map[string]string{string(o.API.Token): user, password: user, string(o.API.ClientSecret): o.API.ClientID} {
		if secret != "" {
			c.texts = append(c.texts, secret, base64.StdEncoding.EncodeToString([]byte(whose+":"+secret)))
		}
	}
	if user != "" {
		c.sign = func(_ context.Context, r *resty.Request) error {
			r.SetBasicAuth(user, password)
			return nil
		}
	}
	return c
}

// bearer signs with the token in a header: prefix is what stands before it.
func (c *caller) bearer(header, prefix, token string) {
	c.sign = func(_ context.Context, r *resty.Request) error {
		r.SetHeader(header, prefix+token)
		return nil
	}
}

// clean makes texts of others fit to be shown.
func (c *caller) clean() rest.Cleaner {
	if tokens := c.issued.Load(); tokens != nil {
		return append(slices.Clip(c.texts), *tokens...)
	}
	return c.texts
}

// A call is one request.
type call struct {
	op     string // for the error
	method string // empty: GET
	path   string // below the base URL, made by path
	query  url.Values
	body   any // sent as JSON; nil: none
	into   any // what the JSON of a 2xx is read into, but for 204; nil: not read
}

// path joins segments to a path, each escaped: a slash in one stays in it.
func path(segments ...string) string {
	var b strings.Builder
	for _, s := range segments {
		b.WriteByte('/')
		b.WriteString(url.PathEscape(s))
	}
	return b.String()
}

// climbs says that a path has a segment that a server may read as another place.
func climbs(escaped string) bool {
	text, err := url.PathUnescape(escaped)
	if err != nil || strings.ContainsAny(text, "\\\x00\r\n") {
		return true
	}
	for segment := range strings.SplitSeq(strings.TrimPrefix(text, "/"), "/") {
		if segment == "" || segment == "." || segment == ".." {
			return true
		}
	}
	return false
}

// send sends a call and reads its answer. The error is an [*Error]; the header is
// there wherever an answer was.
func (c *caller) send(ctx context.Context, k call) (http.Header, error) {
	if climbs(k.path) {
		return nil, cannot(k.op, "a name in it cannot be part of an address", "")
	}
	header, err := c.sendOnce(ctx, &k)
	if e, refused := errors.AsType[*Error](err); refused && e.Status == http.StatusUnauthorized && c.again != nil && c.again() {
		header, err = c.sendOnce(ctx, &k)
	}
	return header, err
}

func (c *caller) sendOnce(ctx context.Context, k *call) (http.Header, error) {
	r := c.client.R().SetContext(ctx).SetQueryParamsFromValues(k.query)
	if c.sign != nil {
		if err := c.sign(ctx, r); err != nil {
			return nil, err
		}
	}
	method := k.method
	if method == "" {
		method = http.MethodGet
	}
	if k.body != nil {
		text, err := json.Marshal(k.body)
		if err != nil {
			return nil, cannot(k.op, "it cannot be written as JSON: "+err.Error(), "")
		}
		r.SetHeader("Content-Type", "application/json").SetBody(text)
	}
	resp, err := r.Execute(method, c.base+k.path)
	if err != nil {
		if resp != nil && resp.RawResponse != nil && resp.StatusCode() >= 300 {
			// A refusal is a refusal, even if its body was cut short or too long.
			return resp.Header(), c.judge(k, resp.StatusCode(), resp.Header(), nil)
		}
		return nil, c.unanswered(ctx, k, err)
	}
	c.log.DebugContext(ctx, "the host answered", "op", k.op, "method", method, "path", k.path, "status", resp.StatusCode())
	if resp.StatusCode()/100 != 2 {
		return resp.Header(), c.judge(k, resp.StatusCode(), resp.Header(), resp.Body())
	}
	if k.into == nil || resp.StatusCode() == http.StatusNoContent {
		return resp.Header(), nil
	}
	if crowded(resp.Body()) {
		return resp.Header(), cannot(k.op, fmt.Sprintf("the answer holds more than %d objects", maxObjects), "")
	}
	if err := json.Unmarshal(resp.Body(), k.into); err != nil || rest.IsPage(resp.Header(), resp.Body()) {
		e := foreign(k.op)
		if err != nil {
			e.Err = c.clean().Cause(err)
		}
		return resp.Header(), e
	}
	return resp.Header(), nil
}

// An answer is read into structs: of "{}" or "null" each becomes one, which takes
// a hundred times its bytes. So their number is bounded, and that of all values.
const (
	maxObjects = 500_000
	maxValues  = 4 * maxObjects
	// fewBytes are too few to hold many of either.
	fewBytes = 1 << 20
)

// crowded says that an answer holds more than it may. One that is no JSON is for
// the reader to refuse.
func crowded(body []byte) bool {
	if len(body) < fewBytes {
		return false
	}
	d := jsontext.NewDecoder(bytes.NewReader(body))
	for objects, values := 0, 0; ; values++ {
		token, err := d.ReadToken()
		if err != nil {
			return false
		}
		if kind := token.Kind(); kind == '{' || kind == 'n' {
			objects++
		}
		if objects > maxObjects || values > maxValues {
			return true
		}
	}
}

// foreign is the error of a 200 that lacks what this host's API always has.
func foreign(op string) *Error {
	return &Error{
		Op: op, Status: http.StatusOK, Temporary: true, Host: true, Reason: "not the answer of this host's API",
		Hint: "check the url of the source's api: a login page or another program may answer there",
	}
}

// unanswered says what it means that no whole answer came.
func (c *caller) unanswered(ctx context.Context, k *call, err error) *Error {
	e := &Error{Op: k.op, Temporary: true, Host: true, Err: c.clean().Cause(err)}
	switch {
	case errors.Is(err, resty.ErrResponseBodyTooLarge):
		e.Temporary, e.Host = false, false
		e.Reason = fmt.Sprintf("the answer is longer than %d bytes", maxAnswer)
	case ctx.Err() != nil:
		e.Host = false
		e.Reason = "given up before the answer came"
	case rest.IsTimeout(err):
		e.Reason = "no answer in time"
	default:
		e.Reason = "no connection, or it broke"
		e.Hint = "check the url of the source's api"
	}
	return e
}

// below gives path and query of a link in an answer; ok is false where it leads
// away from the base.
func (c *caller) below(link string) (path string, query url.Values, ok bool) {
	to, err := url.Parse(link)
	base, baseErr := url.Parse(c.base)
	if err != nil || baseErr != nil || !strings.EqualFold(to.Host, base.Host) || to.User != nil {
		return "", nil, false
	}
	path, ok = strings.CutPrefix(to.EscapedPath(), base.EscapedPath())
	return path, to.Query(), ok && strings.HasPrefix(path, "/")
}
