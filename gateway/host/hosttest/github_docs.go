package hosttest

import (
	"net/http"
	"path"
	"time"
)

func (g *github) repoDoc(api string, repo *Repo) doc {
	return doc{
		"id": 1, "name": path.Base(repo.name), "full_name": repo.name, "private": true, "default_branch": repo.defaultBranch,
		"owner": doc{"login": path.Dir(repo.name), "id": 1}, "html_url": page + "/" + repo.name, "url": api + "/repos/" + repo.name,
	}
}

func (g *github) commitDoc(api string, repo *Repo, at *commit) doc {
	who := doc{"name": at.name, "email": at.mail, "date": at.when.Format(time.RFC3339)}
	self := api + "/repos/" + repo.name + "/commits/"
	return doc{
		"sha": at.id, "url": self + at.id, "html_url": page + "/" + repo.name + "/commit/" + at.id,
		"commit": doc{"message": at.message, "author": who, "committer": who},
		"author": nil, "committer": nil,
		"parents": each(at.parents, func(p *commit) doc { return doc{"sha": p.id, "url": self + p.id} }),
	}
}

func (g *github) fileDoc(ch Change) doc {
	d := doc{"filename": ch.Path, "status": string(ch.Kind), "additions": 1, "deletions": 1, "changes": 2, "sha": zeros}
	switch ch.Kind {
	case Added:
		d["deletions"], d["changes"] = 0, 1
	case Removed:
		d["additions"], d["changes"] = 0, 1
	case Renamed:
		d["additions"], d["deletions"], d["changes"] = 0, 0, 0
		d["previous_filename"] = ch.From
	}
	return d
}

// webhook is the push event: at most 2048 commits, oldest first, each with its
// files. A ref that is created where commits were already, and one that is wound
// back, list none but name the head.
func (g *github) webhook(m *move) (http.Header, []byte) {
	item := func(c *commit) doc {
		added, removed, modified := lists(c, 3000)
		who := doc{"name": c.name, "email": c.mail}
		return doc{
			"id": c.id, "message": c.message, "timestamp": c.when.Format(time.RFC3339), "distinct": true,
			"url": page + "/" + m.repo.name + "/commit/" + c.id, "author": who, "committer": who,
			"added": added, "removed": removed, "modified": modified,
		}
	}
	var head any
	pusher := doc{"name": "pusher", "email": "pusher@example.com"}
	if m.now != nil {
		head = item(m.now)
		pusher = doc{"name": m.now.name, "email": m.now.mail}
	}
	repo := g.repoDoc(page, m.repo)
	body := encoded(doc{
		"ref": m.ref, "before": m.before, "after": m.after,
		"created": m.old == nil, "deleted": m.now == nil, "forced": m.forced, "base_ref": nil,
		"compare": page + "/" + m.repo.name + "/compare/" + m.before[:12] + "..." + m.after[:12],
		"commits": each(m.oldestFirst(2048), item), "head_commit": head,
		"repository": repo, "pusher": pusher, "sender": doc{"login": pusher["name"], "id": 1, "type": "User"},
	})
	h := http.Header{}
	h.Set("Content-Type", "application/json")
	h.Set("User-Agent", "GitHub-Hookshot/simulated")
	h.Set("X-GitHub-Event", "push")
	h.Set("X-GitHub-Delivery", m.id)
	h.Set("X-GitHub-Hook-ID", "1")
	if m.secret != "" {
		h.Set("X-Hub-Signature-256", "sha256="+hexHMAC(m.secret, body))
	}
	return h, body
}
