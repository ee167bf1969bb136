package bamboo

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/pushgate/pushgate/triggers"
)

// A planBranch is what a build is queued by.
type planBranch struct {
	key        string
	remembered bool // from the cache, so it may be gone
	made       bool // by this request
}

// displayName is what Bamboo and its clients call the plan branch of a VCS
// branch.
func displayName(branch string) string { return strings.ReplaceAll(branch, "/", "-") }

// hintOwnKey is the way out where display names do not tell branches apart.
const hintOwnKey = "write the plan branch's own key as the plan, with branch: none"

// resolve finds the plan branch of req.Branch, or makes it where req allows.
func (s *Server) resolve(ctx context.Context, op string, req triggers.Request) (planBranch, *triggers.Error) {
	if key, ok := s.keys.get(req.Target, req.Branch); ok {
		return planBranch{key: key, remembered: true}, nil
	}
	found, e := s.lookUp(ctx, op, req)
	if e != nil {
		return planBranch{}, e
	}
	if found.key == "" && req.CreateBranch {
		found, e = s.create(ctx, op, req)
		if e != nil {
			return planBranch{}, e
		}
	}
	if found.key == "" {
		return planBranch{}, &triggers.Error{
			Op:     op,
			Status: http.StatusNotFound,
			Reason: fmt.Sprintf("no plan branch %q", displayName(req.Branch)),
			Hint:   "create the plan branch in Bamboo, or set create_branch: true; if the plan itself builds this branch, name it in default_branch of the rule; check the plan's key, too",
		}
	}
	s.keys.put(req.Target, req.Branch, found.key)
	return found, nil
}

// lookUp gives the verified plan branch of req.Branch; one without a key means
// that there is none.
func (s *Server) lookUp(ctx context.Context, op string, req triggers.Request) (planBranch, *triggers.Error) {
	c := branchCall(op, http.MethodGet, req)
	a, e := s.send(ctx, c)
	if e != nil {
		return planBranch{}, e
	}
	switch a.status {
	case http.StatusNotFound, http.StatusNoContent:
		return planBranch{}, nil
	case http.StatusOK:
	default:
		return planBranch{}, s.judge(c, a)
	}
	found, e := s.readBranch(c, a, req)
	if e != nil {
		return planBranch{}, e
	}
	return found, s.tellApart(ctx, op, req)
}

// create makes the plan branch of req.Branch. Two requests may find it missing
// at the same moment: the one that comes second takes what the first made.
func (s *Server) create(ctx context.Context, op string, req triggers.Request) (planBranch, *triggers.Error) {
	c := branchCall(op, http.MethodPut, req)
	c.query = url.Values{"vcsBranch": {req.Branch}, "enabled": {"true"}}
	a, e := s.send(ctx, c)
	if e != nil {
		return planBranch{}, e
	}
	if a.status == http.StatusOK || a.status == http.StatusCreated {
		made, e := s.readBranch(c, a, req)
		made.made = true
		return made, e
	}
	e = s.judge(c, a)
	if !isUsed(a) {
		return planBranch{}, e
	}
	if found, again := s.lookUp(ctx, op, req); again != nil || found.key != "" {
		return found, again
	}
	e.Temporary, e.Server = false, false
	e.Reason = fmt.Sprintf("the name %q is already used, but not by a plan branch that can be seen", displayName(req.Branch))
	e.Hint = "look for it among the plan's branches in Bamboo and check its permissions, or " + hintOwnKey
	return planBranch{}, e
}

// isUsed knows the refusal of a second plan branch of the same name: 400, and
// 500 before Bamboo 12.
func isUsed(a answer) bool {
	return (a.status == http.StatusBadRequest || a.status == http.StatusInternalServerError) &&
		strings.Contains(strings.ToLower(string(a.body)), "already")
}

func branchCall(op, method string, req triggers.Request) call {
	return call{
		op:     op,
		method: method,
		path:   "/rest/api/latest/plan/{key}/branch/{name}",
		params: map[string]string{"key": req.Target, "name": displayName(req.Branch)},
	}
}

// readBranch reads Bamboo's word about one plan branch and holds it against
// what was asked for.
func (s *Server) readBranch(c call, a answer, req triggers.Request) (planBranch, *triggers.Error) {
	var doc struct {
		Key       string `json:"key"`
		ShortName string `json:"shortName"`
		Enabled   *bool  `json:"enabled"`
	}
	err := json.Unmarshal(a.body, &doc)
	if _, ok := branchKeyOf(a.body, req.Target); err != nil || !ok {
		e := s.judge(c, a)
		e.Reason = "not Bamboo's answer about a plan branch"
		return planBranch{}, e
	}
	if doc.ShortName != "" && doc.ShortName != displayName(req.Branch) {
		return planBranch{}, &triggers.Error{
			Op:     c.op,
			Status: a.status,
			Reason: fmt.Sprintf("Bamboo gave plan branch %q for %q", s.texts.Text(doc.ShortName), displayName(req.Branch)),
			Hint:   hintOwnKey,
		}
	}
	if doc.Enabled != nil && !*doc.Enabled {
		return planBranch{}, &triggers.Error{
			Op:     c.op,
			Status: a.status,
			Reason: fmt.Sprintf("plan branch %s is disabled", doc.Key),
			Hint:   "enable the plan branch in Bamboo",
		}
	}
	return planBranch{key: doc.Key}, nil
}

// branchKeyOf reads the key of one of a plan's branches: the plan's and a
// number.
func branchKeyOf(body []byte, plan string) (key string, ok bool) {
	var doc struct {
		Key string `json:"key"`
	}
	if json.Unmarshal(body, &doc) != nil {
		return "", false
	}
	number, ours := strings.CutPrefix(doc.Key, plan)
	_, err := strconv.ParseUint(number, 10, 32)
	return doc.Key, ours && err == nil
}

// tellApart makes sure that the display name of req.Branch is that of no other
// VCS branch. A name without a hyphen stands for itself alone.
func (s *Server) tellApart(ctx context.Context, op string, req triggers.Request) *triggers.Error {
	name := displayName(req.Branch)
	if !strings.Contains(name, "-") {
		return nil
	}
	branches, e := s.vcsBranches(ctx, op, req.Target)
	if e != nil {
		return e
	}
	itself, other := false, ""
	for branch := range branches {
		switch {
		case branch == req.Branch:
			itself = true
		case displayName(branch) == name:
			other = branch
		}
	}
	if other != "" {
		return &triggers.Error{
			Op:     op,
			Reason: fmt.Sprintf("plan branch %q may be that of %q or of %q", name, req.Branch, s.texts.Text(other)),
			Hint:   hintOwnKey,
		}
	}
	if !itself {
		return &triggers.Error{
			Op:        op,
			Temporary: true,
			Within:    triggers.IndexWait,
			Reason:    fmt.Sprintf("Bamboo does not list branch %q of the plan's repository, so plan branch %q may be another's", req.Branch, name),
			Hint:      "check the plan's default repository, or " + hintOwnKey,
		}
	}
	return nil
}

// A repository of more branches than this cannot be verified.
const (
	branchPage     = 10000
	maxBranchPages = 10
)

// vcsBranches lists the branches of the plan's default repository, all or an
// error.
func (s *Server) vcsBranches(ctx context.Context, op, plan string) (map[string]bool, *triggers.Error) {
	seen, size := map[string]bool{}, 0
	for range maxBranchPages {
		c := call{
			op:     op,
			method: http.MethodGet,
			path:   "/rest/api/latest/plan/{key}/vcsBranches",
			params: map[string]string{"key": plan},
			query:  url.Values{"max-result": {strconv.Itoa(branchPage)}, "start-index": {strconv.Itoa(len(seen))}},
		}
		a, e := s.send(ctx, c)
		if e != nil {
			return nil, e
		}
		var doc struct {
			Branches *struct {
				Size   int `json:"size"`
				Branch []struct {
					Name string `json:"name"`
				} `json:"branch"`
			} `json:"branches"`
		}
		if a.status != http.StatusOK || json.Unmarshal(a.body, &doc) != nil || doc.Branches == nil {
			return nil, s.judge(c, a)
		}
		before := len(seen)
		for _, b := range doc.Branches.Branch {
			seen[strings.TrimPrefix(b.Name, "refs/heads/")] = true
		}
		size = doc.Branches.Size
		if len(seen) >= size {
			return seen, nil
		}
		if len(seen) == before {
			break
		}
	}
	return nil, &triggers.Error{
		Op:     op,
		Reason: fmt.Sprintf("Bamboo lists %d branches but tells of %d only, so plan branches cannot be told apart", size, len(seen)),
		Hint:   hintOwnKey,
	}
}
