-- The audit log, which is the outbox too. Plugins clear the links to their rows with triggers.
CREATE TABLE events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    event_type TEXT NOT NULL,
    project_id TEXT,
    ticket_id INTEGER,
    comment_id INTEGER,
    actor_id TEXT,
    actor_type TEXT NOT NULL CHECK (actor_type IN ('user', 'agent', 'system')),
    payload TEXT NOT NULL CHECK (json_valid(payload)),
    kombuse_session_id TEXT,
    created_at TEXT NOT NULL
);
-- Times never go back in this table, so that the order of ids is the order of time, and every index
-- below holds it without a further column. What follows `id` is checked inside the index.
CREATE INDEX events_created ON events (created_at);
CREATE INDEX events_type ON events (event_type, id, project_id);
CREATE INDEX events_project ON events (project_id, id, actor_type);
CREATE INDEX events_ticket ON events (ticket_id) WHERE ticket_id IS NOT NULL;
CREATE INDEX events_comment ON events (comment_id) WHERE comment_id IS NOT NULL;
CREATE INDEX events_actor ON events (actor_id) WHERE actor_id IS NOT NULL;
CREATE INDEX events_actor_type ON events (actor_type);
CREATE INDEX events_session ON events (kombuse_session_id) WHERE kombuse_session_id IS NOT NULL;

-- How far each durable subscriber has come.
CREATE TABLE event_cursors (
    subscriber TEXT PRIMARY KEY NOT NULL,
    last_event_id INTEGER NOT NULL
) WITHOUT ROWID;

-- Deliveries given up after repeated failures, kept for the person to look at.
CREATE TABLE event_failures (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    subscriber TEXT NOT NULL,
    event_id INTEGER NOT NULL,
    error TEXT NOT NULL,
    created_at TEXT NOT NULL,
    UNIQUE (subscriber, event_id)
);
