package hosttest

import (
	"net/http"
	"net/url"
	"path"
	"slices"
)

func href(address string) doc { return doc{"href": address} }

// when is how this host writes times.
func (c *cloud) when(at *commit) string { return at.when.Format("2006-01-02T15:04:05-07:00") }

// Documents are the same in the API and in webhooks; api and web are the
// addresses that their links start with.

func (c *cloud) repoDoc(api, web string, repo *Repo) doc {
	return doc{
		"type": "repository", "full_name": repo.name, "name": path.Base(repo.name), "slug": path.Base(repo.name),
		"uuid": "{3d1c8f66-0000-4000-a000-000000000001}", "scm": "git", "website": nil, "is_private": true,
		"links": doc{"self": href(api + "/2.0/repositories/" + repo.name), "html": href(web + "/" + repo.name)},
		"owner": c.user(path.Dir(repo.name)), "workspace": doc{"type": "workspace", "slug": path.Dir(repo.name), "name": path.Dir(repo.name)},
		"project": doc{"type": "project", "key": "PROJ", "name": "Project"},
	}
}

func (c *cloud) user(name string) doc {
	return doc{"type": "user", "display_name": name, "nickname": name, "account_id": "557058:" + name, "uuid": "{5e7c2f66-0000-4000-a000-000000000002}"}
}

func (c *cloud) commitDoc(api, web string, repo *Repo, at *commit) doc {
	self := api + "/2.0/repositories/" + repo.name + "/commit/"
	parents := each(at.parents, func(p *commit) doc {
		return doc{"type": "commit", "hash": p.id, "links": doc{"self": href(self + p.id), "html": href(web + "/" + repo.name + "/commits/" + p.id)}}
	})
	text := doc{"type": "rendered", "raw": at.message, "markup": "markdown", "html": "<p>simulated</p>"}
	return doc{
		"type": "commit", "hash": at.id, "date": c.when(at), "message": at.message, "summary": text, "rendered": doc{"message": text},
		"author":  doc{"type": "author", "raw": at.name + " <" + at.mail + ">", "user": c.user(at.name)},
		"parents": parents,
		"links": doc{
			"self": href(self + at.id), "html": href(web + "/" + repo.name + "/commits/" + at.id),
			"statuses": href(self + at.id + "/statuses"),
		},
		"repository": doc{"type": "repository", "full_name": repo.name, "name": path.Base(repo.name), "links": doc{"self": href(api + "/2.0/repositories/" + repo.name)}},
	}
}

func (c *cloud) refDoc(api, web string, repo *Repo, kind, name string, at *commit) doc {
	self, part := api+"/2.0/repositories/"+repo.name, map[string]string{"branch": "branches", "tag": "tags"}[kind]
	return doc{
		"type": kind, "name": name, "target": c.commitDoc(api, web, repo, at),
		"links": doc{
			"self": href(self + "/refs/" + part + "/" + name), "commits": href(self + "/commits/" + name),
			"html": href(web + "/" + repo.name + "/" + kind + "/" + name),
		},
	}
}

// stat is one file of a diffstat; old or new is null where it is not there.
func (c *cloud) stat(api string, repo *Repo, old, now *commit, ch Change) doc {
	file := func(at *commit, name string) any {
		if at == nil || name == "" {
			return nil
		}
		escaped := (&url.URL{Path: name}).EscapedPath()
		return doc{"type": "commit_file", "path": name, "escaped_path": escaped, "links": doc{"self": href(api + "/2.0/repositories/" + repo.name + "/src/" + at.id + "/" + escaped)}}
	}
	d := doc{"type": "diffstat", "status": string(ch.Kind), "lines_added": 1, "lines_removed": 1, "old": file(old, ch.Path), "new": file(now, ch.Path)}
	switch ch.Kind {
	case Added:
		d["lines_removed"], d["old"] = 0, nil
	case Removed:
		d["lines_added"], d["new"] = 0, nil
	case Renamed:
		d["lines_added"], d["lines_removed"], d["old"] = 0, 0, file(old, ch.From)
	}
	return d
}

// webhook is repo:push with one change: at most five commits, newest first, and
// none for a tag or where the ref is gone; never files.
func (c *cloud) webhook(m *move) (http.Header, []byte) {
	kind := "branch"
	if m.tag {
		kind = "tag"
	}
	ref := func(at *commit, id string) any {
		if at == nil {
			return nil
		}
		d := c.refDoc(page, page, m.repo, kind, m.name, at)
		if m.tag && id != at.id {
			d["message"], d["tagger"], d["date"] = "an annotated tag\n", doc{}, c.when(at)
		}
		return d
	}
	change := doc{
		"old": ref(m.old, m.before), "new": ref(m.now, m.after), "forced": m.forced,
		"created": m.old == nil, "closed": m.now == nil, "truncated": !m.tag && len(m.fresh) > 5, "links": doc{},
	}
	if m.now != nil && !m.tag {
		some := m.oldestFirst(5)
		slices.Reverse(some)
		change["commits"] = each(some, func(at *commit) doc { return c.commitDoc(page, page, m.repo, at) })
	}
	who := "pusher"
	if m.now != nil {
		who = m.now.name
	}
	body := encoded(doc{"push": doc{"changes": []doc{change}}, "repository": c.repoDoc(page, page, m.repo), "actor": c.user(who)})
	h := http.Header{}
	h.Set("Content-Type", "application/json")
	h.Set("User-Agent", "Bitbucket-Webhooks/2.0")
	h.Set("X-Event-Key", "repo:push")
	h.Set("X-Request-UUID", m.id)
	h.Set("X-Hook-UUID", "5e7c2f66-0000-4000-a000-000000000003")
	h.Set("X-Attempt-Number", "1")
	if m.secret != "" {
		h.Set("X-Hub-Signature", "sha256="+hexHMAC(m.secret, body))
	}
	return h, body
}
