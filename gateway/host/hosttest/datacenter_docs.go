package hosttest

import (
	"net/http"
	"path"
	"slices"
	"strings"
)

func (d *datacenter) repoDoc(repo *Repo) doc {
	key, slug, _ := strings.Cut(repo.name, "/")
	return doc{
		"id": 1, "slug": slug, "name": slug, "scmId": "git", "state": "AVAILABLE", "statusMessage": "Available",
		"hierarchyId": "050ab73089457a2ae375", "forkable": true, "public": false, "archived": false,
		"project": doc{"id": 1, "key": key, "name": key, "public": false, "type": "NORMAL"},
		"links":   doc{"self": []doc{href(page + "/projects/" + key + "/repos/" + slug + "/browse")}},
	}
}

func (d *datacenter) branchDoc(repo *Repo, name string, at *commit) doc {
	key, slug, _ := strings.Cut(repo.name, "/")
	return doc{
		"id": "refs/heads/" + name, "displayId": name, "type": "BRANCH", "latestCommit": at.id, "latestChangeset": at.id,
		"isDefault": name == repo.defaultBranch,
		"links":     doc{"self": []doc{href(page + "/projects/" + key + "/repos/" + slug + "/browse?at=" + ref(name))}},
	}
}

func (d *datacenter) commitDoc(at *commit) doc {
	who := doc{"name": at.name, "emailAddress": at.mail}
	return doc{
		"id": at.id, "displayId": at.id[:11], "message": at.message,
		"author": who, "authorTimestamp": at.when.UnixMilli(), "committer": who, "committerTimestamp": at.when.UnixMilli(),
		"parents": each(at.parents, func(p *commit) doc { return doc{"id": p.id, "displayId": p.id[:11]} }),
	}
}

func (d *datacenter) changeDoc(ch Change) doc {
	file := func(name string) doc {
		dir := path.Dir(name)
		if dir == "." {
			dir = ""
		}
		return doc{
			"components": strings.Split(name, "/"), "parent": dir, "name": path.Base(name),
			"extension": strings.TrimPrefix(path.Ext(name), "."), "toString": name,
		}
	}
	kind := map[Kind][2]string{
		Added: {"ADD", "ADD"}, Modified: {"MODIFY", "MODIFY"}, Removed: {"DELETE", "DELETE"}, Renamed: {"MOVE", "RENAME"},
	}[ch.Kind]
	out := doc{
		"contentId": zeros, "fromContentId": zeros, "path": file(ch.Path), "executable": false, "percentUnchanged": -1,
		"type": kind[0], "nodeType": "FILE", "srcExecutable": false, "properties": doc{"gitChangeType": kind[1]},
	}
	if ch.Kind == Renamed {
		out["srcPath"] = file(ch.From)
		out["percentUnchanged"] = 100
	}
	return out
}

// webhook is repo:refs_changed with one change: at most five commits, newest
// first, of a new ref those of its whole history, and toCommit, which is the
// commit of an annotated tag. Nothing says that a push was forced.
func (d *datacenter) webhook(m *move) (http.Header, []byte) {
	refType, what := "BRANCH", "UPDATE"
	if m.tag {
		refType = "TAG"
	}
	listed := m.fresh
	switch {
	case m.now == nil:
		what = "DELETE"
	case m.old == nil:
		what, listed = "ADD", between(m.now)
	}
	who := doc{"id": 2, "name": "pusher", "displayName": "Pusher", "slug": "pusher", "active": true, "type": "NORMAL", "emailAddress": "pusher@example.com"}
	b := doc{
		"eventKey": "repo:refs_changed", "date": "2026-01-05T09:00:00+0000", "actor": who, "repository": d.repoDoc(m.repo),
		"changes": []doc{{
			"ref":   doc{"id": m.ref, "displayId": m.name, "type": refType},
			"refId": m.ref, "fromHash": m.before, "toHash": m.after, "type": what,
		}},
	}
	if m.now != nil {
		b["date"] = m.now.when.Format("2006-01-02T15:04:05-0700")
		b["commits"] = each(slices.Clone(listed[:min(5, len(listed))]), d.commitDoc)
		b["toCommit"] = d.commitDoc(m.now)
	}
	body := encoded(b)
	h := http.Header{}
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("User-Agent", "Atlassian HttpClient simulated / Bitbucket")
	h.Set("X-Event-Key", "repo:refs_changed")
	h.Set("X-Request-Id", m.id)
	if m.secret != "" {
		h.Set("X-Hub-Signature", "sha256="+hexHMAC(m.secret, body))
	}
	return h, body
}
