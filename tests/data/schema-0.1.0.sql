BEGIN;
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
CREATE TABLE agents (
    id TEXT PRIMARY KEY NOT NULL REFERENCES profiles (id) ON DELETE CASCADE,
    slug TEXT,
    system_prompt TEXT NOT NULL,
    permissions TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(permissions)),
    config TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(config)),
    is_enabled INTEGER NOT NULL DEFAULT 1 CHECK (is_enabled IN (0, 1)),
    disabled_by_plugin INTEGER NOT NULL DEFAULT 0 CHECK (disabled_by_plugin IN (0, 1)),
    plugin_id TEXT,
    plugin_name TEXT,
    package_slug TEXT,
    orphaned_plugin_id TEXT,
    project_id TEXT REFERENCES projects (id) ON DELETE CASCADE,
    plugin_base TEXT CHECK (plugin_base IS NULL OR json_valid(plugin_base)),
    adopted_from TEXT CHECK (adopted_from IS NULL OR json_valid(adopted_from)),
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    type TEXT GENERATED ALWAYS AS (
        iif(json_type(config, '$.type') = 'text', json_extract(config, '$.type'), NULL)
    ) VIRTUAL
);
CREATE TABLE attachment_trash (
    storage_path TEXT PRIMARY KEY NOT NULL,
    keep_until TEXT
) WITHOUT ROWID;
CREATE TABLE attachments (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    comment_id INTEGER,
    ticket_id INTEGER,
    owner_ticket_id INTEGER NOT NULL REFERENCES tickets (id) ON DELETE CASCADE,
    filename TEXT NOT NULL,
    mime_type TEXT NOT NULL,
    size_bytes INTEGER NOT NULL,
    storage_path TEXT NOT NULL UNIQUE,
    uploaded_by_id TEXT NOT NULL REFERENCES profiles (id),
    created_at TEXT NOT NULL,
    CHECK ((comment_id IS NULL) != (ticket_id IS NULL))
);
CREATE TABLE comments (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    ticket_id INTEGER NOT NULL REFERENCES tickets (id) ON DELETE CASCADE,
    author_id TEXT NOT NULL REFERENCES profiles (id),
    parent_id INTEGER REFERENCES comments (id) ON DELETE SET NULL,
    kombuse_session_id TEXT,
    external_source TEXT,
    external_id TEXT,
    synced_at TEXT,
    is_edited INTEGER NOT NULL DEFAULT 0 CHECK (is_edited IN (0, 1)),
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    body TEXT NOT NULL
);
CREATE TABLE cross_references (
    source_ticket_id INTEGER NOT NULL REFERENCES tickets (id) ON DELETE CASCADE,
    target_ticket_id INTEGER NOT NULL REFERENCES tickets (id) ON DELETE CASCADE,
    created_at TEXT NOT NULL,
    PRIMARY KEY (source_ticket_id, target_ticket_id)
) WITHOUT ROWID;
CREATE TABLE event_cursors (
    subscriber TEXT PRIMARY KEY NOT NULL,
    last_event_id INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE event_failures (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    subscriber TEXT NOT NULL,
    event_id INTEGER NOT NULL,
    error TEXT NOT NULL,
    created_at TEXT NOT NULL,
    UNIQUE (subscriber, event_id)
);
CREATE TABLE event_subscriptions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    subscriber_id TEXT NOT NULL REFERENCES profiles (id) ON DELETE CASCADE,
    event_type TEXT NOT NULL,
    project_id TEXT REFERENCES projects (id) ON DELETE CASCADE,
    last_processed_event_id INTEGER,
    created_at TEXT NOT NULL,
    UNIQUE (subscriber_id, event_type, project_id)
);
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
CREATE TABLE file_reads (
    project_id TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    file_path TEXT NOT NULL,
    day TEXT NOT NULL,
    reads INTEGER NOT NULL,
    PRIMARY KEY (project_id, file_path, day)
) WITHOUT ROWID;
CREATE TABLE labels (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    project_id TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    slug TEXT,
    color TEXT NOT NULL DEFAULT '#808080',
    description TEXT,
    plugin_id TEXT,
    is_enabled INTEGER NOT NULL DEFAULT 1 CHECK (is_enabled IN (0, 1)),
    disabled_by_plugin INTEGER NOT NULL DEFAULT 0 CHECK (disabled_by_plugin IN (0, 1)),
    created_at TEXT NOT NULL,
    usage_count INTEGER NOT NULL DEFAULT 0,
    open_usage_count INTEGER NOT NULL DEFAULT 0,
    wire TEXT NOT NULL GENERATED ALWAYS AS (json_object(
        'id', id, 'project_id', project_id, 'name', name, 'slug', slug, 'color', color,
        'description', description, 'plugin_id', plugin_id,
        'is_enabled', json(iif(is_enabled, 'true', 'false')), 'created_at', created_at
    )) STORED
);
CREATE TABLE mentions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    comment_id INTEGER NOT NULL REFERENCES comments (id) ON DELETE CASCADE,
    mention_type TEXT NOT NULL CHECK (mention_type IN ('profile', 'ticket')),
    mentioned_profile_id TEXT REFERENCES profiles (id),
    mentioned_ticket_id INTEGER REFERENCES tickets (id) ON DELETE CASCADE,
    mention_text TEXT NOT NULL,
    created_at TEXT NOT NULL,
    CHECK ((mention_type = 'profile') = (mentioned_profile_id IS NOT NULL)),
    CHECK ((mention_type = 'ticket') = (mentioned_ticket_id IS NOT NULL))
);
CREATE TABLE migrations (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    plugin TEXT NOT NULL,
    name TEXT NOT NULL,
    checksum TEXT NOT NULL,
    applied_at TEXT NOT NULL,
    UNIQUE (plugin, name)
);
CREATE TABLE milestones (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    project_id TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    title TEXT NOT NULL,
    description TEXT,
    due_date TEXT,
    status TEXT NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'closed')),
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    open_count INTEGER NOT NULL DEFAULT 0,
    closed_count INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE orphaned_files (
    plugin_id TEXT NOT NULL,
    path TEXT NOT NULL,
    project_id TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    content TEXT NOT NULL,
    PRIMARY KEY (plugin_id, path)
) WITHOUT ROWID;
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
CREATE TABLE plugin_files (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    plugin_id TEXT NOT NULL REFERENCES plugins (id) ON DELETE CASCADE,
    path TEXT NOT NULL,
    content TEXT NOT NULL,
    content_hash TEXT NOT NULL,
    upstream_hash TEXT,
    upstream_content TEXT,
    is_user_modified INTEGER NOT NULL GENERATED ALWAYS AS (content_hash IS NOT upstream_hash),
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
);
CREATE TABLE plugins (
    id TEXT PRIMARY KEY NOT NULL,
    project_id TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    version TEXT NOT NULL DEFAULT '1.0.0',
    author TEXT,
    description TEXT,
    directory TEXT NOT NULL,
    manifest TEXT NOT NULL CHECK (json_valid(manifest)),
    is_enabled INTEGER NOT NULL DEFAULT 1 CHECK (is_enabled IN (0, 1)),
    source_feed_id TEXT,
    source_name TEXT,
    channel TEXT,
    checksum TEXT,
    package_version TEXT NOT NULL,
    content_sha256 TEXT NOT NULL,
    code_sha256 TEXT,
    tools TEXT CHECK (tools IS NULL OR json_valid(tools)),
    installed_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
);
CREATE TABLE profile_settings (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    profile_id TEXT NOT NULL REFERENCES profiles (id) ON DELETE CASCADE,
    setting_key TEXT NOT NULL,
    setting_value TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    UNIQUE (profile_id, setting_key)
);
CREATE TABLE profiles (
    id TEXT PRIMARY KEY NOT NULL,
    type TEXT NOT NULL CHECK (type IN ('user', 'agent')),
    name TEXT NOT NULL,
    slug TEXT,
    email TEXT,
    description TEXT,
    avatar_url TEXT,
    external_source TEXT,
    external_id TEXT,
    plugin_id TEXT,
    package_name TEXT,
    package_project_id TEXT,
    is_active INTEGER NOT NULL DEFAULT 1 CHECK (is_active IN (0, 1)),
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    wire TEXT NOT NULL GENERATED ALWAYS AS (json_object(
        'id', id, 'type', type, 'name', name, 'slug', slug, 'email', email,
        'description', description, 'avatar_url', avatar_url,
        'external_source', external_source, 'external_id', external_id, 'plugin_id', plugin_id,
        'is_active', json(iif(is_active, 'true', 'false')),
        'created_at', created_at, 'updated_at', updated_at
    )) STORED
);
CREATE TABLE projects (
    id TEXT PRIMARY KEY NOT NULL,
    name TEXT NOT NULL,
    slug TEXT NOT NULL,
    description TEXT,
    owner_id TEXT NOT NULL REFERENCES profiles (id),
    local_path TEXT,
    repo_source TEXT CHECK (repo_source IN ('github', 'gitlab', 'bitbucket')),
    repo_owner TEXT,
    repo_name TEXT,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    next_ticket_number INTEGER NOT NULL DEFAULT 1,
    search_text TEXT NOT NULL
);
CREATE TABLE session_events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    kombuse_session_id TEXT NOT NULL,
    seq INTEGER NOT NULL,
    event_type TEXT NOT NULL,
    created_at TEXT NOT NULL,
    payload TEXT NOT NULL
);
CREATE TABLE session_tool_counts (
    project_id TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    session_id TEXT NOT NULL,
    day TEXT NOT NULL,
    calls INTEGER NOT NULL,
    PRIMARY KEY (project_id, session_id, day)
) WITHOUT ROWID;
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
CREATE TABLE ticket_counts (
    project_id TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    status TEXT NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (project_id, status)
) WITHOUT ROWID;
CREATE TABLE ticket_label_lists (
    ticket_id INTEGER PRIMARY KEY REFERENCES tickets (id) ON DELETE CASCADE,
    wire TEXT NOT NULL
);
CREATE TABLE ticket_labels (
    ticket_id INTEGER NOT NULL REFERENCES tickets (id) ON DELETE CASCADE,
    label_id INTEGER NOT NULL REFERENCES labels (id) ON DELETE CASCADE,
    added_by_id TEXT REFERENCES profiles (id),
    created_at TEXT NOT NULL,
    PRIMARY KEY (ticket_id, label_id)
) WITHOUT ROWID;
CREATE TABLE ticket_views (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    ticket_id INTEGER NOT NULL REFERENCES tickets (id) ON DELETE CASCADE,
    profile_id TEXT NOT NULL REFERENCES profiles (id) ON DELETE CASCADE,
    last_viewed_at TEXT NOT NULL,
    UNIQUE (ticket_id, profile_id)
);
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
CREATE TABLE tool_calls (
    id INTEGER PRIMARY KEY,
    session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    project_id TEXT,
    day TEXT NOT NULL,
    tool_name TEXT NOT NULL,
    tool_use_id TEXT,
    file_path TEXT,
    started_ms INTEGER NOT NULL,
    duration_ms INTEGER,
    bucket INTEGER GENERATED ALWAYS AS (
        duration_ms - duration_ms
            % CAST('1' || substr('00000000000000', 1, length(duration_ms) - 2) AS INTEGER)
    ) VIRTUAL
);
CREATE TABLE tool_counts (
    project_id TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    tool_name TEXT NOT NULL,
    session_id TEXT NOT NULL,
    day TEXT NOT NULL,
    calls INTEGER NOT NULL,
    PRIMARY KEY (project_id, tool_name, session_id, day)
) WITHOUT ROWID;
CREATE TABLE tool_durations (
    project_id TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    tool_name TEXT NOT NULL,
    bucket INTEGER NOT NULL,
    day TEXT NOT NULL,
    calls INTEGER NOT NULL,
    total_ms INTEGER NOT NULL,
    PRIMARY KEY (project_id, tool_name, bucket, day)
) WITHOUT ROWID;
CREATE VIRTUAL TABLE comments_fts USING fts5 (
    body, content='comments', content_rowid='id', tokenize='porter unicode61', prefix='1 2'
);
CREATE VIRTUAL TABLE tickets_fts USING fts5 (
    title, body,
    content='tickets', content_rowid='id', tokenize='porter unicode61', prefix='1 2'
);
DELETE FROM sqlite_sequence;
INSERT INTO comments (id, ticket_id, author_id, parent_id, kombuse_session_id, external_source, external_id, synced_at, is_edited, created_at, updated_at, body) VALUES (1, 1, 'ann', NULL, NULL, NULL, NULL, NULL, 0, '2026-11-24T15:05:30.531Z', '2026-11-24T15:05:30.531Z', '@[Ann](ann) remembers #1');
INSERT INTO event_cursors (subscriber, last_event_id) VALUES ('attachments.comments', 9);
INSERT INTO event_cursors (subscriber, last_event_id) VALUES ('triggers.dispatch', 9);
INSERT INTO events (id, event_type, project_id, ticket_id, comment_id, actor_id, actor_type, payload, kombuse_session_id, created_at) VALUES (1, 'milestone.created', '27bc6c16-c5d4-4613-b1fd-b8bb0251fe45', NULL, NULL, NULL, 'system', '{"milestone_id":1,"title":"First"}', NULL, '2026-11-24T15:05:30.496Z');
INSERT INTO events (id, event_type, project_id, ticket_id, comment_id, actor_id, actor_type, payload, kombuse_session_id, created_at) VALUES (2, 'ticket.created', '27bc6c16-c5d4-4613-b1fd-b8bb0251fe45', 1, NULL, 'user-1', 'user', '{"title":"An old ticket"}', NULL, '2026-11-24T15:05:30.507Z');
INSERT INTO events (id, event_type, project_id, ticket_id, comment_id, actor_id, actor_type, payload, kombuse_session_id, created_at) VALUES (3, 'ticket.updated', '27bc6c16-c5d4-4613-b1fd-b8bb0251fe45', 1, NULL, NULL, 'user', '{"changes":["milestone_id"],"status":"open","priority":2,"assignee_id":null,"milestone_id":1,"previous_milestone_id":null}', NULL, '2026-11-24T15:05:30.523Z');
INSERT INTO events (id, event_type, project_id, ticket_id, comment_id, actor_id, actor_type, payload, kombuse_session_id, created_at) VALUES (4, 'mention.created', '27bc6c16-c5d4-4613-b1fd-b8bb0251fe45', 1, 1, 'ann', 'user', '{"mention_type":"profile","mentioned_profile_id":"ann","mention_text":"@Ann","comment_body":"@[Ann](ann) remembers #1"}', NULL, '2026-11-24T15:05:30.531Z');
INSERT INTO events (id, event_type, project_id, ticket_id, comment_id, actor_id, actor_type, payload, kombuse_session_id, created_at) VALUES (5, 'mention.created', '27bc6c16-c5d4-4613-b1fd-b8bb0251fe45', 1, 1, 'ann', 'user', '{"mention_type":"ticket","mentioned_ticket_id":1,"mentioned_ticket_project_id":"27bc6c16-c5d4-4613-b1fd-b8bb0251fe45","mentioned_ticket_number":1,"mention_text":"#1","comment_body":"@[Ann](ann) remembers #1"}', NULL, '2026-11-24T15:05:30.531Z');
INSERT INTO events (id, event_type, project_id, ticket_id, comment_id, actor_id, actor_type, payload, kombuse_session_id, created_at) VALUES (6, 'comment.added', '27bc6c16-c5d4-4613-b1fd-b8bb0251fe45', 1, 1, 'ann', 'user', '{"comment_id":1,"ticket_id":1,"author_type":"user","author_id":"ann"}', NULL, '2026-11-24T15:05:30.531Z');
INSERT INTO events (id, event_type, project_id, ticket_id, comment_id, actor_id, actor_type, payload, kombuse_session_id, created_at) VALUES (7, 'ticket.claimed', '27bc6c16-c5d4-4613-b1fd-b8bb0251fe45', 1, NULL, 'ann', 'user', '{"claimed_by_id":"ann"}', NULL, '2026-11-24T15:05:30.542Z');
INSERT INTO events (id, event_type, project_id, ticket_id, comment_id, actor_id, actor_type, payload, kombuse_session_id, created_at) VALUES (8, 'ticket.created', '27bc6c16-c5d4-4613-b1fd-b8bb0251fe45', 2, NULL, 'user-1', 'user', '{"title":"A closed ticket"}', NULL, '2026-11-24T15:05:30.546Z');
INSERT INTO events (id, event_type, project_id, ticket_id, comment_id, actor_id, actor_type, payload, kombuse_session_id, created_at) VALUES (9, 'ticket.closed', '27bc6c16-c5d4-4613-b1fd-b8bb0251fe45', 2, NULL, NULL, 'user', '{"changes":["status"],"status":"closed","previous_status":"open","priority":null,"assignee_id":null,"milestone_id":null}', NULL, '2026-11-24T15:05:30.555Z');
INSERT INTO labels (id, project_id, name, slug, color, description, plugin_id, is_enabled, disabled_by_plugin, created_at, usage_count, open_usage_count) VALUES (1, '27bc6c16-c5d4-4613-b1fd-b8bb0251fe45', 'bug', 'bug', '#ff0000', NULL, NULL, 1, 0, '2026-11-24T15:05:30.483Z', 1, 1);
INSERT INTO mentions (id, comment_id, mention_type, mentioned_profile_id, mentioned_ticket_id, mention_text, created_at) VALUES (1, 1, 'profile', 'ann', NULL, '@Ann', '2026-11-24T15:05:30.531Z');
INSERT INTO mentions (id, comment_id, mention_type, mentioned_profile_id, mentioned_ticket_id, mention_text, created_at) VALUES (2, 1, 'ticket', NULL, 1, '#1', '2026-11-24T15:05:30.531Z');
INSERT INTO migrations (id, plugin, name, checksum, applied_at) VALUES (1, 'kernel', '0001_events', '041c4fab23543cb10baca618836946d10e00efbd11719d769b0c063103d2fd10', '2026-11-24T15:05:29.376Z');
INSERT INTO migrations (id, plugin, name, checksum, applied_at) VALUES (2, 'profiles', '0001_profiles', 'af1996072e4b7862d7ae72510ab689da217a067b691130bbff85f5b5f0cae2a2', '2026-11-24T15:05:29.377Z');
INSERT INTO migrations (id, plugin, name, checksum, applied_at) VALUES (3, 'projects', '0001_projects', '8ef65a60f35e2d13c3c254befbfebde592d7a8386fb10329b226911514268aea', '2026-11-24T15:05:29.378Z');
INSERT INTO migrations (id, plugin, name, checksum, applied_at) VALUES (4, 'agents', '0001_agents', '473902a0d0b87774794b23044e7e41c84d5f3d44ab4c66658e8c9b805e9efb41', '2026-11-24T15:05:29.383Z');
INSERT INTO migrations (id, plugin, name, checksum, applied_at) VALUES (5, 'tickets', '0001_tickets', '1cde56f85e7316fb462fc9cfc04e7a634e8e173540816138501d578c9cfc3b80', '2026-11-24T15:05:29.385Z');
INSERT INTO migrations (id, plugin, name, checksum, applied_at) VALUES (6, 'triggers', '0001_triggers', '9a69f553110d5404b533532163c36862bee3ba5efb381f9c98ad136356f44a4c', '2026-11-24T15:05:29.391Z');
INSERT INTO migrations (id, plugin, name, checksum, applied_at) VALUES (7, 'sessions', '0001_sessions', 'a4ff74811294c651ea665fe0b627f15c480b86f9e890d81768cac9b04f96706b', '2026-11-24T15:05:29.392Z');
INSERT INTO migrations (id, plugin, name, checksum, applied_at) VALUES (8, 'sessions', '0002_tool_calls', '3c9dddb068d2bfdada55215ecc135be54b7e72adc4df36e0354c7c8dfaa7a57b', '2026-11-24T15:05:29.393Z');
INSERT INTO migrations (id, plugin, name, checksum, applied_at) VALUES (9, 'attachments', '0001_attachments', 'd3c856da963dcf4dd1a0055d5b268286148fa52116ace700d3a28186f4e23e9e', '2026-11-24T15:05:29.394Z');
INSERT INTO migrations (id, plugin, name, checksum, applied_at) VALUES (10, 'comments', '0001_comments', '5d3abfd35992612252570366b666feb1cc96f8ea087531b464cc7f487ca8bfa1', '2026-11-24T15:05:29.400Z');
INSERT INTO migrations (id, plugin, name, checksum, applied_at) VALUES (11, 'events', '0001_subscriptions', '7bc1b6f95faed70af9294b75e02908769e8f935901317389eb5c8cee5f04bcbf', '2026-11-24T15:05:29.400Z');
INSERT INTO migrations (id, plugin, name, checksum, applied_at) VALUES (12, 'labels', '0001_labels', '4161ee2bbc870382a1bae631a525f472cc03719395a59cc13e38bfcd42adb6a7', '2026-11-24T15:05:29.403Z');
INSERT INTO migrations (id, plugin, name, checksum, applied_at) VALUES (13, 'labels', '0002_label_lists', '409a46dd4995a28d614675378c1a630b2730f67999ad751ec47418fb24a08e15', '2026-11-24T15:05:29.404Z');
INSERT INTO migrations (id, plugin, name, checksum, applied_at) VALUES (14, 'milestones', '0001_milestones', 'f9643a02a4bde993f7d537669293b71482c1205629a044f79f0f2ce0687d1bf6', '2026-11-24T15:05:29.405Z');
INSERT INTO migrations (id, plugin, name, checksum, applied_at) VALUES (15, 'packages', '0001_plugins', 'e892a22e1f55efb474f9e4cf2c5ead433e8846cbb37f56cae6e78b977a9a2aeb', '2026-11-24T15:05:29.405Z');
INSERT INTO migrations (id, plugin, name, checksum, applied_at) VALUES (16, 'permissions', '0001_permissions', 'b19e23c8e41d796100a3f015b3eced67eb58b390d51fbc456033e1c335e6bcfc', '2026-11-24T15:05:29.406Z');
INSERT INTO migrations (id, plugin, name, checksum, applied_at) VALUES (17, 'settings', '0001_settings', '378f4a20fef937efcd4b9c9f9d47cf9d178a0a08c727a6f990bf6845d03cb667', '2026-11-24T15:05:29.410Z');
INSERT INTO milestones (id, project_id, title, description, due_date, status, created_at, updated_at, open_count, closed_count) VALUES (1, '27bc6c16-c5d4-4613-b1fd-b8bb0251fe45', 'First', NULL, '2030-01-01', 'open', '2026-11-24T15:05:30.496Z', '2026-11-24T15:05:30.496Z', 1, 0);
INSERT INTO profile_settings (id, profile_id, setting_key, setting_value, created_at, updated_at) VALUES (1, 'user-1', 'theme', 'dark', '2026-11-24T15:05:30.563Z', '2026-11-24T15:05:30.563Z');
INSERT INTO profiles (id, type, name, slug, email, description, avatar_url, external_source, external_id, plugin_id, package_name, package_project_id, is_active, created_at, updated_at) VALUES ('user-1', 'user', 'Default User', NULL, 'user@example.com', NULL, NULL, NULL, NULL, NULL, NULL, NULL, 1, '2026-11-24T15:05:30.360Z', '2026-11-24T15:05:30.360Z');
INSERT INTO profiles (id, type, name, slug, email, description, avatar_url, external_source, external_id, plugin_id, package_name, package_project_id, is_active, created_at, updated_at) VALUES ('anonymous-agent', 'agent', 'Anonymous Agent', NULL, NULL, 'Stands for MCP clients that do not say who they are', NULL, NULL, NULL, NULL, NULL, NULL, 1, '2026-11-24T15:05:30.360Z', '2026-11-24T15:05:30.360Z');
INSERT INTO profiles (id, type, name, slug, email, description, avatar_url, external_source, external_id, plugin_id, package_name, package_project_id, is_active, created_at, updated_at) VALUES ('ann', 'user', 'Ann', NULL, 'ann@example.com', NULL, NULL, NULL, NULL, NULL, NULL, NULL, 1, '2026-11-24T15:05:30.467Z', '2026-11-24T15:05:30.467Z');
INSERT INTO projects (id, name, slug, description, owner_id, local_path, repo_source, repo_owner, repo_name, created_at, updated_at, next_ticket_number, search_text) VALUES ('27bc6c16-c5d4-4613-b1fd-b8bb0251fe45', 'Old project', 'old-project', NULL, 'ann', NULL, NULL, NULL, NULL, '2026-11-24T15:05:30.476Z', '2026-11-24T15:05:30.476Z', 3, 'old project');
INSERT INTO ticket_counts (project_id, status, n) VALUES ('27bc6c16-c5d4-4613-b1fd-b8bb0251fe45', 'closed', 1);
INSERT INTO ticket_counts (project_id, status, n) VALUES ('27bc6c16-c5d4-4613-b1fd-b8bb0251fe45', 'open', 1);
INSERT INTO ticket_label_lists (ticket_id, wire) VALUES (1, '[{"id":1,"project_id":"27bc6c16-c5d4-4613-b1fd-b8bb0251fe45","name":"bug","slug":"bug","color":"#ff0000","description":null,"plugin_id":null,"is_enabled":true,"created_at":"2026-11-24T15:05:30.483Z"}]');
INSERT INTO ticket_labels (ticket_id, label_id, added_by_id, created_at) VALUES (1, 1, 'user-1', '2026-11-24T15:05:30.507Z');
INSERT INTO ticket_views (id, ticket_id, profile_id, last_viewed_at) VALUES (1, 1, 'user-1', '2026-11-24T15:05:30.507Z');
INSERT INTO ticket_views (id, ticket_id, profile_id, last_viewed_at) VALUES (2, 1, 'ann', '2026-11-24T15:05:30.542Z');
INSERT INTO ticket_views (id, ticket_id, profile_id, last_viewed_at) VALUES (3, 2, 'user-1', '2026-11-24T15:05:30.546Z');
INSERT INTO tickets (id, project_id, ticket_number, author_id, assignee_id, claimed_by_id, status, priority, milestone_id, triggers_enabled, loop_protection_enabled, claimed_at, claim_expires_at, created_at, updated_at, opened_at, closed_at, last_activity_at, external_source, external_id, external_url, synced_at, title, body) VALUES (1, '27bc6c16-c5d4-4613-b1fd-b8bb0251fe45', 1, 'user-1', 'ann', 'ann', 'open', 2, 1, 1, 1, '2026-11-24T15:05:30.542Z', NULL, '2026-11-24T15:05:30.507Z', '2026-11-24T15:05:30.542Z', '2026-11-24T15:05:30.507Z', NULL, '2026-11-24T15:05:30.542Z', NULL, NULL, NULL, NULL, 'An old ticket', 'with words');
INSERT INTO tickets (id, project_id, ticket_number, author_id, assignee_id, claimed_by_id, status, priority, milestone_id, triggers_enabled, loop_protection_enabled, claimed_at, claim_expires_at, created_at, updated_at, opened_at, closed_at, last_activity_at, external_source, external_id, external_url, synced_at, title, body) VALUES (2, '27bc6c16-c5d4-4613-b1fd-b8bb0251fe45', 2, 'user-1', NULL, NULL, 'closed', NULL, NULL, 1, 1, NULL, NULL, '2026-11-24T15:05:30.546Z', '2026-11-24T15:05:30.555Z', '2026-11-24T15:05:30.546Z', '2026-11-24T15:05:30.555Z', '2026-11-24T15:05:30.555Z', NULL, NULL, NULL, NULL, 'A closed ticket', NULL);
INSERT INTO sqlite_sequence (name, seq) VALUES ('migrations', 17);
INSERT INTO sqlite_sequence (name, seq) VALUES ('labels', 1);
INSERT INTO sqlite_sequence (name, seq) VALUES ('milestones', 1);
INSERT INTO sqlite_sequence (name, seq) VALUES ('events', 9);
INSERT INTO sqlite_sequence (name, seq) VALUES ('tickets', 2);
INSERT INTO sqlite_sequence (name, seq) VALUES ('ticket_views', 3);
INSERT INTO sqlite_sequence (name, seq) VALUES ('comments', 1);
INSERT INTO sqlite_sequence (name, seq) VALUES ('mentions', 2);
INSERT INTO sqlite_sequence (name, seq) VALUES ('profile_settings', 1);
INSERT INTO comments_fts (comments_fts) VALUES ('rebuild');
INSERT INTO tickets_fts (tickets_fts) VALUES ('rebuild');
CREATE INDEX agent_invocations_active ON agent_invocations (agent_id, ticket_id, id)
    WHERE status IN ('pending', 'running');
CREATE INDEX agent_invocations_agent ON agent_invocations (agent_id, created_at, id);
CREATE INDEX agent_invocations_by_ticket ON agent_invocations (ticket_id, created_at)
    WHERE ticket_id IS NOT NULL;
CREATE INDEX agent_invocations_completed
    ON agent_invocations (project_id, started_at, agent_id, duration_ms)
    WHERE status = 'completed' AND project_id IS NOT NULL;
CREATE INDEX agent_invocations_created ON agent_invocations (created_at, id);
CREATE INDEX agent_invocations_due ON agent_invocations (run_at, id, agent_id)
    WHERE status = 'pending';
CREATE INDEX agent_invocations_kombuse_session ON agent_invocations (kombuse_session_id, id)
    WHERE kombuse_session_id IS NOT NULL;
CREATE UNIQUE INDEX agent_invocations_once ON agent_invocations (event_id, trigger_id)
    WHERE origin = 'trigger';
CREATE INDEX agent_invocations_project ON agent_invocations (project_id, created_at, id);
CREATE INDEX agent_invocations_running ON agent_invocations (agent_id) WHERE status = 'running';
CREATE INDEX agent_invocations_session ON agent_invocations (session_id)
    WHERE session_id IS NOT NULL;
CREATE INDEX agent_invocations_status ON agent_invocations (status, created_at, id);
CREATE INDEX agent_invocations_stops ON agent_invocations (ticket_id, completed_at)
    WHERE loop_stop IS NOT NULL;
CREATE INDEX agent_invocations_trigger ON agent_invocations (trigger_id, created_at, id)
    WHERE trigger_id IS NOT NULL;
CREATE INDEX agent_triggers_agent ON agent_triggers (agent_id, priority, created_at, id);
CREATE INDEX agent_triggers_event
    ON agent_triggers (event_type, is_enabled, priority, created_at, id);
CREATE INDEX agent_triggers_label ON agent_triggers (label_id, created_at, id)
    WHERE label_id IS NOT NULL;
CREATE INDEX agent_triggers_plugin ON agent_triggers (plugin_id) WHERE plugin_id IS NOT NULL;
CREATE UNIQUE INDEX agent_triggers_plugin_slug ON agent_triggers (slug, agent_id, plugin_id)
    WHERE slug IS NOT NULL AND plugin_id IS NOT NULL;
CREATE INDEX agent_triggers_project ON agent_triggers (project_id) WHERE project_id IS NOT NULL;
CREATE UNIQUE INDEX agent_triggers_slug ON agent_triggers (slug, agent_id)
    WHERE slug IS NOT NULL AND plugin_id IS NULL;
CREATE INDEX agents_created ON agents (created_at, id);
CREATE UNIQUE INDEX agents_global_slug ON agents (slug)
    WHERE slug IS NOT NULL AND plugin_id IS NULL AND project_id IS NULL;
CREATE INDEX agents_orphans ON agents (orphaned_plugin_id) WHERE orphaned_plugin_id IS NOT NULL;
CREATE INDEX agents_plugin ON agents (plugin_id) WHERE plugin_id IS NOT NULL;
CREATE UNIQUE INDEX agents_plugin_slug ON agents (slug, plugin_id, ifnull(project_id, ''))
    WHERE slug IS NOT NULL AND plugin_id IS NOT NULL;
CREATE INDEX agents_project ON agents (project_id) WHERE project_id IS NOT NULL;
CREATE UNIQUE INDEX agents_project_slug ON agents (slug, project_id)
    WHERE slug IS NOT NULL AND plugin_id IS NULL AND project_id IS NOT NULL;
CREATE INDEX agents_slug ON agents (slug);
CREATE INDEX agents_type ON agents (type);
CREATE INDEX attachments_comment ON attachments (comment_id, created_at, id)
    WHERE comment_id IS NOT NULL;
CREATE INDEX attachments_owner ON attachments (owner_ticket_id);
CREATE INDEX attachments_ticket ON attachments (ticket_id, created_at, id)
    WHERE ticket_id IS NOT NULL;
CREATE INDEX comments_author ON comments (author_id);
CREATE INDEX comments_parent ON comments (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX comments_session ON comments (kombuse_session_id)
    WHERE kombuse_session_id IS NOT NULL;
CREATE INDEX comments_ticket ON comments (ticket_id, created_at, id, parent_id, author_id);
CREATE INDEX cross_references_target ON cross_references (target_ticket_id);
CREATE UNIQUE INDEX event_subscriptions_everywhere
    ON event_subscriptions (subscriber_id, event_type) WHERE project_id IS NULL;
CREATE INDEX event_subscriptions_list ON event_subscriptions (subscriber_id, created_at, id);
CREATE INDEX event_subscriptions_project ON event_subscriptions (project_id)
    WHERE project_id IS NOT NULL;
CREATE INDEX events_actor ON events (actor_id) WHERE actor_id IS NOT NULL;
CREATE INDEX events_actor_type ON events (actor_type);
CREATE INDEX events_comment ON events (comment_id) WHERE comment_id IS NOT NULL;
CREATE INDEX events_created ON events (created_at);
CREATE INDEX events_project ON events (project_id, id, actor_type);
CREATE INDEX events_session ON events (kombuse_session_id) WHERE kombuse_session_id IS NOT NULL;
CREATE INDEX events_ticket ON events (ticket_id) WHERE ticket_id IS NOT NULL;
CREATE INDEX events_type ON events (event_type, id, project_id);
CREATE INDEX labels_name ON labels (project_id, name, id);
CREATE INDEX labels_open_usage ON labels (project_id, open_usage_count DESC, name, id);
CREATE INDEX labels_plugin ON labels (plugin_id) WHERE plugin_id IS NOT NULL;
CREATE UNIQUE INDEX labels_plugin_slug ON labels (project_id, plugin_id, slug)
    WHERE slug IS NOT NULL AND plugin_id IS NOT NULL;
CREATE UNIQUE INDEX labels_slug ON labels (project_id, slug)
    WHERE slug IS NOT NULL AND plugin_id IS NULL;
CREATE INDEX labels_usage ON labels (project_id, usage_count DESC, name, id);
CREATE INDEX mentions_comment ON mentions (comment_id);
CREATE INDEX mentions_profile ON mentions (mentioned_profile_id)
    WHERE mentioned_profile_id IS NOT NULL;
CREATE INDEX mentions_ticket ON mentions (mentioned_ticket_id)
    WHERE mentioned_ticket_id IS NOT NULL;
CREATE INDEX milestones_due ON milestones
    (project_id, due_date IS NULL, due_date, created_at DESC, id DESC);
CREATE INDEX milestones_status_due ON milestones
    (project_id, status, due_date IS NULL, due_date, created_at DESC, id DESC);
CREATE INDEX orphaned_files_project ON orphaned_files (project_id);
CREATE INDEX permission_requests_both
    ON permission_requests (project_id, tool_name, status, requested_at, id)
    WHERE project_id IS NOT NULL;
CREATE INDEX permission_requests_open ON permission_requests (id) WHERE status = 'pending';
CREATE UNIQUE INDEX permission_requests_pending
    ON permission_requests (kombuse_session_id, argument_hash) WHERE status = 'pending';
CREATE UNIQUE INDEX permission_requests_request
    ON permission_requests (kombuse_session_id, request_id);
CREATE INDEX permission_requests_requested
    ON permission_requests (project_id, requested_at, id) WHERE project_id IS NOT NULL;
CREATE INDEX permission_requests_status
    ON permission_requests (project_id, status, requested_at, id) WHERE project_id IS NOT NULL;
CREATE INDEX permission_requests_tool
    ON permission_requests (project_id, tool_name, requested_at, id) WHERE project_id IS NOT NULL;
CREATE UNIQUE INDEX plugin_files_path ON plugin_files (plugin_id, path);
CREATE INDEX plugins_code ON plugins (name) WHERE code_sha256 IS NOT NULL;
CREATE INDEX plugins_installed ON plugins (installed_at, id);
CREATE UNIQUE INDEX plugins_name ON plugins (project_id, name);
CREATE INDEX plugins_project_installed ON plugins (project_id, installed_at, id);
CREATE INDEX profiles_active ON profiles (is_active, created_at, id);
CREATE INDEX profiles_created ON profiles (created_at, id);
CREATE UNIQUE INDEX profiles_email ON profiles (lower(email)) WHERE email IS NOT NULL;
CREATE UNIQUE INDEX profiles_external ON profiles (external_source, external_id)
    WHERE external_source IS NOT NULL;
CREATE INDEX profiles_name ON profiles (name);
CREATE INDEX profiles_package ON profiles (package_project_id, package_name)
    WHERE package_name IS NOT NULL;
CREATE INDEX profiles_plugin ON profiles (plugin_id) WHERE plugin_id IS NOT NULL;
CREATE INDEX profiles_slug ON profiles (slug) WHERE slug IS NOT NULL;
CREATE INDEX profiles_type ON profiles (type, created_at, id);
CREATE INDEX projects_created ON projects (created_at, id);
CREATE INDEX projects_id_folded ON projects (lower(id));
CREATE UNIQUE INDEX projects_local_path ON projects (local_path) WHERE local_path IS NOT NULL;
CREATE INDEX projects_owner ON projects (owner_id, created_at, id);
CREATE INDEX projects_repo_source ON projects (repo_source, created_at, id);
CREATE UNIQUE INDEX projects_slug ON projects (slug);
CREATE UNIQUE INDEX session_events_seq ON session_events (session_id, seq);
CREATE INDEX session_events_type ON session_events (session_id, event_type, seq);
CREATE INDEX session_usage_agent ON session_usage (agent_id) WHERE agent_id IS NOT NULL;
CREATE INDEX session_usage_day ON session_usage (day);
CREATE INDEX session_usage_project ON session_usage (project_id, day)
    WHERE project_id IS NOT NULL;
CREATE INDEX session_usage_ticket ON session_usage (ticket_id) WHERE ticket_id IS NOT NULL;
CREATE INDEX sessions_agent_id_created_at ON sessions (agent_id, created_at, id)
    WHERE agent_id IS NOT NULL;
CREATE INDEX sessions_agent_id_updated_at ON sessions (agent_id, updated_at, id)
    WHERE agent_id IS NOT NULL;
CREATE INDEX sessions_completed ON sessions (project_id, started_at, agent_id, duration_ms)
    WHERE status = 'completed' AND project_id IS NOT NULL;
CREATE INDEX sessions_created_at ON sessions (created_at, id);
CREATE INDEX sessions_project_id_created_at ON sessions (project_id, created_at, id)
    WHERE project_id IS NOT NULL;
CREATE INDEX sessions_project_id_updated_at ON sessions (project_id, updated_at, id)
    WHERE project_id IS NOT NULL;
CREATE INDEX sessions_status_created_at ON sessions (status, created_at, id);
CREATE INDEX sessions_status_updated_at ON sessions (status, updated_at, id);
CREATE INDEX sessions_terminal_reason_created_at ON sessions (terminal_reason, created_at, id)
    WHERE terminal_reason IS NOT NULL;
CREATE INDEX sessions_terminal_reason_updated_at ON sessions (terminal_reason, updated_at, id)
    WHERE terminal_reason IS NOT NULL;
CREATE INDEX sessions_ticket_id_created_at ON sessions (ticket_id, created_at, id)
    WHERE ticket_id IS NOT NULL;
CREATE INDEX sessions_ticket_id_updated_at ON sessions (ticket_id, updated_at, id)
    WHERE ticket_id IS NOT NULL;
CREATE INDEX sessions_updated_at ON sessions (updated_at, id);
CREATE INDEX ticket_labels_label ON ticket_labels (label_id, ticket_id);
CREATE INDEX ticket_views_profile ON ticket_views (profile_id, ticket_id);
CREATE INDEX tickets_assignee ON tickets (assignee_id, project_id) WHERE assignee_id IS NOT NULL;
CREATE INDEX tickets_author ON tickets (author_id, project_id);
CREATE INDEX tickets_claim_expiry ON tickets (claim_expires_at) WHERE claim_expires_at IS NOT NULL;
CREATE INDEX tickets_claimer ON tickets (claimed_by_id, project_id);
CREATE INDEX tickets_closed_at ON tickets (closed_at, id, status, priority);
CREATE INDEX tickets_created_at ON tickets (created_at, id, status, priority);
CREATE INDEX tickets_cycle ON tickets (closed_at, project_id, cycle_ms)
    WHERE closed_at IS NOT NULL;
CREATE UNIQUE INDEX tickets_external ON tickets (external_source, external_id)
    WHERE external_source IS NOT NULL;
CREATE INDEX tickets_last_activity_at ON tickets (last_activity_at, id, status, priority);
CREATE INDEX tickets_milestone ON tickets (milestone_id) WHERE milestone_id IS NOT NULL;
CREATE INDEX tickets_opened_at ON tickets (opened_at, id, status, priority);
CREATE INDEX tickets_priority ON tickets (priority);
CREATE INDEX tickets_project_closed_at ON tickets (project_id, closed_at, id, status, priority);
CREATE INDEX tickets_project_created_at ON tickets (project_id, created_at, id, status, priority);
CREATE INDEX tickets_project_last_activity_at
    ON tickets (project_id, last_activity_at, id, status, priority);
CREATE INDEX tickets_project_opened_at ON tickets (project_id, opened_at, id, status, priority);
CREATE INDEX tickets_project_priority ON tickets (project_id, priority);
CREATE INDEX tickets_project_updated_at ON tickets (project_id, updated_at, id, status, priority);
CREATE INDEX tickets_updated_at ON tickets (updated_at, id, status, priority);
CREATE INDEX tool_calls_duration
    ON tool_calls (project_id, tool_name, bucket, duration_ms, day)
    WHERE duration_ms > 0;
CREATE INDEX tool_calls_session ON tool_calls (session_id, tool_use_id);
CREATE TRIGGER attachments_deleted AFTER DELETE ON attachments BEGIN
    INSERT OR REPLACE INTO attachment_trash (storage_path) VALUES (OLD.storage_path);
END;
CREATE TRIGGER comments_deleted AFTER DELETE ON comments BEGIN
    UPDATE events SET comment_id = NULL WHERE comment_id = OLD.id;
END;
CREATE TRIGGER comments_fts_delete AFTER DELETE ON comments BEGIN
    INSERT INTO comments_fts (comments_fts, rowid, body) VALUES ('delete', OLD.id, OLD.body);
END;
CREATE TRIGGER comments_fts_insert AFTER INSERT ON comments BEGIN
    INSERT INTO comments_fts (rowid, body) VALUES (NEW.id, NEW.body);
END;
CREATE TRIGGER comments_fts_update AFTER UPDATE OF body ON comments
WHEN OLD.body != NEW.body BEGIN
    INSERT INTO comments_fts (comments_fts, rowid, body) VALUES ('delete', OLD.id, OLD.body);
    INSERT INTO comments_fts (rowid, body) VALUES (NEW.id, NEW.body);
END;
CREATE TRIGGER milestones_deleted AFTER DELETE ON milestones BEGIN
    UPDATE tickets SET milestone_id = NULL WHERE milestone_id = OLD.id;
END;
CREATE TRIGGER milestones_ticket_added AFTER INSERT ON tickets
WHEN NEW.milestone_id IS NOT NULL BEGIN
    UPDATE milestones SET
        open_count = open_count + (NEW.status != 'closed'),
        closed_count = closed_count + (NEW.status = 'closed')
    WHERE id = NEW.milestone_id;
END;
CREATE TRIGGER milestones_ticket_changed AFTER UPDATE OF milestone_id, status ON tickets
WHEN OLD.milestone_id IS NOT NEW.milestone_id OR OLD.status != NEW.status BEGIN
    UPDATE milestones SET
        open_count = open_count - (OLD.status != 'closed'),
        closed_count = closed_count - (OLD.status = 'closed')
    WHERE id = OLD.milestone_id;
    UPDATE milestones SET
        open_count = open_count + (NEW.status != 'closed'),
        closed_count = closed_count + (NEW.status = 'closed')
    WHERE id = NEW.milestone_id;
END;
CREATE TRIGGER milestones_ticket_deleted AFTER DELETE ON tickets
WHEN OLD.milestone_id IS NOT NULL BEGIN
    UPDATE milestones SET
        open_count = open_count - (OLD.status != 'closed'),
        closed_count = closed_count - (OLD.status = 'closed')
    WHERE id = OLD.milestone_id;
END;
CREATE TRIGGER plugins_deleted AFTER DELETE ON plugins BEGIN
    UPDATE profiles SET plugin_id = NULL WHERE plugin_id = OLD.id;
END;
CREATE TRIGGER projects_deleted AFTER DELETE ON projects BEGIN
    UPDATE events SET project_id = NULL WHERE project_id = OLD.id;
END;
CREATE TRIGGER sessions_deleted AFTER DELETE ON sessions BEGIN
    UPDATE agent_invocations SET session_id = NULL WHERE session_id = OLD.id;
END;
CREATE TRIGGER ticket_counts_delete AFTER DELETE ON tickets BEGIN
    UPDATE ticket_counts SET n = n - 1 WHERE project_id = old.project_id AND status = old.status;
END;
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
CREATE TRIGGER ticket_label_lists_added AFTER INSERT ON ticket_labels BEGIN
    INSERT INTO ticket_label_lists (ticket_id, wire)
        SELECT ticket_id, wire FROM ticket_label_wires WHERE ticket_id = NEW.ticket_id
        ON CONFLICT DO UPDATE SET wire = excluded.wire;
END;
CREATE TRIGGER ticket_label_lists_changed
AFTER UPDATE OF name, slug, color, description, plugin_id, is_enabled ON labels BEGIN
    INSERT INTO ticket_label_lists (ticket_id, wire)
        SELECT w.ticket_id, w.wire FROM ticket_labels tl
        CROSS JOIN ticket_label_wires w ON w.ticket_id = tl.ticket_id WHERE tl.label_id = NEW.id
        ON CONFLICT DO UPDATE SET wire = excluded.wire;
END;
CREATE TRIGGER ticket_label_lists_removed AFTER DELETE ON ticket_labels BEGIN
    INSERT INTO ticket_label_lists (ticket_id, wire)
        SELECT ticket_id, wire FROM ticket_label_wires WHERE ticket_id = OLD.ticket_id
        ON CONFLICT DO UPDATE SET wire = excluded.wire;
END;
CREATE TRIGGER ticket_labels_added AFTER INSERT ON ticket_labels BEGIN
    UPDATE labels SET
        usage_count = usage_count + 1,
        open_usage_count = open_usage_count
            + ifnull((SELECT status = 'open' FROM tickets WHERE id = NEW.ticket_id), 0)
    WHERE id = NEW.label_id;
END;
CREATE TRIGGER ticket_labels_removed AFTER DELETE ON ticket_labels BEGIN
    UPDATE labels SET
        usage_count = usage_count - 1,
        open_usage_count = open_usage_count
            - ifnull((SELECT status = 'open' FROM tickets WHERE id = OLD.ticket_id), 0)
    WHERE id = OLD.label_id;
END;
CREATE TRIGGER ticket_labels_status AFTER UPDATE OF status ON tickets
WHEN (OLD.status = 'open') != (NEW.status = 'open') BEGIN
    UPDATE labels SET open_usage_count = open_usage_count + iif(NEW.status = 'open', 1, -1)
    WHERE id IN (SELECT label_id FROM ticket_labels WHERE ticket_id = NEW.id);
END;
CREATE TRIGGER ticket_labels_ticket BEFORE DELETE ON tickets BEGIN
    DELETE FROM ticket_labels WHERE ticket_id = OLD.id;
END;
CREATE TRIGGER tickets_events_delete AFTER DELETE ON tickets BEGIN
    UPDATE events SET ticket_id = NULL WHERE ticket_id = old.id;
END;
CREATE TRIGGER tickets_fts_delete AFTER DELETE ON tickets BEGIN
    INSERT INTO tickets_fts (tickets_fts, rowid, title, body)
        VALUES ('delete', old.id, old.title, old.body);
END;
CREATE TRIGGER tickets_fts_insert AFTER INSERT ON tickets BEGIN
    INSERT INTO tickets_fts (rowid, title, body) VALUES (new.id, new.title, new.body);
END;
CREATE TRIGGER tickets_fts_update AFTER UPDATE OF title, body ON tickets
WHEN old.title IS NOT new.title OR old.body IS NOT new.body BEGIN
    INSERT INTO tickets_fts (tickets_fts, rowid, title, body)
        VALUES ('delete', old.id, old.title, old.body);
    INSERT INTO tickets_fts (rowid, title, body) VALUES (new.id, new.title, new.body);
END;
CREATE TRIGGER tool_calls_added AFTER INSERT ON tool_calls
WHEN NEW.project_id IS NOT NULL BEGIN
    INSERT INTO tool_counts (project_id, tool_name, session_id, day, calls)
        VALUES (NEW.project_id, NEW.tool_name, NEW.session_id, NEW.day, 1)
        ON CONFLICT DO UPDATE SET calls = calls + 1;
    INSERT INTO session_tool_counts (project_id, session_id, day, calls)
        VALUES (NEW.project_id, NEW.session_id, NEW.day, 1)
        ON CONFLICT DO UPDATE SET calls = calls + 1;
END;
CREATE TRIGGER tool_calls_ended AFTER UPDATE OF duration_ms ON tool_calls
WHEN OLD.duration_ms IS NULL AND NEW.duration_ms > 0 AND NEW.project_id IS NOT NULL BEGIN
    INSERT INTO tool_durations (project_id, tool_name, bucket, day, calls, total_ms)
        VALUES (NEW.project_id, NEW.tool_name, NEW.bucket, NEW.day, 1, NEW.duration_ms)
        ON CONFLICT DO UPDATE SET calls = calls + 1, total_ms = total_ms + excluded.total_ms;
END;
CREATE TRIGGER tool_calls_read AFTER INSERT ON tool_calls
WHEN NEW.file_path IS NOT NULL AND NEW.project_id IS NOT NULL BEGIN
    INSERT INTO file_reads (project_id, file_path, day, reads)
        VALUES (NEW.project_id, NEW.file_path, NEW.day, 1)
        ON CONFLICT DO UPDATE SET reads = reads + 1;
END;
CREATE TRIGGER tool_calls_removed AFTER DELETE ON tool_calls
WHEN OLD.project_id IS NOT NULL BEGIN
    DELETE FROM tool_counts WHERE project_id = OLD.project_id AND tool_name = OLD.tool_name
        AND session_id = OLD.session_id AND day = OLD.day;
    DELETE FROM session_tool_counts WHERE project_id = OLD.project_id
        AND session_id = OLD.session_id AND day = OLD.day;
    UPDATE tool_durations SET calls = calls - 1, total_ms = total_ms - OLD.duration_ms
        WHERE OLD.duration_ms > 0 AND project_id = OLD.project_id AND tool_name = OLD.tool_name
            AND bucket = OLD.bucket AND day = OLD.day;
    UPDATE file_reads SET reads = reads - 1
        WHERE project_id = OLD.project_id AND file_path = OLD.file_path AND day = OLD.day;
END;
CREATE VIEW ticket_label_wires AS SELECT t.id AS ticket_id, '[' || ifnull((
    SELECT group_concat(wire) FROM (
        SELECT l.wire FROM ticket_labels tl CROSS JOIN labels l ON l.id = tl.label_id
        WHERE tl.ticket_id = t.id ORDER BY l.name, l.id
    )
), '') || ']' AS wire FROM tickets t;
COMMIT;
