-- +goose Up

-- When a start of the build was first asked of its server, and when a look first
-- proved that the server had not taken it.
ALTER TABLE builds ADD COLUMN asked_at INTEGER;
ALTER TABLE builds ADD COLUMN absent_at INTEGER;

-- An attempt may also be a look for an earlier start, with the outcome found or
-- absent.

-- What a server is at work on, for its limit.
CREATE INDEX builds_taken ON builds (server) WHERE state IN ('starting', 'queued', 'running');
