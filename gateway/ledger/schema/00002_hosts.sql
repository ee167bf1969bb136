-- +goose Up

-- A body that names no branch says nothing of refs; its host is asked.
ALTER TABLE arrivals ADD COLUMN look INTEGER NOT NULL DEFAULT 0; -- 1: the host is asked which branches moved

-- What code hosts are asked: about a push, before its decision, or for all
-- branches of a repository. A push also waits here behind an older one of its
-- ref. A row is gone once it is decided.
CREATE TABLE lookups (
  n         INTEGER PRIMARY KEY AUTOINCREMENT, -- never used again: a late answer must not find another row
  delivery  INTEGER NOT NULL REFERENCES deliveries (n),
  source    TEXT NOT NULL,            -- name of the source in the rule file
  repo      TEXT NOT NULL,            -- in lower case
  kind      TEXT NOT NULL,            -- branch | tag; empty: all branches are asked for
  name      TEXT NOT NULL,            -- of the ref
  look      TEXT NOT NULL,            -- empty for a push; known: heads are recorded; moved: those that moved are pushes
  push      TEXT NOT NULL,            -- rules.Push as JSON, with what was found so far
  lacks     TEXT NOT NULL,            -- rules.Lacks as JSON: what is asked for
  since     TEXT NOT NULL DEFAULT '', -- known head from which on files are asked for: webhooks since were lost; empty: from where the push starts
  ready     INTEGER NOT NULL,         -- 1: nothing more is asked; it is decided when it is the oldest of its ref
  reason    TEXT NOT NULL DEFAULT '', -- why the newest try failed, in words
  tries     INTEGER NOT NULL DEFAULT 0,
  due_at    INTEGER,                  -- when to ask next; NULL: never
  until     INTEGER NOT NULL,         -- from when on it is decided with what is known
  holder    TEXT,                     -- lease: who asks
  lease     INTEGER NOT NULL DEFAULT 0, -- lease: its number, fences late answers
  lease_end INTEGER                   -- lease: until when
);
CREATE INDEX lookups_ref ON lookups (source, repo, kind, name, n);
CREATE INDEX lookups_delivery ON lookups (delivery);
CREATE INDEX lookups_open ON lookups (source, repo, kind, name, n) WHERE ready = 0;
CREATE INDEX lookups_work ON lookups (source, due_at) WHERE ready = 0 AND holder IS NULL;
CREATE INDEX lookups_turns ON lookups (source, repo, due_at) WHERE ready = 0 AND holder IS NULL;
CREATE INDEX lookups_ready ON lookups (n) WHERE ready = 1;
CREATE INDEX lookups_until ON lookups (until);
CREATE INDEX lookups_leased ON lookups (lease_end) WHERE holder IS NOT NULL;

-- Repositories whose branches were asked for once: only from then on can a
-- branch be told to be new.
CREATE TABLE looks (
  source TEXT NOT NULL,
  repo   TEXT NOT NULL,               -- in lower case
  at     INTEGER NOT NULL,            -- when, first
  PRIMARY KEY (source, repo)
) WITHOUT ROWID;

-- What a commit's page on its host shall show. A row is one context of one
-- commit; only its newest state is told.
CREATE TABLE statuses (
  n         INTEGER PRIMARY KEY,
  source    TEXT NOT NULL,
  repo      TEXT NOT NULL,            -- owner/name as the host spells it
  hash      TEXT NOT NULL,            -- of the commit
  context   TEXT NOT NULL,
  delivery  INTEGER NOT NULL REFERENCES deliveries (n),
  build     INTEGER REFERENCES builds (n), -- the newest of the context; NULL: skipped
  state     TEXT NOT NULL,            -- pending | running | success | failure | aborted | skipped
  version   INTEGER NOT NULL DEFAULT 1, -- grows with every state
  told      INTEGER NOT NULL DEFAULT 0, -- the version that the host has, or refused for good
  reason    TEXT NOT NULL DEFAULT '', -- why the newest try failed, in words
  tries     INTEGER NOT NULL DEFAULT 0, -- of this version
  since     INTEGER NOT NULL,         -- when it came to this state
  due_at    INTEGER,                  -- when to tell it; NULL: never
  holder    TEXT,
  lease     INTEGER NOT NULL DEFAULT 0,
  lease_end INTEGER,
  UNIQUE (source, repo, hash, context)
);
CREATE INDEX statuses_delivery ON statuses (delivery);
CREATE INDEX statuses_build ON statuses (build) WHERE build IS NOT NULL;
CREATE INDEX statuses_work ON statuses (source, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX statuses_leased ON statuses (lease_end) WHERE holder IS NOT NULL;
