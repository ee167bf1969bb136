package rules

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// named calls each for every entry of a mapping of names; what is one of them,
// many are all.
func (l *loader) named(n *yaml.Node, what, many string, each func(key *yaml.Node, name string, val *yaml.Node)) {
	if n == nil {
		return
	}
	if n.Kind != yaml.MappingNode {
		l.fail(n, "write a name, a colon, and what belongs to it", "%s must be a mapping of names, not %s", many, kindName(n))
		return
	}
	seen := map[string]bool{}
	for i := 0; i < len(n.Content); i += 2 {
		key := resolve(n.Content[i])
		l.checkName(key, what, key.Value)
		if seen[key.Value] {
			l.fail(key, "names are unique", "the %s %q is given twice", what, key.Value)
			continue
		}
		seen[key.Value] = true
		if len(key.Value) > maxShown {
			continue // it was said
		}
		each(key, key.Value, resolve(n.Content[i+1]))
	}
}

// few refuses more sources or servers than anybody has.
func (l *loader) few(n *yaml.Node, many string) *yaml.Node {
	if n != nil && n.Kind == yaml.MappingNode && len(n.Content) > 2*maxEnds {
		l.fail(n, "split the rules over several gateways", "there are more than %d %s", maxEnds, many)
		return nil
	}
	return n
}

func (l *loader) sources(n *yaml.Node) {
	n = l.few(n, "sources")
	l.named(n, "source", "sources", func(key *yaml.Node, name string, val *yaml.Node) {
		what := `source "` + name + `"`
		f := l.fields(val, what, fieldsOf[sourceFormat]()...)
		if f == nil {
			return
		}
		src := Source{Name: name, At: l.pos(key)}
		if f["host"] == nil {
			l.fail(key, "write host: "+strings.Join(wordsOf[hostName](), ", "), "%s has no host", what)
		} else {
			src.Host = l.choice(f["host"], "host of "+what, wordsOf[hostName]()...)
		}
		src.Insecure = l.boolean(f["insecure"], "insecure of "+what)
		src.Secrets = l.secrets(f["secret"], "secret of "+what)
		src.Tokens = l.secrets(f["token"], "token of "+what)
		for _, name := range []string{"secret", "token"} {
			if f[name] != nil && src.From == "" {
				src.From = writtenAs(f[name])
			}
		}
		if f["allow"] != nil {
			src.Allow = l.addresses(f["allow"], "allow of "+what)
		}
		switch isPost := src.Host == BitbucketPost; {
		case src.Host == "":
		case isPost && f["secret"] != nil:
			l.fail(f["secret"], "write token: …, and give it in the hook's address as ?token=…", "%s has a secret, but the POST service signs nothing", what)
		case !isPost && f["token"] != nil:
			l.fail(f["token"], "write secret: …, the one that the host's webhook has", "%s has a token, but %s shows a secret", what, src.Host)
		case src.Insecure || f["token"] != nil || f["secret"] != nil || f["allow"] != nil:
		case isPost:
			l.fail(key, "write token: ${SOME_NAME}, and give it in the hook's address as ?token=…; or insecure: true to take pushes from anybody", "%s has no token", what)
		default:
			l.fail(key, "write secret: ${SOME_NAME}, the one that the host's webhook has; or insecure: true to take pushes from anybody", "%s has no secret", what)
		}
		if f["api"] != nil {
			src.API = l.api(f["api"], src.Host, "api of "+what)
		}
		l.set.sources = append(l.set.sources, src)
	})
}

// writtenAs says where a secret, or the first of a list, comes from, if not from
// the file itself.
func writtenAs(n *yaml.Node) string {
	if n.Kind == yaml.SequenceNode && len(n.Content) > 0 {
		n = resolve(n.Content[0])
	}
	if m := envRef.FindString(n.Value); m == n.Value || strings.HasPrefix(n.Value, "file:") {
		return n.Value
	}
	return ""
}

// secrets reads one secret or a list.
func (l *loader) secrets(n *yaml.Node, what string) []Secret {
	if n == nil {
		return nil
	}
	var out []Secret
	for _, item := range l.items(n, what) {
		if v, ok := l.expand(item, what); ok {
			out = append(out, Secret(v))
		}
	}
	return out
}

func (l *loader) addresses(n *yaml.Node, what string) []netip.Prefix {
	var out []netip.Prefix
	for _, item := range l.items(n, what) {
		s, ok := l.text(item, what)
		if !ok {
			continue
		}
		p, err := ParseAddresses(s)
		if err != nil {
			l.fail(item, "write an address or a range of them: 192.0.2.7, 192.0.2.0/24, 2001:db8::/32", "%s cannot be %q", what, s)
			continue
		}
		out = append(out, p)
	}
	return out
}

// ParseAddresses reads an address or a range of them: 192.0.2.7, 192.0.2.0/24.
func ParseAddresses(text string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(text)
	if a, e := netip.ParseAddr(text); err != nil && e == nil && a.Zone() == "" {
		p, err = a.Prefix(a.BitLen())
	}
	return p.Masked(), err
}

func (l *loader) servers(n *yaml.Node) {
	n = l.few(n, "servers")
	l.named(n, "server", "servers", func(key *yaml.Node, name string, val *yaml.Node) {
		what := `server "` + name + `"`
		f := l.fields(val, what, fieldsOf[serverFormat]()...)
		if f == nil {
			return
		}
		srv := Server{Name: name, At: l.pos(key)}
		switch {
		case f["jenkins"] != nil && f["bamboo"] != nil:
			l.fail(key, "give each server a name of its own", "%s is both jenkins and bamboo", what)
		case f["jenkins"] != nil:
			srv.Kind = Jenkins
		case f["bamboo"] != nil:
			srv.Kind = Bamboo
		default:
			l.fail(key, "write jenkins: https://… or bamboo: https://…", "%s names no address", what)
			return
		}
		if u, ok := l.expand(f[srv.Kind], "address of "+what); ok {
			srv.URL = l.address(f[srv.Kind], "address of "+what, u, "https://ci.example.com or https://example.com/jenkins", "user: and token:")
		}
		srv.User, _ = l.expand(f["user"], "user of "+what)
		token, _ := l.expand(f["token"], "token of "+what)
		password, _ := l.expand(f["password"], "password of "+what)
		srv.Token, srv.Password = Secret(token), Secret(password)
		switch has := func(k string) bool { return f[k] != nil }; {
		case has("token") && has("password"):
			l.fail(key, "keep the token", "%s has both token and password", what)
		case has("password") && !has("user"), srv.Kind == Jenkins && has("token") && !has("user"):
			l.fail(key, "write user: …", "%s has credentials but no user", what)
		case has("user") && !has("token") && !has("password"):
			l.fail(key, "write token: ${SOME_NAME}", "%s has a user but neither token nor password", what)
		}
		if c := f["max_concurrent"]; c != nil {
			n, err := strconv.Atoi(c.Value)
			if c.Kind != yaml.ScalarNode || err != nil || n < 1 || n > maxCount {
				l.fail(c, "write a number from 1 on, or leave it out for no limit", "max_concurrent of %s cannot be %s", what, kindName(c))
			}
			srv.MaxConcurrent = n
		}
		if u := f["on_uncertain"]; u != nil {
			srv.HoldUncertain = l.choice(u, "on_uncertain of "+what, wordsOf[uncertainty]()...) == "hold"
		}
		l.set.servers = append(l.set.servers, srv)
	})
}

// address checks an http address and gives it without a trailing slash; example
// and credentials are for hints.
func (l *loader) address(n *yaml.Node, what, s, example, credentials string) string {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Hostname() == "" || (u.Scheme != "http" && u.Scheme != "https"):
		l.fail(n, "write it as "+example, "%s is no http or https address", what)
	case u.User != nil:
		l.fail(n, "write "+credentials+" beside it", "%s holds credentials", what)
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		l.fail(n, "leave out everything from the ? or # on", "%s holds a query or fragment", what)
	}
	return strings.TrimRight(s, "/")
}
