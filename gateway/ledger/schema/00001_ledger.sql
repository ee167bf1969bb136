-- +goose Up

-- Times are microseconds since 1970 in UTC. JSON is stored as text. A row's n
-- grows with arrival and orders pages; the id that people and other systems see
-- is made of n and of salt, 40 random bits that keep ids of two ledgers apart.

-- A request that was accepted: its sender verified, its body read.
CREATE TABLE deliveries (
  n           INTEGER PRIMARY KEY,
  salt        INTEGER NOT NULL,       -- completes the id, d_…
  source      TEXT NOT NULL,          -- name of the source in the rule file
  key         BLOB,                   -- recognises a repeat, the source's name is part of it; NULL: never a repeat
  received_at INTEGER NOT NULL,       -- when the request was read
  repo        TEXT NOT NULL,          -- owner/name as the host spells it
  remote      TEXT NOT NULL,          -- address the request came from
  headers     TEXT NOT NULL,          -- JSON object of the headers that matter; no credentials
  size        INTEGER NOT NULL,       -- bytes of the body
  pushes      INTEGER NOT NULL,       -- how many refs it tells of
  note        TEXT NOT NULL,          -- why there are none, in words; else empty
  repeats     INTEGER NOT NULL DEFAULT 0 -- how often the same delivery came again
);
CREATE UNIQUE INDEX deliveries_key ON deliveries (key) WHERE key IS NOT NULL;

-- The exact bytes of each body, apart from the lists.
CREATE TABLE bodies (
  delivery INTEGER PRIMARY KEY REFERENCES deliveries (n),
  body     BLOB NOT NULL
);

-- Deliveries that wait for their decision: the queue of the decider. A row is
-- gone once its pushes are decided.
CREATE TABLE arrivals (
  delivery INTEGER PRIMARY KEY REFERENCES deliveries (n),
  pushes   TEXT NOT NULL              -- JSON list of rules.Push
);

-- A ref that moved, as one delivery tells it, and what was decided.
CREATE TABLE pushes (
  n           INTEGER PRIMARY KEY,
  delivery    INTEGER NOT NULL REFERENCES deliveries (n),
  push        TEXT NOT NULL,          -- rules.Push as JSON
  state       TEXT NOT NULL,          -- decided | repeat
  ref         INTEGER NOT NULL REFERENCES refs (n),
  before      TEXT NOT NULL,          -- commit before, as long as the host gives it
  after       TEXT NOT NULL,          -- commit after
  event       TEXT NOT NULL,          -- push | create | delete | force
  late        INTEGER NOT NULL,       -- 1: another push already started from where this one ends
  gap         INTEGER NOT NULL,       -- 1: it starts from a commit that is not the known head: a lost webhook
  decided_at  INTEGER NOT NULL,       -- when the decision was committed
  rules       TEXT NOT NULL,          -- hash of the rule set that decided
  owed        TEXT,                   -- rules.Owed as JSON, what the decision was asked besides the push; NULL: nothing
  matched     TEXT NOT NULL           -- JSON list of the names of the rules that matched
);
CREATE INDEX pushes_delivery ON pushes (delivery);
CREATE INDEX pushes_before ON pushes (ref, substr(before, 1, 12));

-- What is known of a branch or tag. Never pruned while the ref lives.
CREATE TABLE refs (
  n      INTEGER PRIMARY KEY,
  source TEXT NOT NULL,
  repo   TEXT NOT NULL,               -- in lower case
  kind   TEXT NOT NULL,               -- branch | tag
  name   TEXT NOT NULL,               -- short name, case kept
  head   TEXT NOT NULL,               -- commit it is known to be at; empty: deleted or unknown
  newest INTEGER NOT NULL,            -- pushes.n of the push decided last, late ones aside
  UNIQUE (source, repo, kind, name)
);

-- A build that a push called for. It carries all that starting it needs.
CREATE TABLE builds (
  n          INTEGER PRIMARY KEY,
  salt       INTEGER NOT NULL,        -- completes the id, b_…, which travels to the server
  push       INTEGER NOT NULL REFERENCES pushes (n),
  ref        INTEGER NOT NULL REFERENCES refs (n),
  key        TEXT NOT NULL,           -- server, target and rendered values: the same build once per push
  server     TEXT NOT NULL,           -- name of the server in the rule file
  target     TEXT NOT NULL,           -- job or plan
  build      TEXT NOT NULL,           -- rules.Build as JSON
  state      TEXT NOT NULL,           -- due starting queued running succeeded unstable failed aborted triggered dead lost
  reason     TEXT NOT NULL,           -- why it is in this state, in words; may be empty
  uncertain  INTEGER NOT NULL DEFAULT 0, -- 1: an earlier start may have reached the server unseen
  merged     INTEGER NOT NULL DEFAULT 0, -- 1: the server had an identical item waiting, which stands for this build
  handle     TEXT NOT NULL DEFAULT '', -- the server's handle of the started build
  url        TEXT NOT NULL DEFAULT '', -- page for people
  notes      TEXT NOT NULL DEFAULT '[]', -- JSON list of remarks
  attempts   INTEGER NOT NULL DEFAULT 0, -- starts tried
  failures   INTEGER NOT NULL DEFAULT 0, -- starts failed that count against the backoff
  due_at     INTEGER,                 -- when to work on it next; NULL: never
  holder     TEXT,                    -- lease: who works on it
  lease      INTEGER NOT NULL DEFAULT 0, -- lease: its number, fences late answers
  lease_end  INTEGER,                 -- lease: until when
  created_at INTEGER NOT NULL,
  started_at INTEGER,                 -- the server accepted it
  ended_at   INTEGER,                 -- it reached an end
  UNIQUE (push, key)
);
CREATE INDEX builds_work ON builds (server, due_at, n) WHERE due_at IS NOT NULL;
CREATE INDEX builds_order ON builds (ref, server, target, n) WHERE state IN ('due', 'starting');
CREATE INDEX builds_leased ON builds (lease_end) WHERE holder IS NOT NULL;

-- Every start that was tried.
CREATE TABLE attempts (
  build   INTEGER NOT NULL REFERENCES builds (n),
  number  INTEGER NOT NULL,           -- from 1
  at      INTEGER NOT NULL,           -- when it ended
  took    INTEGER NOT NULL,           -- microseconds
  outcome TEXT NOT NULL,              -- started | merged | triggered | temporary | permanent | unknown
  detail  TEXT NOT NULL,              -- the server's answer or the error, in words
  PRIMARY KEY (build, number)
) WITHOUT ROWID;

-- Rule files as they were written, so that a decision can be explained later.
CREATE TABLE rule_sets (
  hash    TEXT PRIMARY KEY,           -- of the files
  files   TEXT NOT NULL,              -- JSON list of name and content, ${…} unexpanded
  seen_at INTEGER NOT NULL            -- first used
) WITHOUT ROWID;
