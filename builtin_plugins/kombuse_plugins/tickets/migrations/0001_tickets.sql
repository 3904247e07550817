-- `wire` is the ticket as the API answers it, without the body, kept by SQLite itself: a list makes
-- its rows of it. The body comes last, so that nothing has to be read past it.
CREATE TABLE tickets (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    project_id TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    ticket_number INTEGER NOT NULL,
    author_id TEXT NOT NULL REFERENCES profiles (id),
    assignee_id TEXT REFERENCES profiles (id),
    claimed_by_id TEXT REFERENCES profiles (id),
    status TEXT NOT NULL DEFAULT 'open'
        CHECK (status IN ('open', 'in_progress', 'blocked', 'closed')),
    priority INTEGER CHECK (priority BETWEEN 0 AND 4),
    milestone_id INTEGER,
    triggers_enabled INTEGER NOT NULL DEFAULT 1 CHECK (triggers_enabled IN (0, 1)),
    loop_protection_enabled INTEGER NOT NULL DEFAULT 1 CHECK (loop_protection_enabled IN (0, 1)),
    claimed_at TEXT,
    claim_expires_at TEXT,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    opened_at TEXT NOT NULL,
    closed_at TEXT,
    last_activity_at TEXT NOT NULL,
    external_source TEXT,
    external_id TEXT,
    external_url TEXT,
    synced_at TEXT,
    title TEXT NOT NULL,
    wire TEXT NOT NULL GENERATED ALWAYS AS (json_object(
        'id', id, 'ticket_number', ticket_number, 'project_id', project_id,
        'author_id', author_id, 'assignee_id', assignee_id, 'claimed_by_id', claimed_by_id,
        'title', title,
        'triggers_enabled', json(iif(triggers_enabled, 'true', 'false')),
        'loop_protection_enabled', json(iif(loop_protection_enabled, 'true', 'false')),
        'status', status, 'priority', priority,
        'external_source', external_source, 'external_id', external_id,
        'milestone_id', milestone_id, 'external_url', external_url, 'synced_at', synced_at,
        'claimed_at', claimed_at, 'claim_expires_at', claim_expires_at,
        'created_at', created_at, 'updated_at', updated_at,
        'opened_at', opened_at, 'closed_at', closed_at, 'last_activity_at', last_activity_at
    )) STORED,
    cycle_ms INTEGER GENERATED ALWAYS AS (
        CAST(round((julianday(closed_at) - julianday(created_at)) * 86400000) AS INTEGER)
    ) VIRTUAL,
    body TEXT,
    UNIQUE (project_id, ticket_number)
);
CREATE UNIQUE INDEX tickets_external ON tickets (external_source, external_id)
    WHERE external_source IS NOT NULL;

-- One per order of the list, in a project and over all. Status and priority, which are filtered by
-- most and split tickets into few large parts, are checked inside the index. (Not in those of
-- priorities: with an id in them, and statistics, SQLite would look up the ids of a filter priority
-- by priority instead of walking.)
CREATE INDEX tickets_project_created_at ON tickets (project_id, created_at, id, status, priority);
CREATE INDEX tickets_project_updated_at ON tickets (project_id, updated_at, id, status, priority);
CREATE INDEX tickets_project_last_activity_at
    ON tickets (project_id, last_activity_at, id, status, priority);
CREATE INDEX tickets_project_priority ON tickets (project_id, priority);
CREATE INDEX tickets_project_closed_at ON tickets (project_id, closed_at, id, status, priority);
CREATE INDEX tickets_project_opened_at ON tickets (project_id, opened_at, id, status, priority);
CREATE INDEX tickets_created_at ON tickets (created_at, id, status, priority);
CREATE INDEX tickets_updated_at ON tickets (updated_at, id, status, priority);
CREATE INDEX tickets_last_activity_at ON tickets (last_activity_at, id, status, priority);
CREATE INDEX tickets_priority ON tickets (priority);
CREATE INDEX tickets_closed_at ON tickets (closed_at, id, status, priority);
CREATE INDEX tickets_opened_at ON tickets (opened_at, id, status, priority);

-- Filters that may leave few tickets of many: those few are found here and then sorted.
CREATE INDEX tickets_author ON tickets (author_id, project_id);
CREATE INDEX tickets_assignee ON tickets (assignee_id, project_id) WHERE assignee_id IS NOT NULL;
CREATE INDEX tickets_claimer ON tickets (claimed_by_id, project_id);
CREATE INDEX tickets_claim_expiry ON tickets (claim_expires_at) WHERE claim_expires_at IS NOT NULL;
CREATE INDEX tickets_cycle ON tickets (closed_at, project_id, cycle_ms)
    WHERE closed_at IS NOT NULL;
CREATE INDEX tickets_milestone ON tickets (milestone_id) WHERE milestone_id IS NOT NULL;

CREATE TABLE ticket_views (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    ticket_id INTEGER NOT NULL REFERENCES tickets (id) ON DELETE CASCADE,
    profile_id TEXT NOT NULL REFERENCES profiles (id) ON DELETE CASCADE,
    last_viewed_at TEXT NOT NULL,
    UNIQUE (ticket_id, profile_id)
);
CREATE INDEX ticket_views_profile ON ticket_views (profile_id, ticket_id);

-- How many tickets of each status a project has, kept by the triggers below.
CREATE TABLE ticket_counts (
    project_id TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    status TEXT NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (project_id, status)
) WITHOUT ROWID;

CREATE TRIGGER ticket_counts_insert AFTER INSERT ON tickets BEGIN
    INSERT INTO ticket_counts (project_id, status, n) VALUES (new.project_id, new.status, 1)
        ON CONFLICT DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER ticket_counts_update AFTER UPDATE OF status ON tickets
WHEN old.status != new.status BEGIN
    UPDATE ticket_counts SET n = n - 1 WHERE project_id = old.project_id AND status = old.status;
    INSERT INTO ticket_counts (project_id, status, n) VALUES (new.project_id, new.status, 1)
        ON CONFLICT DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER ticket_counts_delete AFTER DELETE ON tickets BEGIN
    UPDATE ticket_counts SET n = n - 1 WHERE project_id = old.project_id AND status = old.status;
END;

-- What is typed first in a search is one or two letters: `prefix` answers those at once.
CREATE VIRTUAL TABLE tickets_fts USING fts5 (
    title, body,
    content='tickets', content_rowid='id', tokenize='porter unicode61', prefix='1 2'
);
CREATE TRIGGER tickets_fts_insert AFTER INSERT ON tickets BEGIN
    INSERT INTO tickets_fts (rowid, title, body) VALUES (new.id, new.title, new.body);
END;
CREATE TRIGGER tickets_fts_update AFTER UPDATE OF title, body ON tickets
WHEN old.title IS NOT new.title OR old.body IS NOT new.body BEGIN
    INSERT INTO tickets_fts (tickets_fts, rowid, title, body)
        VALUES ('delete', old.id, old.title, old.body);
    INSERT INTO tickets_fts (rowid, title, body) VALUES (new.id, new.title, new.body);
END;
CREATE TRIGGER tickets_fts_delete AFTER DELETE ON tickets BEGIN
    INSERT INTO tickets_fts (tickets_fts, rowid, title, body)
        VALUES ('delete', old.id, old.title, old.body);
END;

CREATE TRIGGER tickets_events_delete AFTER DELETE ON tickets BEGIN
    UPDATE events SET ticket_id = NULL WHERE ticket_id = old.id;
END;
