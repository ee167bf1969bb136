package host

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"strings"

	"github.com/pushgate/pushgate/rules"
)

// isOneOf says whether shown is one of the secrets, in time that tells nothing
// of them. An empty secret is none.
func isOneOf(secrets []rules.Secret, shown string) bool {
	got := sha256.Sum256([]byte(shown))
	found := 0
	for _, s := range secrets {
		want := sha256.Sum256([]byte(s))
		found |= subtle.ConstantTimeCompare(got[:], want[:])
	}
	return found == 1 && shown != ""
}

// showsToken finds a token of the source in a request: as ?token=, or as the
// user or password of basic authentication (which is what userinfo in a hook's
// address becomes).
func showsToken(src rules.Source, r *http.Request) bool {
	shown := append([]string{}, r.URL.Query()["token"]...)
	if user, password, ok := r.BasicAuth(); ok {
		shown = append(shown, user, password)
	}
	found := false
	for _, s := range shown {
		found = isOneOf(src.Tokens, s) || found
	}
	return found
}

// signedBy says whether hexSum is HMAC-SHA256 over text with one of the secrets:
// 64 hex digits. Wrong length, other digits and empty secrets never are.
func signedBy(secrets []rules.Secret, hexSum string, text []byte) bool {
	got, err := hex.DecodeString(hexSum)
	return err == nil && signedRaw(secrets, got, text)
}

// signedRaw is signedBy for the bytes of the sum.
func signedRaw(secrets []rules.Secret, got, text []byte) bool {
	if len(got) != sha256.Size {
		return false
	}
	found := false
	for _, s := range secrets {
		if s == "" {
			continue
		}
		mac := hmac.New(sha256.New, []byte(s))
		mac.Write(text)
		found = hmac.Equal(mac.Sum(nil), got) || found
	}
	return found
}

// one gives the value of a header that is there exactly once: of two signatures
// nobody can say which counts.
func one(h http.Header, name string) (string, bool) {
	values := h.Values(name)
	if len(values) != 1 {
		return "", false
	}
	return values[0], true
}

// hubSignature verifies the header that GitHub, Bitbucket and others send:
// "sha256=" and the HMAC of the body as it was sent.
func hubSignature(name string) func(rules.Source, http.Header, []byte) bool {
	return func(src rules.Source, h http.Header, body []byte) bool {
		value, ok := one(h, name)
		sum, isSHA256 := strings.CutPrefix(value, "sha256=")
		return ok && isSHA256 && signedBy(src.Secrets, sum, body)
	}
}
