package jenkinstest

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// build answers /build and /buildWithParameters.
func (k call) build(j *job, withParameters bool) {
	declared := j.declared(k.c.clock)
	if err := k.r.ParseForm(); err != nil {
		page(k.w, http.StatusBadRequest, "Malformed form")
		return
	}
	quiet, ok := k.quietPeriod()
	switch {
	case j.Access == NoBuild:
		k.forbidden("hudson.model.Item.Build")
		return
	case j.Disabled:
		page(k.w, http.StatusConflict, "The job is disabled")
		return
	case withParameters && declared == nil:
		page(k.w, http.StatusBadRequest, "The job is not parameterized")
		return
	case !withParameters && declared != nil:
		page(k.w, http.StatusBadRequest, "This page expects a form submission")
		return
	case !ok:
		page(k.w, http.StatusBadRequest, "Malformed delay")
		return
	}
	parameters, ok := k.parameters(declared)
	if !ok {
		page(k.w, http.StatusInternalServerError, "Illegal choice for a parameter")
		return
	}
	if j.Declines {
		k.redirect(http.StatusFound, k.root+k.jobURL(j))
		return
	}
	it, merged := k.c.enqueue(j, parameters, quiet)
	status := http.StatusCreated
	if merged && withParameters {
		status = http.StatusSeeOther
	}
	k.redirect(status, fmt.Sprintf("%s/queue/item/%d/", k.root, it.id))
}

// parameters are the declared ones only, with their defaults.
func (k call) parameters(declared []Parameter) (values map[string]string, ok bool) {
	if declared == nil {
		return nil, true
	}
	values = map[string]string{}
	for _, p := range declared {
		values[p.Name] = p.Default
		if sent, given := k.r.Form[p.Name]; given {
			values[p.Name] = sent[0]
		}
		if p.Choices != nil && !slices.Contains(p.Choices, values[p.Name]) {
			return nil, false
		}
	}
	return values, true
}

// quietPeriod reads delay as Jenkins does: a number with "sec", or
// milliseconds cut to whole seconds.
func (k call) quietPeriod() (time.Duration, bool) {
	text := k.r.Form.Get("delay")
	if text == "" {
		return k.c.opts.QuietPeriod, true
	}
	seconds, unit := strings.CutSuffix(text, "sec")
	n, err := strconv.ParseUint(strings.TrimSpace(seconds), 10, 31)
	if !unit {
		n /= 1000
	}
	return time.Duration(n) * time.Second, err == nil
}

func (k call) scan(j *job) {
	if j.Access == NoBuild {
		k.forbidden("hudson.model.Item.Build")
		return
	}
	k.c.scan(j)
	k.redirect(http.StatusFound, k.root+k.jobURL(j))
}

func (k call) stop(b *build) {
	if b.item.job.NoCancel {
		k.forbidden("hudson.model.Item.Cancel")
		return
	}
	if !b.over(k.c.clock) {
		b.ends, b.result = k.c.clock, "ABORTED"
	}
	k.redirect(http.StatusFound, fmt.Sprintf("%s%s%d/", k.root, k.jobURL(b.item.job), b.number))
}

// queue serves what is under /queue.
func (k call) queue(seg []string) {
	switch rest := strings.Join(seg, "/"); {
	case rest == "api/json":
		items := []any{}
		for _, it := range k.c.queue {
			if it.waiting() {
				items = append(items, k.itemJSON(it))
			}
		}
		from, to := k.span("items", len(items))
		k.json(map[string]any{"_class": "hudson.model.Queue", "items": items[from:to]})
	case rest == "cancelItem":
		k.acting(k.cancelItem)
	case len(seg) >= 2 && seg[0] == "item":
		k.item(seg[1], strings.Join(seg[2:], "/"))
	default:
		page(k.w, http.StatusNotFound, "Not Found")
	}
}

func (k call) item(id, rest string) {
	n, err := strconv.ParseInt(id, 10, 64)
	it := k.c.items[n]
	switch {
	case err != nil || it == nil:
		page(k.w, http.StatusNotFound, "Not Found")
	case rest == "api/json":
		k.json(k.itemJSON(it))
	case rest == "":
		k.w.Header().Set("Content-Type", "text/plain;charset=utf-8")
		_, _ = fmt.Fprintf(k.w, "Queue item %d of a simulated Jenkins\n", it.id)
	default:
		page(k.w, http.StatusNotFound, "Not Found")
	}
}

func (k call) cancelItem() {
	n, err := strconv.ParseInt(k.r.FormValue("id"), 10, 64)
	it := k.c.items[n]
	switch {
	case err != nil:
		page(k.w, http.StatusUnprocessableEntity, "Malformed id")
	case it == nil:
		page(k.w, http.StatusNotFound, "Provided id not found")
	case it.job.NoCancel:
		page(k.w, http.StatusUnprocessableEntity, "Item is not cancellable")
	case !it.waiting():
		page(k.w, http.StatusInternalServerError, "Could not cancel run for id")
	default:
		k.c.leave(it)
		it.cancelled = true
		k.w.WriteHeader(http.StatusNoContent)
	}
}

func (k call) redirect(status int, to string) {
	k.w.Header().Set("Location", to)
	k.w.WriteHeader(status)
}
