package rest

import (
	"bytes"
	"errors"
	"fmt"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// maxWords bounds a cleaned text, in characters.
const maxWords = 300

// A Cleaner makes texts of others fit to be shown; it holds the secrets that
// must not be.
type Cleaner []string

// Text gives one line: no control or formatting characters, no secret, bounded.
func (c Cleaner) Text(text string) string {
	text = c.hide(text)
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case IsControl(r) || r == unicode.ReplacementChar:
			return -1
		}
		return r
	}, text)
	// What was left out may have stood within a secret.
	text = c.hide(strings.Join(strings.Fields(text), " "))
	if runes := []rune(text); len(runes) > maxWords {
		text = string(runes[:maxWords]) + "…"
	}
	return text
}

func (c Cleaner) hide(text string) string {
	for _, secret := range c {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, "…")
		}
	}
	return text
}

// Cause cuts the URL off a client's error, whose query is of no use to people,
// and whatever secret a strange transport may have put there.
func (c Cleaner) Cause(err error) error {
	if ue, ok := errors.AsType[*url.Error](err); ok {
		err = ue.Err
	}
	if text := c.Text(err.Error()); text != err.Error() {
		return errors.New(text)
	}
	return err
}

// Destination names where a redirect points, without its query, which may carry
// a session; nil where it says nothing.
func (c Cleaner) Destination(location string) error {
	u, err := url.Parse(location)
	if err != nil || location == "" {
		return nil
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return fmt.Errorf("to %q", c.Text(u.String()))
}

// IsControl holds for what steers a terminal or turns a line around.
func IsControl(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }

// IsPage holds for HTML, by its type or its looks.
func IsPage(header http.Header, body []byte) bool {
	kind, _, _ := mime.ParseMediaType(header.Get("Content-Type"))
	if kind == "text/html" || kind == "application/xhtml+xml" {
		return true
	}
	start := bytes.ToLower(bytes.TrimSpace(body[:min(len(body), 512)]))
	return bytes.HasPrefix(start, []byte("<!doctype html")) || bytes.HasPrefix(start, []byte("<html"))
}

// IsTimeout says whether an error is that of a time that ran out.
func IsTimeout(err error) bool {
	ne, ok := errors.AsType[net.Error](err)
	return ok && ne.Timeout()
}

// MaxRetryAfter bounds what a server may ask for.
const MaxRetryAfter = time.Hour

// RetryAfter reads seconds or an HTTP date; 0 for neither.
func RetryAfter(value string, now time.Time) time.Duration {
	if n, err := strconv.Atoi(value); err == nil {
		return time.Duration(min(max(n, 0), int(MaxRetryAfter/time.Second))) * time.Second
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	return min(max(at.Sub(now), 0), MaxRetryAfter)
}
