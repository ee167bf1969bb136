package hosttest

import (
	"math"
	"net/http"
	"path"
	"slices"
	"time"
)

func (g *gitea) repoDoc(repo *Repo) doc {
	owner := path.Dir(repo.name)
	return doc{
		"id": repo.number, "name": path.Base(repo.name), "full_name": repo.name, "private": true, "empty": false,
		"owner": g.user(owner, owner+"@example.com"), "default_branch": repo.defaultBranch, "object_format_name": "sha1",
		"html_url": page + "/" + repo.name, "url": page + "/api/v1/repos/" + repo.name,
	}
}

func (g *gitea) user(name, mail string) doc {
	return doc{"id": 1, "login": name, "username": name, "full_name": "", "email": mail}
}

func (g *gitea) commitDoc(repo *Repo, at *commit, files bool) doc {
	self, when := page+"/api/v1/repos/"+repo.name+"/git/commits/", at.when.Format(time.RFC3339)
	who := doc{"name": at.name, "email": at.mail, "date": when}
	d := doc{
		"url": self + at.id, "sha": at.id, "created": when, "html_url": page + "/" + repo.name + "/commit/" + at.id,
		"commit": doc{"url": self + at.id, "author": who, "committer": who, "message": at.message, "tree": doc{"sha": at.id, "created": when}},
		"author": nil, "committer": nil,
		"parents": each(at.parents, func(p *commit) doc { return doc{"url": self + p.id, "sha": p.id} }),
		"stats":   doc{"total": 2, "additions": 1, "deletions": 1},
		"files":   nil,
	}
	if files {
		d["files"] = each(apart(at.ownChanges()), func(ch Change) doc { return doc{"filename": ch.Path, "status": string(ch.Kind)} })
	}
	return d
}

func (g *gitea) branchDoc(repo *Repo, name string, at *commit) doc {
	return doc{"name": name, "commit": g.payload(repo, at, false), "protected": false, "user_can_push": true, "user_can_merge": true}
}

// payload is a commit as webhooks and branches have it.
func (g *gitea) payload(repo *Repo, at *commit, files bool) doc {
	who := doc{"name": at.name, "email": at.mail, "username": ""}
	d := doc{
		"id": at.id, "message": at.message, "url": page + "/" + repo.name + "/commit/" + at.id, "author": who, "committer": who,
		"verification": nil, "timestamp": at.when.Format(time.RFC3339), "added": nil, "removed": nil, "modified": nil,
	}
	if files {
		d["added"], d["removed"], d["modified"] = lists(at, math.MaxInt)
	}
	return d
}

// webhook is the push event, measured with Gitea 1.26: at most five commits,
// newest first, of at most ten that are counted for a new branch; none where a
// branch is wound back or a tag moves, whose before is then zeros; and of a
// branch that is gone, no push but the delete event. The create and delete that
// come beside a push say nothing more and are left out.
func (g *gitea) webhook(m *move) (http.Header, []byte) {
	event, who := "push", g.user("pusher", "pusher@example.com")
	repo := g.repoDoc(m.repo)
	var body []byte
	if m.now == nil && !m.tag {
		event = "delete"
		body = encoded(doc{"ref": m.name, "ref_type": "branch", "pusher_type": "user", "repository": repo, "sender": who})
	} else {
		before, listed := m.before, m.fresh
		if m.tag {
			listed = nil
			if m.now != nil {
				before = zeros
			}
		}
		if m.old == nil {
			listed = listed[:min(10, len(listed))]
		}
		shown := slices.Clone(listed[:min(5, len(listed))])
		var head any
		if m.now != nil {
			head = g.payload(m.repo, m.now, true)
		}
		body = encoded(doc{
			"ref": m.ref, "before": before, "after": m.after, "compare_url": page + "/" + m.repo.name + "/compare/" + before + "..." + m.after,
			"commits": each(shown, func(c *commit) doc { return g.payload(m.repo, c, true) }), "total_commits": len(listed),
			"head_commit": head, "repository": repo, "pusher": who, "sender": who,
		})
	}
	h := http.Header{}
	h.Set("Content-Type", "application/json")
	for _, prefix := range []string{"X-Gitea-", "X-Gogs-", "X-GitHub-"} {
		h.Set(prefix+"Event", event)
		h.Set(prefix+"Event-Type", event)
		h.Set(prefix+"Delivery", m.id)
	}
	// Without a secret these are there, and empty.
	sum := ""
	if m.secret != "" {
		sum = hexHMAC(m.secret, body)
	}
	h.Set("X-Gitea-Signature", sum)
	h.Set("X-Gogs-Signature", sum)
	h.Set("X-Hub-Signature-256", "sha256="+sum)
	return h, body
}
