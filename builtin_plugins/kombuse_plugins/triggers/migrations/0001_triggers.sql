-- `label_id` is what makes a label smart: the condition of that name, if it is a number.
-- `plugin_base` is what a package brought, so that what a person changed survives the next version;
-- a trigger without a `plugin_id` that has one was left behind by its package.
CREATE TABLE agent_triggers (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    agent_id TEXT NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
    slug TEXT,
    event_type TEXT NOT NULL,
    project_id TEXT REFERENCES projects (id) ON DELETE CASCADE,
    conditions TEXT CHECK (conditions IS NULL OR json_valid(conditions)),
    is_enabled INTEGER NOT NULL DEFAULT 1 CHECK (is_enabled IN (0, 1)),
    priority INTEGER NOT NULL DEFAULT 0,
    disabled_by_plugin INTEGER NOT NULL DEFAULT 0 CHECK (disabled_by_plugin IN (0, 1)),
    plugin_id TEXT,
    plugin_base TEXT CHECK (plugin_base IS NULL OR json_valid(plugin_base)),
    allowed_invokers TEXT CHECK (allowed_invokers IS NULL OR json_valid(allowed_invokers)),
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    label_id INTEGER GENERATED ALWAYS AS (
        iif(json_type(conditions, '$.label_id') = 'integer', conditions ->> '$.label_id', NULL)
    ) VIRTUAL
);
CREATE UNIQUE INDEX agent_triggers_slug ON agent_triggers (slug, agent_id)
    WHERE slug IS NOT NULL AND plugin_id IS NULL;
CREATE UNIQUE INDEX agent_triggers_plugin_slug ON agent_triggers (slug, agent_id, plugin_id)
    WHERE slug IS NOT NULL AND plugin_id IS NOT NULL;
CREATE INDEX agent_triggers_plugin ON agent_triggers (plugin_id) WHERE plugin_id IS NOT NULL;
CREATE INDEX agent_triggers_agent ON agent_triggers (agent_id, priority, created_at, id);
CREATE INDEX agent_triggers_event
    ON agent_triggers (event_type, is_enabled, priority, created_at, id);
CREATE INDEX agent_triggers_label ON agent_triggers (label_id, created_at, id)
    WHERE label_id IS NOT NULL;
CREATE INDEX agent_triggers_project ON agent_triggers (project_id) WHERE project_id IS NOT NULL;

-- One per event and trigger, whatever happens in between: `origin` tells these from chats and from
-- copies that continue a session. `loop_stop` marks those that loop protection stopped, and of these
-- the ones that were told on the ticket. `session_id` is cleared by whoever deletes sessions.
CREATE TABLE agent_invocations (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    agent_id TEXT NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
    trigger_id INTEGER REFERENCES agent_triggers (id) ON DELETE SET NULL,
    event_id INTEGER,
    session_id TEXT,
    project_id TEXT REFERENCES projects (id) ON DELETE SET NULL,
    ticket_id INTEGER REFERENCES tickets (id) ON DELETE SET NULL,
    kombuse_session_id TEXT,
    origin TEXT NOT NULL DEFAULT 'trigger' CHECK (origin IN ('trigger', 'chat', 'continuation')),
    is_by_person INTEGER NOT NULL DEFAULT 0 CHECK (is_by_person IN (0, 1)),
    loop_stop TEXT CHECK (loop_stop IN ('silent', 'told')),
    status TEXT NOT NULL DEFAULT 'pending'
        CHECK (status IN ('pending', 'running', 'completed', 'failed')),
    attempts INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    max_attempts INTEGER NOT NULL DEFAULT 3 CHECK (max_attempts >= 1),
    run_at TEXT NOT NULL,
    context TEXT NOT NULL CHECK (json_valid(context)),
    result TEXT CHECK (result IS NULL OR json_valid(result)),
    error TEXT,
    started_at TEXT,
    completed_at TEXT,
    created_at TEXT NOT NULL,
    duration_ms INTEGER GENERATED ALWAYS AS (
        CAST(round((julianday(completed_at) - julianday(started_at)) * 86400000) AS INTEGER)
    ) VIRTUAL
);
CREATE UNIQUE INDEX agent_invocations_once ON agent_invocations (event_id, trigger_id)
    WHERE origin = 'trigger';
CREATE INDEX agent_invocations_due ON agent_invocations (run_at, id, agent_id)
    WHERE status = 'pending';
CREATE INDEX agent_invocations_running ON agent_invocations (agent_id) WHERE status = 'running';
CREATE INDEX agent_invocations_active ON agent_invocations (agent_id, ticket_id, id)
    WHERE status IN ('pending', 'running');
CREATE INDEX agent_invocations_by_ticket ON agent_invocations (ticket_id, created_at)
    WHERE ticket_id IS NOT NULL;
CREATE INDEX agent_invocations_stops ON agent_invocations (ticket_id, completed_at)
    WHERE loop_stop IS NOT NULL;
CREATE INDEX agent_invocations_created ON agent_invocations (created_at, id);
CREATE INDEX agent_invocations_agent ON agent_invocations (agent_id, created_at, id);
CREATE INDEX agent_invocations_trigger ON agent_invocations (trigger_id, created_at, id)
    WHERE trigger_id IS NOT NULL;
CREATE INDEX agent_invocations_status ON agent_invocations (status, created_at, id);
CREATE INDEX agent_invocations_project ON agent_invocations (project_id, created_at, id);
CREATE INDEX agent_invocations_session ON agent_invocations (session_id)
    WHERE session_id IS NOT NULL;
CREATE INDEX agent_invocations_kombuse_session ON agent_invocations (kombuse_session_id, id)
    WHERE kombuse_session_id IS NOT NULL;
CREATE INDEX agent_invocations_completed
    ON agent_invocations (project_id, started_at, agent_id, duration_ms)
    WHERE status = 'completed' AND project_id IS NOT NULL;
