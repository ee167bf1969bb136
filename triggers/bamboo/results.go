package bamboo

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/pushgate/pushgate/internal/rest"
	"github.com/pushgate/pushgate/triggers"
)

// A resultRecord is one of a plan's results in Bamboo's JSON.
type resultRecord struct {
	Key            string       `json:"buildResultKey"`
	ShortKey       string       `json:"key"`
	LifeCycleState string       `json:"lifeCycleState"`
	State          string       `json:"state"`
	Started        string       `json:"buildStartedTime"`
	Variables      *variableDoc `json:"variables"`
}

type variableDoc struct {
	List []struct {
		Name  string `json:"name"`
		Value any    `json:"value"`
	} `json:"variable"`
}

// key is that of the result, wherever this Bamboo writes it.
func (r resultRecord) key() string {
	if r.Key != "" {
		return r.Key
	}
	return r.ShortKey
}

// number is that of a build of the plan; 0 for anything else.
func (r resultRecord) number(plan string) int64 {
	digits, ok := strings.CutPrefix(r.key(), plan+"-")
	if !ok || !isResultKey(r.key()) {
		return 0
	}
	n, err := strconv.ParseInt(digits, 10, 32)
	if err != nil || strconv.FormatInt(n, 10) != digits {
		return 0
	}
	return n
}

// began is when the build did; zero where that is not told.
func (r resultRecord) began() time.Time {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05.999-0700"} {
		if at, err := time.Parse(layout, r.Started); err == nil {
			return at
		}
	}
	return time.Time{}
}

// carry says whether the id of a request is the one sought, and whether there
// is any.
func (r resultRecord) carry(id string) (ours, tells bool) {
	if r.Variables == nil {
		return false, false
	}
	for _, v := range r.Variables.List {
		text, is := v.Value.(string)
		if v.Name == triggers.IDName && is {
			tells = true
			ours = ours || text == id && id != ""
		}
	}
	return ours, tells
}

// A page is a part of a plan's results, the newest first.
type page struct {
	list []resultRecord
	size int // of all results
	date time.Time
	gone bool // the plan is not there
}

// results reads a part of a plan's results, in all states.
func (s *Server) results(ctx context.Context, op, plan string, from, count int, expand string) (page, *triggers.Error) {
	c := call{
		op: op, method: http.MethodGet, path: "/rest/api/latest/result/{key}",
		params: map[string]string{"key": plan},
		query: url.Values{
			"includeAllStates": {"true"},
			"start-index":      {strconv.Itoa(from)},
			"max-results":      {strconv.Itoa(count)},
		},
	}
	if expand != "" {
		c.query.Set("expand", expand)
	}
	a, e := s.send(ctx, c)
	switch {
	case e != nil:
		return page{}, e
	case a.status == http.StatusNotFound && rest.IsPage(a.header, a.body):
		return page{}, s.stranger(c, a)
	case a.status == http.StatusNotFound:
		return page{gone: true}, nil
	case a.status != http.StatusOK:
		return page{}, s.judge(c, a)
	}
	var doc struct {
		Results *struct {
			Size int            `json:"size"`
			List []resultRecord `json:"result"`
		} `json:"results"`
	}
	if json.Unmarshal(a.body, &doc) != nil || doc.Results == nil || doc.Results.List == nil {
		return page{}, s.stranger(c, a)
	}
	p := page{list: doc.Results.List, size: doc.Results.Size}
	if date, err := http.ParseTime(a.header.Get("Date")); err == nil {
		p.date = date
	}
	return p, nil
}

// A planRecord is what Bamboo says about a plan or plan branch.
type planRecord struct {
	enabled   bool
	variables map[string]bool
}

func (s *Server) plan(ctx context.Context, op, key string) (planRecord, *triggers.Error) {
	c := call{
		op: op, method: http.MethodGet, path: "/rest/api/latest/plan/{key}",
		params: map[string]string{"key": key},
		query:  url.Values{"expand": {"variableContext"}, "max-results": {"1000"}},
	}
	a, e := s.send(ctx, c)
	if e != nil {
		return planRecord{}, e
	}
	if a.status != http.StatusOK {
		if a.status == http.StatusNotFound && rest.IsPage(a.header, a.body) {
			return planRecord{}, s.stranger(c, a)
		}
		return planRecord{}, s.judge(c, a)
	}
	var doc struct {
		Key       string `json:"key"`
		Enabled   *bool  `json:"enabled"`
		Variables struct {
			List []struct {
				Key string `json:"key"`
			} `json:"variable"`
		} `json:"variableContext"`
	}
	if json.Unmarshal(a.body, &doc) != nil || doc.Key != key {
		return planRecord{}, s.stranger(c, a)
	}
	p := planRecord{enabled: doc.Enabled == nil || *doc.Enabled, variables: map[string]bool{}}
	for _, v := range doc.Variables.List {
		p.variables[v.Key] = true
	}
	return p, nil
}
