// Package web serves the pages: the list of deliveries, and of each the pushes,
// the decision rule by rule, and the builds. Contract:
//
//   - No page changes anything; all of them answer GET only.
//   - Text from a push is data: html/template escapes it for where it stands,
//     links are made only of http and https addresses, and the pages carry a
//     policy that allows neither scripts nor styles of others.
//   - A decision is shown by deciding again under the rule set that decided:
//     the same function, the same arguments.
package web

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/pushgate/pushgate/gateway/ledger"
	"github.com/pushgate/pushgate/rules"
)

//go:embed templates/*.html style.css
var files embed.FS

// Options say what the pages show.
type Options struct {
	Ledger *ledger.Ledger
	// Rules gives the set in force.
	Rules func() *rules.Set
	// RulesState says whether that set is what the rule files hold; every page
	// warns where it is not. nil: the files are not watched.
	RulesState func() RulesState
	// PublicURL is where the pages are found, without a trailing slash.
	PublicURL string
	Logger    *slog.Logger
}

// Pages are the handlers of the dashboard.
type Pages struct {
	o         Options
	templates *template.Template
	style     []byte

	mu   sync.Mutex
	sets map[string]*rules.Set // by hash; a few
}

// New parses the templates.
func New(o Options) (*Pages, error) {
	style, err := files.ReadFile("style.css")
	if err != nil {
		return nil, fmt.Errorf("read style: %w", err)
	}
	p := &Pages{o: o, style: style, sets: map[string]*rules.Set{}}
	p.templates, err = template.New("").Funcs(template.FuncMap{
		"when":   func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") },
		"short":  func(s string) string { return s[:min(len(s), 12)] },
		"link":   link,
		"brief":  brief,
		"clause": func(s string) string { clause, _, _ := strings.Cut(s, ";"); return clause },
		// A function, so that no page can leave the warning out.
		"failing": p.failing,
	}).ParseFS(files, "templates/*.html")
	if err != nil {
		return nil, fmt.Errorf("parse pages: %w", err)
	}
	return p, nil
}

// brief cuts a long name for a list; its page shows all of it.
func brief(s string) string {
	if r := []rune(s); len(r) > 200 {
		return string(r[:200]) + "…"
	}
	return s
}

// link gives an address that may stand in a link, or "".
func link(s string) string {
	u, err := url.Parse(s)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") {
		return ""
	}
	return s
}

// Style serves the stylesheet.
func (p *Pages) Style(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	w.Header().Set("Cache-Control", "max-age=300")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(p.style))
}

// pageSize is how many deliveries one page lists.
const pageSize = 50

// row is a delivery in the list, with its first pushes and builds.
type row struct {
	ledger.Delivery
	Pushes                 []ledger.Push
	Builds                 []ledger.Build
	MorePushes, MoreBuilds int
}

// rowItems is how many pushes and builds a row shows.
const rowItems = 10

// cut gives the first of a list, and how many more there are.
func cut[T any](list []T) (first []T, more int) {
	first = list[:min(len(list), rowItems)]
	return first, len(list) - len(first)
}

// A silence is a source whose code host has not told the changed files of its
// newest pushes.
type silence struct {
	Source, Why string
	Pushes      int
}

// silent is how many pushes in a row make a silence: a host may rightly have no
// answer to one.
const silent = 3

// silences finds them among deliveries, newest first.
func silences(rows []row) []silence {
	var out []silence
	at, over := map[string]int{}, map[string]bool{}
	for i := range rows {
		for k := range rows[i].Pushes {
			push, source := &rows[i].Pushes[k], rows[i].Source
			if push.State != ledger.PushDecided || push.Push.Event == rules.Deleted || push.Push.Kind == rules.Tag || over[source] {
				continue
			}
			if over[source] = push.Push.Files.Completeness == rules.Complete; over[source] || push.Push.Files.Note == "" {
				continue // told, or not asked
			}
			if _, known := at[source]; !known {
				at[source] = len(out)
				out = append(out, silence{Source: source, Why: push.Push.Files.Note})
			}
			out[at[source]].Pushes++
		}
	}
	return slices.DeleteFunc(out, func(s silence) bool { return s.Pushes < silent })
}

// Deliveries serves the list, newest first; ?before=N is the page after the
// delivery numbered N.
func (p *Pages) Deliveries(w http.ResponseWriter, r *http.Request) {
	before, _ := strconv.ParseInt(r.URL.Query().Get("before"), 10, 64)
	list, err := p.o.Ledger.Deliveries(r.Context(), ledger.Filter{Limit: pageSize + 1, Before: before})
	data := struct {
		Rows      []row
		Next      int64
		Before    int64
		PublicURL string
		Sources   []rules.Source
		Silences  []silence
	}{Before: before, PublicURL: p.o.PublicURL, Sources: p.o.Rules().Sources()}
	if len(list) > pageSize {
		list = list[:pageSize]
		data.Next = list[pageSize-1].N
	}
	for i := 0; err == nil && i < len(list); i++ {
		item := row{Delivery: list[i]}
		if item.Pushes, err = p.o.Ledger.Pushes(r.Context(), &item.Delivery); err == nil {
			item.Builds, err = p.o.Ledger.Builds(r.Context(), &item.Delivery)
		}
		item.Pushes, item.MorePushes = cut(item.Pushes)
		item.Builds, item.MoreBuilds = cut(item.Builds)
		data.Rows = append(data.Rows, item)
	}
	if before == 0 {
		data.Silences = silences(data.Rows)
	}
	p.render(w, r, "deliveries.html", data, err)
}

// pushView is a push on its delivery's page.
type pushView struct {
	ledger.Push
	Explanation *rules.Explanation // nil while it waits
	Problem     string             // why there is none
	Builds      []ledger.Build
}

// pushesShown bounds the pushes on a delivery's page.
const pushesShown = 50

// Delivery serves one delivery.
func (p *Pages) Delivery(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	var data struct {
		ledger.Delivery
		Pushes   []pushView
		More     int // pushes not shown
		Statuses []ledger.Told
	}
	var err error
	if data.Delivery, err = p.o.Ledger.Delivery(ctx, r.PathValue("id")); err != nil {
		p.render(w, r, "", nil, err)
		return
	}
	pushes, err := p.o.Ledger.Pushes(ctx, &data.Delivery)
	if err != nil {
		p.render(w, r, "", nil, err)
		return
	}
	if data.Statuses, err = p.o.Ledger.Statuses(ctx, &data.Delivery); err != nil {
		p.render(w, r, "", nil, err)
		return
	}
	builds, err := p.o.Ledger.Builds(ctx, &data.Delivery)
	byPush := map[int64][]ledger.Build{}
	for _, b := range builds {
		if b.State == ledger.Due && !p.serves(b.Server) {
			b.Reason = "the rules in force no longer name its server; it waits until they do"
		}
		byPush[b.Push] = append(byPush[b.Push], b)
	}
	data.More = max(0, len(pushes)-pushesShown)
	for _, push := range pushes[:len(pushes)-data.More] {
		v := pushView{Push: push}
		if push.State == ledger.PushDecided {
			if e, why := p.explain(ctx, &push); why != nil {
				v.Problem = why.Error()
			} else {
				v.Explanation = e
			}
		}
		v.Builds = byPush[push.N]
		data.Pushes = append(data.Pushes, v)
	}
	p.render(w, r, "delivery.html", data, err)
}

// serves says whether the rules in force name the server.
func (p *Pages) serves(server string) bool {
	return slices.ContainsFunc(p.o.Rules().Servers(), func(s rules.Server) bool { return s.Name == server })
}

// explain decides again, under the set that decided.
func (p *Pages) explain(ctx context.Context, push *ledger.Push) (*rules.Explanation, error) {
	set, err := p.rules(ctx, push.Rules)
	if err != nil {
		return nil, err
	}
	e := set.Decide(&push.Push, push.Owed).Explain()
	return &e, nil
}

func (p *Pages) rules(ctx context.Context, hash string) (*rules.Set, error) {
	if now := p.o.Rules(); now.Hash() == hash {
		return now, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.sets[hash]; s != nil {
		return s, nil
	}
	s, err := p.o.Ledger.Rules(ctx, hash)
	if err != nil {
		return nil, err
	}
	if len(p.sets) >= 8 {
		clear(p.sets)
	}
	p.sets[hash] = s
	return s, nil
}

// render writes a page, or the one for err.
func (p *Pages) render(w http.ResponseWriter, r *http.Request, name string, data any, err error) {
	status := http.StatusOK
	switch {
	case errors.Is(err, ledger.ErrNotFound):
		status, name, data = http.StatusNotFound, "error.html", "There is no such delivery. It may have been pruned, or the address is incomplete."
	case err != nil:
		p.o.Logger.Error("cannot show a page", "path", r.URL.Path, "error", err)
		status, name, data = http.StatusServiceUnavailable, "error.html", "The ledger cannot be read. Try again; the operator finds the cause in the log."
	}
	var b bytes.Buffer
	if err := p.templates.ExecuteTemplate(&b, name, data); err != nil {
		p.o.Logger.Error("cannot write a page", "page", name, "error", err)
		http.Error(w, "the page could not be written; see the log of pushgate", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = b.WriteTo(w)
}
