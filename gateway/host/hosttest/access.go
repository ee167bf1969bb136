package hosttest

import (
	"crypto/subtle"
	"fmt"
	"net/http"
	"time"
)

// A limit holds requests back from when its number is used up until the end.
type limit struct {
	left int
	wait time.Duration
	end  time.Time
}

// LimitRate lets so many further requests pass and answers those after them as
// the host answers who asks too often, until wait has passed since the first of
// them. Then everything passes again.
func (s *Server) LimitRate(requests int, wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limit = &limit{left: requests, wait: wait}
}

func (s *Server) overLimit() (end time.Time, over bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.limit
	if l == nil {
		return end, false
	}
	if l.left > 0 {
		l.left--
		return end, false
	}
	now := time.Now()
	if l.end.IsZero() {
		l.end = now.Add(l.wait)
	}
	if now.Before(l.end) {
		return l.end, true
	}
	s.limit = nil
	return end, false
}

// remaining is how many requests are left; full where there is no limit.
func (s *Server) remaining(full int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.limit == nil {
		return full
	}
	return s.limit.left
}

// seconds until end, whole and at least one, for headers.
func seconds(end time.Time) int {
	return max(1, int((time.Until(end)+time.Second-1)/time.Second))
}

// ExpireTokens has every OAuth token that was handed out so far refused with 401
// from now on.
func (s *Server) ExpireTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.tokens)
}

// issue makes an OAuth token.
func (s *Server) issue() (token string, life time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if life = s.options.TokenLife; life == 0 {
		life = 2 * time.Hour
	}
	s.issued++
	token = fmt.Sprintf("simulated-oauth-token-%d", s.issued)
	s.tokens[token] = time.Now().Add(life)
	return token, life
}

func (s *Server) issuedNow(token string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Now().Before(s.tokens[token])
}

// A right is what credentials are good for.
type right int

const (
	wrong right = iota
	nobody
	mayRead
	mayWrite
)

func (s *Server) right(r *http.Request) right {
	o := &s.options
	if o.Token == "" && o.ReadToken == "" && o.User == "" && o.ClientID == "" {
		return mayWrite
	}
	token, basic := s.forge.shown(r)
	user, password, isBasic := r.BasicAuth()
	switch {
	case token != "":
		return s.tokenRight(token)
	case basic && isBasic && o.User != "" && same(user, o.User) && same(password, o.Password):
		return mayWrite
	case isBasic && basic, r.Header.Get("Authorization") != "" && !isBasic:
		return wrong
	}
	return nobody
}

func (s *Server) tokenRight(token string) right {
	switch {
	case s.options.Token != "" && same(token, s.options.Token), s.issuedNow(token):
		return mayWrite
	case s.options.ReadToken != "" && same(token, s.options.ReadToken):
		return mayRead
	}
	return wrong
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// guard asks who it is, and for the repository, before anything else.
func (s *Server) guard(needs right, name func(*http.Request) string, serve func(http.ResponseWriter, *http.Request, *Repo)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		has := s.right(r)
		repo := s.repo(name(r))
		switch {
		case has == wrong:
			s.forge.refuse(w, http.StatusUnauthorized, "")
		case has == nobody:
			s.forge.anonymous(w)
		case repo == nil:
			s.forge.refuse(w, http.StatusNotFound, "")
		case has < needs:
			s.forge.refuse(w, http.StatusForbidden, "")
		default:
			serve(w, r, repo)
		}
	}
}
