package bambootest

import (
	"fmt"
	"html"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// page writes a small page of plain paragraphs. Every page says what it is.
func page(w http.ResponseWriter, status int, title string, lines ...string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'")
	w.WriteHeader(status)
	var b strings.Builder
	title = html.EscapeString(title)
	fmt.Fprintf(&b, "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>%s</title></head>\n<body>\n<h1>%s</h1>\n", title, title)
	for _, line := range append(lines, "This is a simulated Bamboo. Nothing was built.") {
		fmt.Fprintf(&b, "<p>%s</p>\n", html.EscapeString(line))
	}
	b.WriteString("</body>\n</html>\n")
	_, _ = w.Write([]byte(b.String()))
}

func (s *Server) home(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	lines := []string{}
	for _, key := range slices.Sorted(maps.Keys(s.plans)) {
		p := s.plans[key]
		line := fmt.Sprintf("%s: %d builds", key, p.number)
		if p.master != nil {
			line += fmt.Sprintf(", plan branch %q of %s", p.name, p.master.key)
		}
		lines = append(lines, line)
	}
	page(w, http.StatusOK, "Plans", lines...)
}

func (s *Server) browse(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := r.PathValue("key")
	b := s.find(key)
	if b == nil {
		page(w, http.StatusNotFound, key, "There is no such build.")
		return
	}
	life, state := s.stand(b)
	lines := []string{fmt.Sprintf("%s, %s", life, state)}
	for _, fact := range [][2]string{{"VCS branch", b.Branch}, {"revision", b.Revision}, {"stage", b.Stage}} {
		if fact[1] != "" {
			lines = append(lines, fact[0]+": "+fact[1])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(b.Variables)) {
		lines = append(lines, name+" = "+b.Variables[name])
	}
	page(w, http.StatusOK, key, lines...)
}
