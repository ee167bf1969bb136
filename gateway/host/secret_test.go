package host

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"hash"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pushgate/pushgate/rules"
)

// mac is the HMAC in hex.
func mac(algorithm func() hash.Hash, secret, text string) string {
	h := hmac.New(algorithm, []byte(secret))
	h.Write([]byte(text))
	return hex.EncodeToString(h.Sum(nil))
}

// A proof is how one kind of header shows that its sender knows a secret.
type proof struct {
	header string
	show   func(secret, text string) string
	hosts  []string // that take it
}

func sha256Of(secret, text string) string { return mac(sha256.New, secret, text) }

var proofs = []proof{
	{"X-Hub-Signature", func(s, text string) string { return "sha256=" + sha256Of(s, text) }, []string{rules.BitbucketCloud, rules.BitbucketDataCenter}},
	{"X-Hub-Signature-256", func(s, text string) string { return "sha256=" + sha256Of(s, text) }, []string{rules.GitHub}},
	{"X-Gitlab-Token", func(s, _ string) string { return s }, []string{rules.GitLab}},
	{"X-Gitea-Signature", sha256Of, []string{rules.Gitea, rules.Forgejo}},
	{"X-Forgejo-Signature", sha256Of, []string{rules.Gitea, rules.Forgejo}},
	{"X-Gogs-Signature", sha256Of, []string{rules.Gogs}},
	// What no host here may be satisfied with.
	{"X-Hub-Signature", func(s, text string) string { return "sha1=" + mac(sha1.New, s, text) }, nil},
	{"X-Hub-Signature", sha256Of, nil},
	{"X-Hub-Signature-256", sha256Of, nil},
	{"X-Hub-Signature-256", func(s, text string) string { return "sha1=" + mac(sha1.New, s, text) }, nil},
	{"X-Hub-Signature-256", func(s, text string) string { return "sha256=" + mac(sha1.New, s, text) }, nil},
	{"X-Hub-Signature-256", func(s, text string) string { return "SHA256=" + sha256Of(s, text) }, nil},
	{"X-Hub-Signature-256", func(s, text string) string { return "sha256= " + sha256Of(s, text) }, nil},
	{"X-Gitea-Signature", func(s, text string) string { return "sha256=" + sha256Of(s, text) }, nil},
	{"X-Gitea-Signature", func(s, text string) string { return mac(sha1.New, s, text) }, nil},
	{"X-Gogs-Signature", func(s, text string) string { return "sha256=" + sha256Of(s, text) }, nil},
	{"X-Gitlab-Token", sha256Of, nil},
	{"Authorization", func(s, _ string) string { return "Bearer " + s }, nil},
	{"Authorization", func(s, _ string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(s+":"+s)) }, nil},
}

func (p *proof) goodFor(hostName string) bool {
	for _, h := range p.hosts {
		if h == hostName {
			return true
		}
	}
	return false
}

func proofOf(hostName string) proof {
	for _, p := range proofs {
		if p.goodFor(hostName) {
			return p
		}
	}
	panic("no proof for " + hostName)
}

// accepts asks as the gateway does; every refusal is the one answer.
func accepts(t *testing.T, src rules.Source, h http.Header, body string) bool {
	t.Helper()
	r := httptest.NewRequest("POST", "/hooks/s?token="+secret, nil)
	r.Header, r.RemoteAddr = h, "192.0.2.1:1000"
	err := Admit(src, r)
	if err == nil {
		err = Verify(src, h, []byte(body))
	}
	if err == nil {
		return true
	}
	refusal, _ := errors.AsType[*Refusal](err)
	if diff := cmp.Diff(Unauthorized(), refusal); diff != "" {
		t.Errorf("another answer: %s", diff)
	}
	return false
}

const secret = "a-secret"

func source(hostName string, secrets ...rules.Secret) rules.Source {
	return rules.Source{Name: "s", Host: hostName, Secrets: secrets}
}

// TestOnlyItsOwnProof: the source fixes what must be shown; of all hosts and
// headers only the diagonal passes.
func TestOnlyItsOwnProof(t *testing.T) {
	const body = `{"a": 1}`
	for _, hostName := range signing {
		src := source(hostName, secret)
		for i, p := range proofs {
			h := headers(hostName, p.header, p.show(secret, body))
			if got := accepts(t, src, h, body); got != p.goodFor(hostName) {
				t.Errorf("%s, %s (%d): %v", hostName, p.header, i, got)
			}
		}
		if accepts(t, src, headers(hostName), body) {
			t.Errorf("%s: taken without any", hostName)
		}
	}
	for _, hostName := range []string{"", "azure", "GitHub"} {
		if src := source(hostName, secret); accepts(t, src, headers(rules.GitHub, "X-Hub-Signature-256", "sha256="+sha256Of(secret, body)), body) {
			t.Errorf("host %q is taken", hostName)
		}
		if src := (rules.Source{Host: hostName, Insecure: true}); accepts(t, src, http.Header{}, body) {
			t.Errorf("host %q is taken, insecure", hostName)
		}
	}
}

func TestSecrets(t *testing.T) {
	const body = `{"a": 1}`
	for _, hostName := range signing {
		p := proofOf(hostName)
		shown := func(s, text string) http.Header { return headers(hostName, p.header, p.show(s, text)) }
		rotating := source(hostName, "old", secret, "next")
		for _, s := range []string{"old", secret, "next"} {
			if !accepts(t, rotating, shown(s, body), body) {
				t.Errorf("%s: %s of several secrets is refused", hostName, s)
			}
		}
		if accepts(t, rotating, shown("other", body), body) {
			t.Errorf("%s: another secret is taken", hostName)
		}
		if upper := headers(hostName, p.header, strings.Replace(strings.ToUpper(p.show(secret, body)), "SHA256=", "sha256=", 1)); hostName != rules.GitLab && !accepts(t, rotating, upper, body) {
			t.Errorf("%s: upper case digits are refused", hostName)
		}
		if got := accepts(t, rotating, shown(secret, body+" "), body); got != (hostName == rules.GitLab) {
			t.Errorf("%s: the signature of another body: %v", hostName, got)
		}
		for _, right := range [][]string{{p.show(secret, body), p.show(secret, body)}, {p.show(secret, body), "x"}, {"x", p.show(secret, body)}, {"", p.show(secret, body)}, {}} {
			h := headers(hostName)
			h[http.CanonicalHeaderKey(p.header)] = right
			if accepts(t, rotating, h, body) {
				t.Errorf("%s: %d headers are taken", hostName, len(right))
			}
		}
		// Secrets that are none, and sources that ask for nothing.
		for _, src := range []rules.Source{source(hostName), source(hostName, ""), source(hostName, "", "")} {
			for _, s := range []string{"", secret} {
				if accepts(t, src, shown(s, body), body) {
					t.Errorf("%s: %d empty secrets, %q shown: taken", hostName, len(src.Secrets), s)
				}
			}
			src.Insecure = true
			if got := accepts(t, src, headers(hostName), body); got != (len(src.Secrets) == 0) {
				t.Errorf("%s: insecure with %d secrets: %v", hostName, len(src.Secrets), got)
			}
		}
		here, elsewhere := netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.51.100.0/24")
		for _, c := range []struct {
			allow   netip.Prefix
			secrets []rules.Secret
			show    string
			ok      bool
		}{{here, nil, "", true}, {elsewhere, nil, "", false}, {here, []rules.Secret{secret}, secret, true}, {here, []rules.Secret{secret}, "x", false}, {elsewhere, []rules.Secret{secret}, secret, false}} {
			src := source(hostName, c.secrets...)
			src.Allow = []netip.Prefix{c.allow}
			if got := accepts(t, src, shown(c.show, body), body); got != c.ok {
				t.Errorf("%s: %+v: %v", hostName, c, got)
			}
		}
	}
}

// TestMalformedSignatures: no length and no alphabet is taken or panics, not
// even the beginning or a longer form of the right one.
func TestMalformedSignatures(t *testing.T) {
	const body = `{"a": 1}`
	for _, hostName := range signing {
		p := proofOf(hostName)
		right := p.show(secret, body)
		src := source(hostName, secret)
		try := func(value string) {
			if value != right && accepts(t, src, headers(hostName, p.header, value), body) {
				t.Errorf("%s: %q is taken", hostName, value)
			}
		}
		long := right + strings.Repeat(right, 30)
		for n := range 201 {
			for _, filler := range []string{"0", "f", "g", "=", "\xff", "sha256="} {
				text := strings.Repeat(filler, n)[:n]
				try(text)
				try("sha256=" + text)
				try("v1," + text)
			}
			try(long[:n])
			try("sha1=" + long[:n])
		}
		for _, value := range []string{right + "\n", " " + right, right + " ", right + "," + right, right + "\x00", "\"" + right + "\""} {
			try(value)
		}
		for i := range right {
			try(right[:i] + string(right[i]^1) + right[i+1:])
		}
		for _, kind := range []string{"", formType, "text/xml", "a/b/c", "application/json; charset"} {
			for _, text := range []string{"", "payload=", "payload", "%", "&", "payload=%7B%7D"} {
				if accepts(t, src, headers(hostName, p.header, "x", "Content-Type", kind), text) {
					t.Errorf("%s: %q %q is taken", hostName, kind, text)
				}
			}
		}
	}
}

// TestSignedForms: GitHub and Bitbucket sign the bytes they send; Gitea and its
// kin sign the JSON text, wherever it stands.
func TestSignedForms(t *testing.T) {
	const text = `{"a": "b+c ✓"}`
	sent := string(form(text))
	for _, hostName := range signing {
		p := proofOf(hostName)
		if hostName == rules.GitLab {
			continue // signs in its own way, below
		}
		ofText := hostName == rules.Gitea || hostName == rules.Forgejo || hostName == rules.Gogs
		for _, c := range []struct {
			what, signed, kind, body string
			ok                       bool
		}{
			{"a form signed over the JSON", text, formType, sent, ofText},
			{"a form signed over the form", sent, formType, sent, !ofText},
			{"JSON spaced anew", text, "application/json", `{"a":"b+c ✓"}`, false},
			{"JSON moved into a form of two fields", text, formType, sent + "&x=y", ofText},
			{"a form that claims to be JSON", text, "application/json", sent, false},
			{"JSON that claims to be a form", text, formType, text, !ofText},
		} {
			h := headers(hostName, p.header, p.show(secret, c.signed), "Content-Type", c.kind)
			if got := accepts(t, source(hostName, secret), h, c.body); got != c.ok {
				t.Errorf("%s: %s: %v", hostName, c.what, got)
			}
		}
	}
}

// TestVerifyTwice: GitLab's token is not taken on trust with the body.
func TestVerifyTwice(t *testing.T) {
	for _, value := range []string{"x", secret + "x"} {
		if Verify(source(rules.GitLab, secret), headers(rules.GitLab, "X-Gitlab-Token", value), []byte("{}")) == nil {
			t.Errorf("token %q is taken", value)
		}
	}
}

func TestGitLabSignatures(t *testing.T) {
	const body = `{"a": 1}`
	sign := func(key, text string) string {
		raw, err := hex.DecodeString(sha256Of(key, text))
		if err != nil {
			t.Fatal(err)
		}
		return "v1," + base64.StdEncoding.EncodeToString(raw)
	}
	key := "key \x00\xff of thirty-two bytes or so.."
	wrapped := rules.Secret("whsec_" + base64.StdEncoding.EncodeToString([]byte(key)))
	right := sign(secret, "id.1700000000."+body)
	for _, c := range []struct {
		what, signature, id, stamp, body string
		ok                               bool
	}{
		{"right", right, "id", "1700000000", body, true},
		{"among others", "v1,AAAA v2,x " + right, "id", "1700000000", body, true},
		{"by the key within a whsec_ secret", sign(key, "id.1700000000."+body), "id", "1700000000", body, true},
		{"another body", right, "id", "1700000000", body + " ", false},
		{"another id", right, "di", "1700000000", body, false},
		{"another time", right, "id", "1700000001", body, false},
		{"the dot moved", right, "id.1700000000", "", body, false},
		{"no id", right, "", "1700000000", body, false},
		{"no time", right, "id", "", body, false},
		{"no version", strings.TrimPrefix(right, "v1,"), "id", "1700000000", body, false},
		{"another version", "v1a," + right[3:], "id", "1700000000", body, false},
		{"hex", "v1," + sha256Of(secret, "id.1700000000."+body), "id", "1700000000", body, false},
		{"cut", right[:len(right)-4], "id", "1700000000", body, false},
		{"empty", "v1,", "id", "1700000000", body, false},
		{"by the empty key of an empty secret", sign("", "id.1700000000."+body), "id", "1700000000", body, false},
		{"by another key", sign("other", "id.1700000000."+body), "id", "1700000000", body, false},
	} {
		src := source(rules.GitLab, "old", secret, wrapped, "", "whsec_", "whsec_?")
		changed := []string{"webhook-signature", c.signature, "webhook-id", c.id, "webhook-timestamp", c.stamp}
		if got := accepts(t, src, headers(rules.GitLab, changed...), c.body); got != c.ok {
			t.Errorf("%s: %v", c.what, got)
		}
		if accepts(t, src, headers(rules.GitLab, append(changed, "X-Gitlab-Token", "x")...), c.body) {
			t.Errorf("%s: a wrong token beside it is overlooked", c.what)
		}
		twice := headers(rules.GitLab, changed...)
		twice.Add("webhook-signature", c.signature)
		if accepts(t, src, twice, c.body) {
			t.Errorf("%s: twice is taken", c.what)
		}
	}
}

// TestEmptyForm: a stranger's empty form is refused, not fatal.
func TestEmptyForm(t *testing.T) {
	for _, name := range []string{rules.Gitea, rules.Forgejo, rules.Gogs} {
		h := http.Header{"Content-Type": {formType}, "X-Gitea-Signature": {""}}
		if err := Verify(source(name, "s"), h, nil); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}
