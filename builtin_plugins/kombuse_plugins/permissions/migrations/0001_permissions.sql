-- One row per request. It outlives its session and its ticket: it says who allowed what, and when.
CREATE TABLE permission_requests (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kombuse_session_id TEXT NOT NULL,
    request_id TEXT NOT NULL,
    tool_name TEXT NOT NULL,
    input TEXT NOT NULL CHECK (json_valid(input)),
    argument_hash TEXT NOT NULL,
    description TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'pending'
        CHECK (status IN ('pending', 'allowed', 'denied', 'auto_approved', 'withdrawn')),
    message TEXT,
    always_allow TEXT,
    agent_id TEXT,
    project_id TEXT REFERENCES projects (id) ON DELETE SET NULL,
    ticket_id INTEGER,
    requested_at TEXT NOT NULL,
    resolved_at TEXT
);
CREATE UNIQUE INDEX permission_requests_request
    ON permission_requests (kombuse_session_id, request_id);
CREATE UNIQUE INDEX permission_requests_pending
    ON permission_requests (kombuse_session_id, argument_hash) WHERE status = 'pending';
CREATE INDEX permission_requests_open ON permission_requests (id) WHERE status = 'pending';
CREATE INDEX permission_requests_requested
    ON permission_requests (project_id, requested_at, id) WHERE project_id IS NOT NULL;
CREATE INDEX permission_requests_tool
    ON permission_requests (project_id, tool_name, requested_at, id) WHERE project_id IS NOT NULL;
CREATE INDEX permission_requests_status
    ON permission_requests (project_id, status, requested_at, id) WHERE project_id IS NOT NULL;
CREATE INDEX permission_requests_both
    ON permission_requests (project_id, tool_name, status, requested_at, id)
    WHERE project_id IS NOT NULL;
