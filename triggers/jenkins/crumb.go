package jenkins

import (
	"context"
	"net/http"
	"strings"
	"sync"

	"github.com/bndr/gojenkins"

	"github.com/pushgate/pushgate/triggers"
)

// A crumb is Jenkins' protection against forged POSTs. It is good only
// together with the session whose cookies came with it, so both are one value.
// An empty field means that this Jenkins asks for no crumb.
type crumb struct {
	field, value string
	cookies      string
}

func (c *crumb) attach(r *gojenkins.APIRequest) {
	if c == nil || c.field == "" {
		return
	}
	r.SetHeader(c.field, c.value)
	if c.cookies != "" {
		r.SetHeader("Cookie", c.cookies)
	}
}

// crumbBox keeps the newest crumb.
type crumbBox struct {
	mu sync.Mutex
	c  *crumb
}

func (b *crumbBox) get() *crumb {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.c
}

func (b *crumbBox) set(c *crumb) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.c = c
}

// crumb gives the crumb to send. Where it is refused to this user alone it is
// nil: the POST goes without, and its answer says more than this one.
func (s *Server) crumb(ctx context.Context, op string) (*crumb, *triggers.Error) {
	if c := s.crumbs.get(); c != nil {
		return c, nil
	}
	return s.freshCrumb(ctx, op)
}

// freshCrumb asks Jenkins for a crumb. Whoever was refused asks for one of
// their own: the one in the box may be just as old as theirs.
func (s *Server) freshCrumb(ctx context.Context, op string) (*crumb, *triggers.Error) {
	var issued struct {
		Crumb string `json:"crumb"`
		Field string `json:"crumbRequestField"`
	}
	a, e := s.get(ctx, op, "/crumbIssuer", "crumb,crumbRequestField", &issued)
	if e != nil {
		return nil, e
	}
	c := &crumb{field: issued.Field, value: issued.Crumb, cookies: cookies(a.header)}
	switch {
	case a.status == http.StatusNotFound:
		c = &crumb{}
	case a.status == http.StatusOK && c.field == "":
		return nil, notJenkins(op, a)
	case a.status != http.StatusOK:
		if e := refusal(op, a); e.Temporary {
			e.Ambiguous = false
			return nil, e
		}
		return nil, nil
	}
	s.crumbs.set(c)
	return c, nil
}

// crumbless is the error of a fresh crumb refused: not this job's trouble but
// that of the session between here and there.
func crumbless(op string, a answer) *triggers.Error {
	e := refusal(op, a)
	e.Temporary, e.Server = true, true
	e.Reason = "answered 403: jenkins refuses its own crumb"
	e.Hint = "use an API token, which needs none; or see that proxies pass cookies and the crumb's header on"
	return e
}

func cookies(h http.Header) string {
	var pairs []string
	for _, c := range (&http.Response{Header: h}).Cookies() {
		if c.MaxAge >= 0 {
			pairs = append(pairs, c.Name+"="+c.Value)
		}
	}
	return strings.Join(pairs, "; ")
}

func refusesCrumb(a answer) bool {
	return a.status == http.StatusForbidden &&
		strings.Contains(strings.ToLower(a.body+a.header.Get(errorHeader)), "crumb")
}
