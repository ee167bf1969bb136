package gateway

import (
	"compress/gzip"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/pushgate/pushgate/gateway/host"
	"github.com/pushgate/pushgate/gateway/ledger"
	"github.com/pushgate/pushgate/rules"
)

// accepted is the documented answer to a delivery.
type accepted struct {
	Delivery  string `json:"delivery"`
	Pushes    int    `json:"pushes"`
	Duplicate bool   `json:"duplicate"`
	URL       string `json:"url"`
}

// ignored is the documented answer to what is no push.
type ignored struct {
	Ignored string `json:"ignored"`
}

// refused is the documented answer to a request that is not accepted.
type refused struct {
	Error string `json:"error"`
	Hint  string `json:"hint"`
}

// hook takes a push of the source in the path.
func (g *Gateway) hook(w http.ResponseWriter, r *http.Request) {
	r.RemoteAddr = g.remote(r)
	src, known := g.Rules().Source(r.PathValue("source"))
	if !known {
		g.refuse(w, r, "", host.Unauthorized())
		return
	}
	g.receive(w, r, src)
}

// broker takes a push of the POST service's source whose token it shows.
func (g *Gateway) broker(w http.ResponseWriter, r *http.Request) {
	r.RemoteAddr = g.remote(r)
	for _, src := range g.Rules().Sources() {
		if src.Host == rules.BitbucketPost && len(src.Tokens) > 0 && host.Admit(src, r) == nil {
			g.receive(w, r, src)
			return
		}
	}
	g.refuse(w, r, "", host.Unauthorized())
}

func (g *Gateway) receive(w http.ResponseWriter, r *http.Request, src rules.Source) {
	at := time.Now()
	if err := host.Admit(src, r); err != nil {
		g.refuse(w, r, src.Name, err)
		return
	}
	body, err := g.body(w, r)
	if err == nil {
		err = host.Verify(src, r.Header, body)
	}
	if err != nil {
		g.refuse(w, r, src.Name, err)
		return
	}
	d, err := host.Parse(src, r.Header, body)
	if err != nil {
		g.refuse(w, r, src.Name, err)
		return
	}
	if d.Ignored != "" {
		g.log.LogAttrs(r.Context(), slog.LevelInfo, "ignored", slog.String("source", src.Name), slog.String("why", d.Ignored))
		g.answer(w, http.StatusOK, ignored{d.Ignored})
		return
	}
	if g.recording.Add(1) > crowd {
		g.crowded.Store(time.Now().UnixNano())
	}
	look := d.Unnamed && src.API != nil
	got, err := g.ledger.Receive(r.Context(), ledger.Delivery{
		Source: src.Name, Key: d.Key, ReceivedAt: at, Repo: d.Repo, Remote: r.RemoteAddr, Headers: headersKept(r.Header), Note: d.Note, Look: look,
	}, body, d.Pushes)
	g.recording.Add(-1)
	if err != nil {
		g.refuse(w, r, src.Name, err)
		return
	}
	if !got.Duplicate && (got.Pushes > 0 || look) {
		signal(g.arrived)
	}
	g.log.LogAttrs(r.Context(), slog.LevelInfo, "received", slog.String("delivery", got.ID), slog.String("source", src.Name),
		slog.String("repo", d.Repo), slog.Int("pushes", got.Pushes), slog.Bool("duplicate", got.Duplicate), slog.String("note", d.Note))
	g.answer(w, http.StatusAccepted, accepted{got.ID, got.Pushes, got.Duplicate, g.o.PublicURL + "/deliveries/" + got.ID})
}

// headersKept are those that help a person; none holds credentials.
func headersKept(h http.Header) map[string]string {
	out := map[string]string{}
	for _, name := range host.HeadersKept() {
		if v := h.Get(name); v != "" {
			out[name] = strings.ToValidUTF8(v[:min(len(v), 500)], "?")
		}
	}
	return out
}

// body reads the request's body, unpacked, within the limit.
func (g *Gateway) body(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	tooLarge := &host.Refusal{Status: http.StatusRequestEntityTooLarge, Reason: "the body is too large", Hint: "push fewer commits at once"}
	if r.ContentLength > g.o.MaxBody {
		return nil, tooLarge
	}
	var in io.Reader = http.MaxBytesReader(w, r.Body, g.o.MaxBody)
	switch enc := strings.ToLower(r.Header.Get("Content-Encoding")); enc {
	case "", "identity":
	case "gzip", "x-gzip":
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, &host.Refusal{Status: http.StatusBadRequest, Reason: "the body is not gzip, though its header says so", Hint: "leave out Content-Encoding, or compress the body"}
		}
		in = io.LimitReader(z, g.o.MaxBody+1)
	default:
		return nil, &host.Refusal{Status: http.StatusUnsupportedMediaType, Reason: "the content encoding is not one that is read here", Hint: "send the body plain, or with gzip"}
	}
	body := make([]byte, 0, min(max(r.ContentLength, 512), 1<<20)+512)
	for {
		if len(body) == cap(body) {
			body = append(body, 0)[:len(body)]
		}
		n, err := in.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		_, beyond := errors.AsType[*http.MaxBytesError](err)
		switch {
		case beyond || int64(len(body)) > g.o.MaxBody:
			return nil, tooLarge
		case err == io.EOF:
			return body, nil
		case err != nil:
			return nil, &host.Refusal{Status: http.StatusBadRequest, Reason: "the body ends before its end", Hint: "send it again"}
		}
	}
}

// refuse answers a request that is not accepted, and logs and counts it.
func (g *Gateway) refuse(w http.ResponseWriter, r *http.Request, source string, err error) {
	refusal, ok := errors.AsType[*host.Refusal](err)
	if !ok {
		refusal = &host.Refusal{Status: http.StatusServiceUnavailable, Reason: "the push could not be recorded and was not accepted", Hint: "send it again later; the operator finds the cause in the log of pushgate"}
		w.Header().Set("Retry-After", "5")
		g.log.Error("a push could not be recorded; its sender got 503", "source", source, "error", err, "refusals", g.refusals.Add(1))
	} else {
		if refusal.Status == http.StatusUnauthorized {
			source = "" // a stranger's word
		}
		g.log.Warn("refused", "status", refusal.Status, "reason", refusal.Reason, "source", source, "remote", r.RemoteAddr, "refusals", g.refusals.Add(1))
	}
	if refusal.Status == http.StatusUnauthorized || refusal.Status == http.StatusRequestEntityTooLarge {
		w.Header().Set("Connection", "close") // its body was not read
	}
	g.answer(w, refusal.Status, refused{refusal.Reason, refusal.Hint})
}

func (g *Gateway) answer(w http.ResponseWriter, status int, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		g.log.Error("cannot write an answer", "error", err)
		status, text = http.StatusInternalServerError, []byte(`{"error":"internal error","hint":"see the log of pushgate"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// A sender that has gone does not change what was committed.
	_, _ = w.Write(append(text, '\n'))
}
