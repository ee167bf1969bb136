package bambootest

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// master gives the plan of the request's key, which must not be a branch; a
// refusal is already written where it gives nil.
func (s *Server) master(w http.ResponseWriter, r *http.Request) *plan {
	p := s.plans[r.PathValue("key")]
	if p == nil {
		refuse(w, r, http.StatusNotFound, fmt.Sprintf("Plan %s not found.", r.PathValue("key")))
		return nil
	}
	if p.master != nil {
		invalid(w, r, "The key of a plan branch was given where a plan's is wanted.")
		return nil
	}
	return p
}

// live lists the plan branches that were not removed.
func (s *Server) live(p *plan) []*plan {
	return slices.DeleteFunc(slices.Clone(p.branches), func(b *plan) bool { return s.plans[b.key] != b })
}

func (s *Server) branchDoc(r *http.Request, b *plan) map[string]any {
	return map[string]any{
		"key":         b.key,
		"name":        b.master.key + " - " + b.name,
		"shortName":   b.name,
		"shortKey":    b.key[strings.Index(b.key, "-")+1:],
		"description": "",
		"enabled":     !b.disabled,
		"link":        s.link(r, "plan/"+b.key),
	}
}

func (s *Server) getBranch(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.master(w, r)
	if p == nil {
		return
	}
	for _, b := range s.live(p) {
		if b.name == r.PathValue("name") {
			answer(w, r, http.StatusOK, "branch", s.branchDoc(r, b))
			return
		}
	}
	refuse(w, r, http.StatusNotFound, fmt.Sprintf("Plan branch %s not found.", r.PathValue("name")))
}

// putBranch makes a plan branch. That the VCS branch exists is not checked.
func (s *Server) putBranch(w http.ResponseWriter, r *http.Request) {
	if !consumes(r, "application/json", "application/xml") {
		refuse(w, r, http.StatusUnsupportedMediaType, "unsupported media type")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.master(w, r)
	if p == nil {
		return
	}
	name := r.PathValue("name")
	if slices.ContainsFunc(s.live(p), func(b *plan) bool { return b.name == name }) {
		invalid(w, r, "This name is already used in a branch of the plan.")
		return
	}
	query := r.URL.Query()
	vcs := query.Get("vcsBranch")
	if vcs == "" {
		vcs = name
	}
	b := s.addBranch(p, name, vcs, query.Get("enabled") == "true")
	answer(w, r, http.StatusOK, "branch", s.branchDoc(r, b))
}

func (s *Server) listBranches(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.master(w, r)
	if p == nil {
		return
	}
	list := []map[string]any{}
	for _, b := range s.live(p) {
		if r.URL.Query().Has("enabledOnly") && b.disabled {
			continue
		}
		list = append(list, s.branchDoc(r, b))
	}
	s.answerList(w, r, list)
}

// listVCSBranches knows the whole repository, at once.
func (s *Server) listVCSBranches(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.master(w, r)
	if p == nil {
		return
	}
	list := []map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(p.vcs)) {
		if strings.Contains(name, r.URL.Query().Get("searchTerm")) {
			list = append(list, map[string]any{"name": name})
		}
	}
	s.answerList(w, r, list)
}

// answerList wraps a page of a list of branches: 25 unless asked otherwise.
func (s *Server) answerList(w http.ResponseWriter, r *http.Request, list []map[string]any) {
	start, page := window(r, list)
	answer(w, r, http.StatusOK, "branches", map[string]any{
		"expand": "branches",
		"branches": map[string]any{
			"size":        len(list),
			"start-index": start,
			"max-result":  len(page),
			"branch":      page,
		},
	})
}

func (s *Server) searchBranches(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	query := r.URL.Query()
	p := s.plans[query.Get("masterPlanKey")]
	if p == nil {
		refuse(w, r, http.StatusNotFound, "the plan was not found")
		return
	}
	list := []map[string]any{}
	for _, b := range s.live(p) {
		if !strings.Contains(strings.ToLower(b.name), strings.ToLower(query.Get("searchTerm"))) {
			continue
		}
		list = append(list, map[string]any{
			"id":           b.key,
			"type":         "branch",
			"searchEntity": map[string]any{"id": b.key, "key": b.key, "branchName": b.name, "planName": p.key, "description": ""},
		})
	}
	start, page := window(r, list)
	answer(w, r, http.StatusOK, "searchResults", map[string]any{
		"size":          len(list),
		"start-index":   start,
		"max-result":    len(page),
		"searchResults": page,
	})
}

// window gives the part of a list that start-index and max-result ask for.
func window(r *http.Request, list []map[string]any) (int, []map[string]any) {
	number := func(name string, otherwise int) int {
		n, err := strconv.Atoi(r.URL.Query().Get(name))
		if err != nil || n < 0 {
			return otherwise
		}
		return n
	}
	start := min(number("start-index", 0), len(list))
	return start, list[start:min(start+min(number("max-result", 25), len(list)), len(list))]
}
