package rules

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// api reads how the API of a source on such a host is asked.
func (l *loader) api(n *yaml.Node, host, what string) *API {
	f := l.fields(n, what, fieldsOf[apiFormat]()...)
	if f == nil {
		return nil
	}
	api := &API{}
	if f["url"] == nil {
		l.fail(n, "write url: "+exampleAPI(host), "%s has no url", what)
	} else if u, ok := l.expand(f["url"], "url of "+what); ok {
		api.URL = l.address(f["url"], "url of "+what, u, exampleAPI(host), "user: and password:")
		l.apiAddress(f["url"], host, what, api.URL)
	}
	read := func(name string) string {
		v, _ := l.expand(f[name], name+" of "+what)
		return v
	}
	api.User, api.ClientID = read("user"), read("client_id")
	api.Token, api.Password, api.ClientSecret = Secret(read("token")), Secret(read("password")), Secret(read("client_secret"))
	ways := waysIn(host)
	given := 0
	for _, name := range []string{"token", "password", "client_secret"} {
		if f[name] != nil {
			given++
		}
	}
	switch {
	case given > 1:
		l.fail(n, ways, "%s has more than one kind of credentials", what)
	case f["token"] != nil && (f["user"] != nil || f["client_id"] != nil):
		l.fail(n, "take that out, or write password: or client_secret: in place of token:", "%s has a token beside a user or client_id", what)
	case (f["user"] != nil) != (f["password"] != nil), (f["client_id"] != nil) != (f["client_secret"] != nil):
		l.fail(n, ways, "%s has half of its credentials", what)
	case f["client_id"] != nil && host != "" && !isBitbucketOrg(host):
		l.fail(f["client_id"], "OAuth client credentials are Bitbucket Cloud's; write token:", "%s has a client_id, but its host is %s", what, host)
	case f["password"] != nil && (host == GitLab || host == Gogs):
		l.fail(f["password"], "its API takes a token; write token:", "%s has a password, but its host is %s", what, host)
	case f["password"] != nil && host == GitHub && strings.HasPrefix(api.URL, "https://api.github.com"):
		l.warn(l.pos(f["password"]), "write token: in place of user: and password:", "%s has a password, and GitHub takes tokens alone", what)
	case api.User != "" && isBitbucketOrg(host) && !strings.Contains(api.User, "@"):
		l.warn(l.pos(f["user"]), "write the e-mail of the account and an API token; or token: for an access token, or client_id: and client_secret:", "user of %s is no e-mail: Bitbucket Cloud's app passwords, which went with the name, are no more", what)
	case given == 0:
		api.anonymous = true
		l.warn(l.pos(n), ways, "%s has no credentials: it sees public repositories at most, and no status is reported", what)
	}
	return api
}

// waysIn is the hint that lists the credentials that a host takes.
func waysIn(host string) string {
	switch {
	case isBitbucketOrg(host) || host == "":
		return "write token:, or user: and password:, or client_id: and client_secret:"
	case host == GitHub || host == GitLab || host == Gogs:
		return "write token:"
	}
	return "write token:, or user: and password:"
}

// exampleAPI is what an address of a host's API looks like.
func exampleAPI(host string) string {
	switch host {
	case GitHub:
		return "https://api.github.com or https://github.example.com/api/v3"
	case BitbucketCloud, BitbucketPost:
		return "https://api.bitbucket.org"
	case "", BitbucketDataCenter:
		return "https://bitbucket.example.com"
	}
	return "https://" + host + ".example.com"
}

// isBitbucketOrg says that the API of a source on such a host is the one of
// bitbucket.org.
func isBitbucketOrg(host string) bool { return host == BitbucketCloud || host == BitbucketPost }

// apiAddress refuses addresses at which there is no API of that host, and warns
// of those at which there is hardly one.
func (l *loader) apiAddress(n *yaml.Node, host, what, address string) {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" || host == "" {
		return
	}
	name := strings.ToLower(u.Hostname())
	public := map[string]string{GitHub: "https://api.github.com", BitbucketCloud: "https://api.bitbucket.org", BitbucketPost: "https://api.bitbucket.org", GitLab: "https://gitlab.com"}[host]
	pages := map[string]string{"github.com": GitHub, "bitbucket.org": BitbucketCloud}[strings.TrimPrefix(name, "www.")]
	// The APIs that everybody shares, with the hosts whose pushes they know.
	owners := map[string][]string{
		"api.github.com": {GitHub}, "api.bitbucket.org": {BitbucketCloud, BitbucketPost}, "gitlab.com": {GitLab},
	}[name]
	path := strings.TrimRight(u.Path, "/")
	switch {
	case pages == host, pages == BitbucketCloud && host == BitbucketPost:
		l.fail(n, "write url: "+public, "url of %s is where the pages are, not the API", what)
	case pages != "", owners != nil && !slices.Contains(owners, host):
		l.fail(n, "write the address of your "+host+" server, or the host that this is of", "%s has the url of another host: its host is %s", what, host)
	case owners != nil && u.Scheme != "https":
		l.fail(n, "write url: "+public, "url of %s would send the credentials unprotected", what)
	case owners != nil && path != "" && path != map[string]string{BitbucketCloud: "/2.0", BitbucketPost: "/2.0", GitLab: "/api/v4"}[host]:
		l.fail(n, "write url: "+public, "url of %s goes on behind the address of the API", what)
	case host == GitHub && owners == nil && !strings.HasPrefix(name, "api.") && !strings.HasSuffix(path, "/api/v3") && !loopback(name):
		l.warn(l.pos(n), "write url: "+u.Scheme+"://"+u.Host+"/api/v3", "url of %s does not end with /api/v3, where GitHub Enterprise Server has its API", what)
	case isBitbucketOrg(host) && owners == nil && !loopback(name):
		l.warn(l.pos(n), "write url: "+public+"; a server of your own is host: "+BitbucketDataCenter, "url of %s is not where Bitbucket Cloud has its API", what)
	}
}

// loopback says that the name is of this machine, as simulated hosts are.
func loopback(name string) bool {
	ip, err := netip.ParseAddr(name)
	return name == "localhost" || err == nil && ip.IsLoopback()
}
