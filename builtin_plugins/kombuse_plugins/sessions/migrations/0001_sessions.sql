-- The public id is kombuse_session_id; `id` is what events and invocations refer to. `active_ms` adds
-- up the times between its events, pauses left out; `last_event_ms` is when the last one happened.
CREATE TABLE sessions (
    id TEXT PRIMARY KEY NOT NULL,
    kombuse_session_id TEXT NOT NULL UNIQUE,
    backend_type TEXT,
    backend_session_id TEXT,
    ticket_id INTEGER REFERENCES tickets (id) ON DELETE SET NULL,
    project_id TEXT REFERENCES projects (id) ON DELETE SET NULL,
    agent_id TEXT REFERENCES agents (id) ON DELETE SET NULL,
    status TEXT NOT NULL DEFAULT 'pending'
        CHECK (status IN ('pending', 'running', 'completed', 'failed', 'aborted', 'stopped')),
    metadata TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(metadata)),
    started_at TEXT NOT NULL,
    completed_at TEXT,
    failed_at TEXT,
    aborted_at TEXT,
    last_event_seq INTEGER NOT NULL DEFAULT 0,
    last_event_ms INTEGER,
    active_ms INTEGER NOT NULL DEFAULT 0,
    input_tokens INTEGER NOT NULL DEFAULT 0,
    output_tokens INTEGER NOT NULL DEFAULT 0,
    cost_usd REAL NOT NULL DEFAULT 0,
    prompt_preview TEXT,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    terminal_reason TEXT GENERATED ALWAYS AS (metadata ->> '$.terminal_reason') VIRTUAL,
    duration_ms INTEGER GENERATED ALWAYS AS (
        CAST(round((julianday(completed_at) - julianday(started_at)) * 86400000) AS INTEGER)
    ) VIRTUAL
);
-- One per filter and order of the list; the other filters are checked on the way.
CREATE INDEX sessions_created_at ON sessions (created_at, id);
CREATE INDEX sessions_updated_at ON sessions (updated_at, id);
CREATE INDEX sessions_status_created_at ON sessions (status, created_at, id);
CREATE INDEX sessions_status_updated_at ON sessions (status, updated_at, id);
CREATE INDEX sessions_ticket_id_created_at ON sessions (ticket_id, created_at, id)
    WHERE ticket_id IS NOT NULL;
CREATE INDEX sessions_ticket_id_updated_at ON sessions (ticket_id, updated_at, id)
    WHERE ticket_id IS NOT NULL;
CREATE INDEX sessions_agent_id_created_at ON sessions (agent_id, created_at, id)
    WHERE agent_id IS NOT NULL;
CREATE INDEX sessions_agent_id_updated_at ON sessions (agent_id, updated_at, id)
    WHERE agent_id IS NOT NULL;
CREATE INDEX sessions_project_id_created_at ON sessions (project_id, created_at, id)
    WHERE project_id IS NOT NULL;
CREATE INDEX sessions_project_id_updated_at ON sessions (project_id, updated_at, id)
    WHERE project_id IS NOT NULL;
CREATE INDEX sessions_terminal_reason_created_at ON sessions (terminal_reason, created_at, id)
    WHERE terminal_reason IS NOT NULL;
CREATE INDEX sessions_terminal_reason_updated_at ON sessions (terminal_reason, updated_at, id)
    WHERE terminal_reason IS NOT NULL;
CREATE INDEX sessions_completed ON sessions (project_id, started_at, agent_id, duration_ms)
    WHERE status = 'completed' AND project_id IS NOT NULL;

CREATE TABLE session_events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    kombuse_session_id TEXT NOT NULL,
    seq INTEGER NOT NULL,
    event_type TEXT NOT NULL,
    created_at TEXT NOT NULL,
    payload TEXT NOT NULL
);
CREATE UNIQUE INDEX session_events_seq ON session_events (session_id, seq);
CREATE INDEX session_events_type ON session_events (session_id, event_type, seq);

-- What turns cost, by session and day; it outlives its session, so that sums stay true.
CREATE TABLE session_usage (
    session_id TEXT NOT NULL,
    day TEXT NOT NULL,
    agent_id TEXT,
    ticket_id INTEGER,
    project_id TEXT,
    turns INTEGER NOT NULL DEFAULT 0,
    input_tokens INTEGER NOT NULL DEFAULT 0,
    output_tokens INTEGER NOT NULL DEFAULT 0,
    cache_read_tokens INTEGER NOT NULL DEFAULT 0,
    cache_write_tokens INTEGER NOT NULL DEFAULT 0,
    cost_usd REAL NOT NULL DEFAULT 0,
    PRIMARY KEY (session_id, day)
) WITHOUT ROWID;
CREATE INDEX session_usage_day ON session_usage (day);
CREATE INDEX session_usage_agent ON session_usage (agent_id) WHERE agent_id IS NOT NULL;
CREATE INDEX session_usage_ticket ON session_usage (ticket_id) WHERE ticket_id IS NOT NULL;
CREATE INDEX session_usage_project ON session_usage (project_id, day)
    WHERE project_id IS NOT NULL;

CREATE TRIGGER sessions_deleted AFTER DELETE ON sessions BEGIN
    UPDATE agent_invocations SET session_id = NULL WHERE session_id = OLD.id;
END;
