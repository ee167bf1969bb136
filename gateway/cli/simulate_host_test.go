package cli

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/pushgate/pushgate/gateway/host"
	"github.com/pushgate/pushgate/rules"
)

// TestSimulatedHost: its webhook is one that the rules of the example take, and
// names no file; what is wrong with a push is said.
func TestSimulatedHost(t *testing.T) {
	sim := &simulation{jenkinsURL: "http://127.0.0.1:1", bambooURL: "http://127.0.0.1:1"}
	set, err := rules.Load(os.DirFS("../../examples/bitbucket-callback"), "rules.yaml", func(ref string) (string, error) {
		if v := simulatedAccess()[ref]; v != "" {
			return v, nil
		}
		if ref == "BITBUCKET_API_URL" {
			return "http://127.0.0.1:1", nil
		}
		return sim.lookup(ref)
	})
	if err != nil {
		t.Fatal(err)
	}
	var got *host.Delivery
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = host.Verify(set.Sources()[0], r.Header, body)
		}
		if err == nil {
			got, err = host.Parse(set.Sources()[0], r.Header, body)
		}
		if err != nil {
			t.Error(err)
		}
		w.WriteHeader(http.StatusAccepted)
	}))
	defer hook.Close()
	var asked bytes.Buffer
	h := newSimulatedHost(hook.URL, &asked)
	post := func(form url.Values) (int, string) {
		r := httptest.NewRequest("POST", "/push", strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code, w.Body.String()
	}
	if code, said := post(url.Values{"branch": {"featureA"}, "file": {"a", "docs/b"}}); code != 200 || !strings.Contains(said, " to featureA; pushgate answered 202") {
		t.Errorf("%d %s", code, said)
	}
	if len(got.Pushes) != 1 || got.Pushes[0].Event != rules.Created || got.Pushes[0].Ref != "featureA" || got.Pushes[0].Files.Completeness != rules.Unknown {
		t.Errorf("%+v", got.Pushes)
	}
	if code, _ := post(url.Values{"file": {"a"}}); code != 200 || got.Pushes[0].Event != rules.Pushed || got.Pushes[0].Ref != simulatedBranch {
		t.Errorf("%d %+v", code, got.Pushes)
	}
	if code, said := post(url.Values{"branch": {"featureA"}}); code != 400 || !strings.Contains(said, "name what changed") {
		t.Errorf("%d %s", code, said)
	}
	hook.Close()
	if code, said := post(url.Values{"file": {"b"}}); code != 502 || !strings.Contains(said, "pushgate does not answer") {
		t.Errorf("%d %s", code, said)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/2.0/repositories/marcus/project-x", nil))
	if w.Code == http.StatusOK || asked.String() != "asked: GET /2.0/repositories/marcus/project-x\n" {
		t.Errorf("without credentials: %d, %q", w.Code, asked.String())
	}
}
