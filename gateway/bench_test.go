package gateway

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/pushgate/pushgate/gateway/ledger"
	"github.com/pushgate/pushgate/rules"
)

// benchRules decide on the benchmark's pushes: of 20 rules, one asks for the
// pushes' files and matches none.
func benchRules() string {
	var b strings.Builder
	b.WriteString("sources: {hook: {host: bitbucket-post, token: secret}}\nservers: {ci: {jenkins: 'http://127.0.0.1:1'}}\nrules:\n")
	for i := range 19 {
		fmt.Fprintf(&b, "- {name: r%d, repos: other/repo%d, start: {server: ci, job: x}}\n", i, i)
	}
	b.WriteString("- {name: own, repos: acme/shop, paths: ['services/**'], start: {server: ci, job: x}}\n")
	return b.String()
}

// benchBody is the n-th form body of about 4 KB, no two the same.
func benchBody(n int64) []byte {
	var files []string
	for i := range 28 {
		files = append(files, fmt.Sprintf(`{"file":"libs/part%d/file.go","type":"modified"}`, i))
	}
	text := fmt.Sprintf(`{"canon_url":"https://bitbucket.org","user":"ann","repository":{"absolute_url":"/acme/shop/","owner":"acme","slug":"shop","scm":"git"},
		"commits":[{"node":"%012x","raw_node":"%040x","parents":["%012x"],"branch":"b%d","author":"ann","raw_author":"Ann <ann@example.com>","message":"change","files":[%s],"size":-1,"utctimestamp":"2013-12-22 02:54:39+00:00"}]}`,
		n, n, max(0, n-1000), n%1000, strings.Join(files, ","))
	return []byte("payload=" + url.QueryEscape(text))
}

// inMemory is what the gateway is measured against: it reads, checks the token,
// decodes with encoding/json and answers 202 from memory.
func inMemory(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 25<<20))
	got, want := sha256.Sum256([]byte(r.URL.Query().Get("token"))), sha256.Sum256([]byte("secret"))
	if err != nil || subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
		http.Error(w, "no", http.StatusUnauthorized)
		return
	}
	form, err := url.ParseQuery(string(body))
	var push struct {
		Commits []struct {
			Author    string   `json:"author"`
			Branch    *string  `json:"branch"`
			Message   string   `json:"message"`
			Node      string   `json:"node"`
			Parents   []string `json:"parents"`
			RawAuthor string   `json:"raw_author"`
			RawNode   string   `json:"raw_node"`
			Files     []struct {
				File string `json:"file"`
			} `json:"files"`
		} `json:"commits"`
		Repository struct {
			AbsoluteURL string `json:"absolute_url"`
		} `json:"repository"`
	}
	if err != nil || json.Unmarshal([]byte(form.Get("payload")), &push) != nil {
		http.Error(w, "no", http.StatusBadRequest)
		return
	}
	answer, _ := json.Marshal(map[string]any{"delivery": "d_0", "pushes": len(push.Commits), "duplicate": false, "url": "http://127.0.0.1/deliveries/d_0"})
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusAccepted)
	w.Write(answer)
}

func readOnly(w http.ResponseWriter, r *http.Request) {
	if _, err := io.ReadAll(r.Body); err != nil {
		http.Error(w, "no", http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

// load sends total requests over 64 connections and gives the rate of 202s.
func load(tb testing.TB, address string, next *atomic.Int64, total int64) float64 {
	tb.Helper()
	last := next.Load() + total
	var wg sync.WaitGroup
	began := time.Now()
	for range 64 {
		wg.Go(func() {
			conn, err := net.Dial("tcp", address)
			if err != nil {
				tb.Error(err)
				return
			}
			defer conn.Close()
			in := bufio.NewReader(conn)
			var out bytes.Buffer
			for {
				n := next.Add(1)
				if n > last {
					return
				}
				body := benchBody(n)
				out.Reset()
				fmt.Fprintf(&out, "POST /hooks/hook?token=secret HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
				if _, err := conn.Write(out.Bytes()); err != nil {
					tb.Error(err)
					return
				}
				resp, err := http.ReadResponse(in, nil)
				if err != nil {
					tb.Error(err)
					return
				}
				io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				if resp.StatusCode != http.StatusAccepted {
					tb.Errorf("answered %s", resp.Status)
					return
				}
			}
		})
	}
	wg.Wait()
	return float64(total) / time.Since(began).Seconds()
}

// BenchmarkIntake measures acknowledged, durable deliveries per second at 64
// connections with bodies of 4 KB, in turn with the handlers it is compared to,
// so that a change of the machine's speed falls on all of them. The gateway
// decides on the deliveries beside, and before the others run what is left is
// decided: x-in-memory-with-deciding counts that time too.
func BenchmarkIntake(b *testing.B) {
	set, err := rules.Load(fstest.MapFS{"rules.yaml": {Data: []byte(benchRules())}}, "rules.yaml", rules.Unresolved)
	if err != nil {
		b.Fatal(err)
	}
	l, err := ledger.Open(b.Context(), ledger.Options{Database: "sqlite:" + filepath.Join(b.TempDir(), "l.db")})
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	g, err := New(Options{Rules: set, Ledger: l, PublicURL: "http://127.0.0.1"})
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := contextWithStop(b)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx) }()
	defer func() { stop(); <-ended }()

	var rates [3][]float64
	var next atomic.Int64
	servers := []*httptest.Server{
		httptest.NewServer(g.Handler()), httptest.NewServer(http.HandlerFunc(inMemory)), httptest.NewServer(http.HandlerFunc(readOnly)),
	}
	for _, s := range servers {
		defer s.Close()
	}
	var settled []float64 // with the time until all is decided
	for b.Loop() {
		for i, s := range servers {
			const total = 8000
			began := time.Now()
			rates[i] = append(rates[i], load(b, s.Listener.Addr().String(), &next, total))
			if i == 0 {
				for waiting := 1; waiting > 0; time.Sleep(time.Millisecond) {
					if waiting, _, err = l.Unfinished(b.Context()); err != nil {
						b.Fatal(err)
					}
				}
				settled = append(settled, total/time.Since(began).Seconds())
			}
		}
	}
	b.ReportMetric(median(rates[0]), "deliveries/s")
	b.ReportMetric(ratio(rates[0], rates[1]), "x-in-memory")
	b.ReportMetric(ratio(rates[0], rates[2]), "x-read-only")
	b.ReportMetric(ratio(settled, rates[1]), "x-in-memory-with-deciding")
	b.ReportMetric(0, "ns/op")
}
