package rules

import (
	"net/url"
	"strings"

	"gopkg.in/yaml.v3"
)

// named calls each for every entry of a mapping of names.
func (l *loader) named(n *yaml.Node, what string, each func(key *yaml.Node, name string, val *yaml.Node)) {
	if n == nil {
		return
	}
	if n.Kind != yaml.MappingNode {
		l.fail(n, "write a name, a colon, and its fields below", "%ss must be a mapping of names, not %s", what, kindName(n))
		return
	}
	seen := map[string]bool{}
	for i := 0; i < len(n.Content); i += 2 {
		key := n.Content[i]
		l.checkName(key, what, key.Value)
		if seen[key.Value] {
			l.fail(key, "names are unique", "the %s %q is given twice", what, key.Value)
			continue
		}
		seen[key.Value] = true
		each(key, key.Value, resolve(n.Content[i+1]))
	}
}

func (l *loader) sources(n *yaml.Node) {
	l.named(n, "source", func(key *yaml.Node, name string, val *yaml.Node) {
		what := `source "` + name + `"`
		f := l.fields(val, what, "host", "token", "insecure")
		if f == nil {
			return
		}
		src := Source{Name: name, At: l.pos(key)}
		if f["host"] == nil {
			l.fail(key, "write host: bitbucket-post", "%s has no host", what)
		} else {
			src.Host = l.choice(f["host"], "host of "+what, BitbucketPost)
		}
		src.Insecure = l.boolean(f["insecure"], "insecure of "+what)
		if t := f["token"]; t != nil {
			for _, item := range l.items(t, "token of "+what) {
				if v, ok := l.expand(item, "token of "+what); ok {
					src.Tokens = append(src.Tokens, Secret(v))
				}
			}
		} else if !src.Insecure {
			l.fail(key, "write token: ${SOME_NAME}, and give it in the hook's address as ?token=…; or insecure: true to take pushes from anybody", "%s has no token", what)
		}
		l.set.sources = append(l.set.sources, src)
	})
}

func (l *loader) servers(n *yaml.Node) {
	l.named(n, "server", func(key *yaml.Node, name string, val *yaml.Node) {
		what := `server "` + name + `"`
		f := l.fields(val, what, "jenkins", "bamboo", "user", "token", "password")
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
			srv.URL = l.serverURL(f[srv.Kind], what, u)
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
		l.set.servers = append(l.set.servers, srv)
	})
}

func (l *loader) serverURL(n *yaml.Node, what, s string) string {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Hostname() == "" || (u.Scheme != "http" && u.Scheme != "https"):
		l.fail(n, "write it as https://ci.example.com or https://example.com/jenkins", "address of %s is no http or https address", what)
	case u.User != nil:
		l.fail(n, "write user: and token: beside it", "address of %s holds credentials", what)
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		l.fail(n, "leave out everything from the ? or # on", "address of %s holds a query or fragment", what)
	}
	return strings.TrimRight(s, "/")
}
