package cli

import (
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// TestServeReloads is the program itself: rules and secrets change under it, it
// is told by SIGHUP, and its pages say when a rule file is bad.
func TestServeReloads(t *testing.T) {
	s := newWatchStage(t)
	rulesOf := func(more string) string {
		return "sources: {hook: {host: bitbucket-post, token: 'file:token'}}\n" + text(0) + more
	}
	s.write("rules.yaml", rulesOf(""))
	s.write("token", "first-value")
	cmd := exec.Command("pushgate", "serve", "--listen", "127.0.0.1:0")
	cmd.Dir, cmd.Stderr = s.dir, s.log
	s.must(cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	var base string
	s.until("it serves", func() bool {
		_, rest, _ := strings.Cut(s.log.String(), " listen=")
		address, _, ok := strings.Cut(rest, " ")
		base = "http://" + address
		return ok
	})
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	page := func() string {
		t.Helper()
		resp, err := client.Get(base + "/")
		s.must(err)
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		s.must(err)
		return string(body)
	}
	opens := func(token string) bool {
		t.Helper()
		resp, err := client.PostForm(base+"/hooks/hook?token="+token, url.Values{"payload": {`{"repository":{"absolute_url":"/acme/shop/"},"commits":[]}`}})
		s.must(err)
		resp.Body.Close()
		return resp.StatusCode == http.StatusAccepted
	}

	if !opens("first-value") || strings.Contains(page(), "has errors") {
		t.Fatal("it does not begin well")
	}
	s.write("token", "second-value")
	s.until("the rotated token opens the hook", func() bool { return opens("second-value") })
	if opens("first-value") {
		t.Error("the old token opens the hook")
	}

	s.write("rules.yaml", rulesOf("colour: <b>blue</b>\n"))
	s.until("the pages say that the file is bad", func() bool { return strings.Contains(page(), "The rule file has errors since") })
	if text := page(); !strings.Contains(text, "rules.yaml:4:1") || !strings.Contains(text, "unknown field &#34;colour&#34;") || strings.Contains(text, "<b>blue") {
		t.Errorf("the page does not say what is bad:\n%s", text)
	}
	if !opens("second-value") {
		t.Error("the rules did not stay in force")
	}
	s.write("rules.yaml", rulesOf("# good\n"))
	s.until("the pages are well again", func() bool { return !strings.Contains(page(), "has errors") })

	s.must(cmd.Process.Signal(syscall.SIGHUP))
	s.until("SIGHUP is answered", func() bool { return strings.Contains(s.log.String(), `msg="rules unchanged"`) })
	s.must(cmd.Process.Signal(os.Interrupt))
	if err := <-ended; err != nil {
		t.Errorf("its end: %v", err)
	}
	log := s.log.String()
	if strings.Count(log, `msg="rules reloaded"`) != 2 || strings.Count(log, "rules not reloaded") != 1 {
		t.Errorf("the log does not tell each reload:\n%s", log)
	}
	if strings.Contains(log, "-value") {
		t.Errorf("the log tells a secret:\n%s", log)
	}
}
