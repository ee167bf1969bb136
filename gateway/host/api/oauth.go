package api

import (
	"context"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-resty/resty/v2"
)

// OAuth client credentials of Bitbucket Cloud. Source: RFC 6749, section 4.4, and
// Bitbucket Cloud's "OAuth on Bitbucket Cloud".
type oauth struct {
	caller       *caller
	address      string // of the token endpoint
	client       string
	clientSecret string

	mu    sync.Mutex
	token string
	until time.Time
	last  string // the token that was given last
}

// early is how long before its end a token is replaced.
const early = time.Minute

// signIn has the caller sign with tokens for the client.
func (c *caller) signIn(client, clientSecret string) {
	o := &oauth{caller: c, address: tokenAddress(c.base), client: client, clientSecret: clientSecret}
	c.sign = func(ctx context.Context, r *resty.Request) error {
		token, err := o.get(ctx)
		r.SetAuthToken(token)
		return err
	}
	c.again = o.forget
}

// tokenAddress is where tokens are handed out.
func tokenAddress(base string) string {
	u, err := url.Parse(base)
	if err != nil {
		return base
	}
	if strings.EqualFold(u.Hostname(), "api.bitbucket.org") {
		u.Host = u.Host[len("api."):]
	}
	u.Path, u.RawPath = strings.TrimSuffix(u.Path, "/2.0")+"/site/oauth2/access_token", ""
	return u.String()
}

// get gives a token that lives, and fetches one where there is none.
func (o *oauth) get(ctx context.Context) (string, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.token != "" && time.Now().Before(o.until) {
		return o.token, nil
	}
	k := call{op: "fetch an OAuth token"}
	resp, err := o.caller.client.R().SetContext(ctx).SetBasicAuth(o.client, o.clientSecret).
		SetFormData(map[string]string{"grant_type": "client_credentials"}).Post(o.address)
	if err != nil {
		return "", o.caller.unanswered(ctx, &k, err)
	}
	var answer struct {
		AccessToken string `json:"access_token"`
		TokenType   string `json:"token_type"`
		ExpiresIn   int64  `json:"expires_in"` // seconds
	}
	switch status := resp.StatusCode(); {
	case status == 400 || status == 401:
		e := o.caller.judge(&k, status, resp.Header(), resp.Body())
		e.Host, e.Credentials = true, true
		e.Reason, e.Hint = "the client is refused", "check client_id and client_secret of the source's api, and that the OAuth consumer is a private one"
		return "", e
	case status/100 != 2:
		return "", o.caller.judge(&k, status, resp.Header(), resp.Body())
	}
	if err := json.Unmarshal(resp.Body(), &answer); err != nil || !isToken(answer.AccessToken) || answer.TokenType != "" && !strings.EqualFold(answer.TokenType, "bearer") {
		return "", &Error{Op: k.op, Status: resp.StatusCode(), Temporary: true, Host: true, Reason: "not an OAuth answer", Hint: hintURL}
	}
	life := time.Duration(min(answer.ExpiresIn, 86400)) * time.Second
	o.caller.issued.Store(&[]string{answer.AccessToken, o.last})
	o.last = answer.AccessToken
	o.token, o.until = answer.AccessToken, time.Now().Add(max(life-early, life/2))
	return o.token, nil
}

// isToken says that a text can stand in a header as a token: printable ASCII,
// and not longer than servers take headers.
func isToken(text string) bool {
	return text != "" && len(text) <= 4096 && strings.IndexFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) < 0
}

// forget drops the token, which was refused, so that another one is fetched.
func (o *oauth) forget() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.token = ""
	return true
}
