package api

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/pushgate/pushgate/rules"
)

// TestOddAnswers: what is no JSON that hosts write is an error, of any size.
func TestOddAnswers(t *testing.T) {
	old, now := hash("a1"), hash("b2")
	var bomb bytes.Buffer
	z, _ := gzip.NewWriterLevel(&bomb, gzip.BestSpeed)
	spaces := make([]byte, 1<<20)
	for i := range spaces {
		spaces[i] = ' '
	}
	for range 40 { // beyond the bound
		_, _ = z.Write(spaces)
	}
	_ = z.Close()
	const filled = 8 << 20
	fill := func(start, item, end string) []byte {
		return []byte(start + strings.Repeat(item, filled/len(item)) + strings.TrimSuffix(item, ",") + end)
	}
	read := map[string][]string{ // by hosts that read such a list
		"empty files": {rules.GitHub}, "refused": {rules.GitHub}, "refused, keys": {rules.GitHub}, "empty values": {rules.BitbucketCloud, rules.BitbucketDataCenter},
		"empty diffs": {rules.GitLab}, "empty commits": {rules.GitLab}, "parents": {rules.GitLab}, "nulls": {rules.Gitea}, "empty list": {rules.Gitea},
		"1 GiB": {rules.GitHub}, "40 MiB, packed": {rules.GitHub},
	}
	for name, say := range map[string]http.HandlerFunc{
		"deep":           answered(200, `{"x":`+strings.Repeat("[", 1_000_000)),
		"keys twice":     answered(200, `{"files":[],"files":[],"values":[],"values":[],"diffs":[],"diffs":[]}`),
		"other case":     answered(200, `{"Files":[],"Values":[],"Diffs":[],"Pagelen":1,"Status":"ahead"}`),
		"no UTF-8":       answered(200, "{\"files\":[{\"filename\":\"\xff\"}],\"values\":[{\"new\":{\"path\":\"\xff\"}}],\"diffs\":[{\"new_path\":\"\xff\"}]}"),
		"1 GiB":          func(w http.ResponseWriter, _ *http.Request) { pour(w, spaces, 1024) },
		"40 MiB, packed": func(w http.ResponseWriter, _ *http.Request) { packed(w, bomb.Bytes()) },
		"packed twice":   answered(200, bomb.String()[:1000], "Content-Encoding", "gzip, gzip"),
		"no gzip":        answered(200, `{}`, "Content-Encoding", "gzip"),
		"empty files":    answered(200, string(fill(`{"status":"ahead","total_commits":1,"merge_base_commit":{"sha":"1"},"pagelen":1,"isLastPage":true,"files":[`, "{},", `]}`))),
		"empty values":   answered(200, string(fill(`{"pagelen":1,"isLastPage":true,"values":[`, "{},", `]}`))),
		"empty diffs":    answered(200, string(fill(`{"compare_timeout":false,"diffs":[`, "{},", `]}`))),
		"empty commits":  answered(200, string(fill(`{"compare_timeout":true,"diffs":[],"commits":[`, "{},", `]}`))),
		"nulls":          answered(200, string(fill(`[`, "null,", `]`))),
		"empty list":     answered(200, string(fill(`[`, "{},", `]`))),
		"parents":        answered(200, string(fill(`{"compare_timeout":true,"diffs":[],"commits":[{"parent_ids":[`, `"",`, `]}]}`))),
		"refused":        answered(400, string(fill(`{"errors":[`, "1,", `]}`))),
		"refused, keys":  answered(400, string(fill(`{"error":{"message":"`, "1,", `"}}`))),
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(say)
			defer server.Close()
			hosts := read[name]
			if hosts == nil {
				hosts = comparingHosts
			}
			for _, hostName := range hosts {
				c := ask(t, hostName, rules.API{URL: server.URL})
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				diff, err := c.host.changed(t.Context(), "acme/shop", old, now)
				runtime.ReadMemStats(&after)
				if diff.complete || err == nil && diff.why == "" {
					t.Errorf("%s: complete %v, %v", hostName, diff.complete, err)
				}
				// Reading alone allocates six times what is read, a little at a time.
				limit := uint64(15 * filled)
				if strings.Contains(name, "iB") {
					limit = 14 * maxAnswer
				}
				if n := after.TotalAlloc - before.TotalAlloc; n > limit {
					t.Errorf("%s: %d MiB allocated", hostName, n>>20)
				}
			}
		})
	}
}

func pour(w http.ResponseWriter, text []byte, times int) {
	for range times {
		if _, err := w.Write(text); err != nil {
			return
		}
	}
}

func packed(w http.ResponseWriter, text []byte) {
	w.Header().Set("Content-Encoding", "gzip")
	_, _ = w.Write(text)
}

// TestManyNames: of ten million names a push keeps those that fit.
func TestManyNames(t *testing.T) {
	old, now := hash("a1"), hash("b2")
	const each = 20_000
	pages := 0
	for _, hostName := range []string{rules.BitbucketCloud, rules.Gitea} {
		pages = 0
		c := served(t, hostName, rules.API{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			pages++
			var b strings.Builder
			for i := range each {
				name := fmt.Sprintf("%07x", pages*each+i)
				switch hostName {
				case rules.BitbucketCloud:
					fmt.Fprintf(&b, `,{"new":{"path":%q}}`, name)
				default:
					fmt.Fprintf(&b, `,{"filename":%q}`, name)
				}
			}
			switch hostName {
			case rules.BitbucketCloud:
				fmt.Fprintf(w, `{"pagelen":%d,"values":[%s],"next":"http://%s%s?page=%d"}`, each, b.String()[1:], r.Host, r.URL.Path, pages)
			default:
				w.Header().Set("X-Total-Count", "10000000")
				fmt.Fprintf(w, `[{"sha":"%040x","parents":[{"sha":"%040x"}],"files":[%s]}]`, pages, pages+1, b.String()[1:])
			}
		}))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		diff, err := c.host.changed(t.Context(), "acme/shop", old, now)
		runtime.ReadMemStats(&after)
		n := len(diff.files.Files(false).Paths)
		if err != nil || diff.complete || n < 100_000 || n > 600_000 || pages > 120 {
			t.Errorf("%s: complete %v, %d names of %d pages: %v", hostName, diff.complete, n, pages, err)
		}
		t.Logf("%s: %d names, %d pages, %d MiB allocated, server included", hostName, n, pages, (after.TotalAlloc-before.TotalAlloc)>>20)
	}
}

// TestDrip: an answer that comes byte by byte ends with its time.
func TestDrip(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			_, _ = w.Write([]byte(" "))
			w.(http.Flusher).Flush()
			select {
			case <-r.Context().Done():
			case <-time.After(time.Millisecond):
			}
		}
	}))
	defer server.Close()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	for _, hostName := range comparingHosts {
		c, err := New(Options{Host: hostName, API: rules.API{URL: server.URL}, Transport: transport, Timeout: 50 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.host.changed(t.Context(), "acme/shop", hash("a"), hash("b"))
		if e := AsError("", err); e.Reason != "no answer in time" || !e.Temporary {
			t.Errorf("%s: %v", hostName, err)
		}
	}
}
