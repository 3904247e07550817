CREATE TABLE event_subscriptions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    subscriber_id TEXT NOT NULL REFERENCES profiles (id) ON DELETE CASCADE,
    event_type TEXT NOT NULL,
    project_id TEXT REFERENCES projects (id) ON DELETE CASCADE,
    last_processed_event_id INTEGER,
    created_at TEXT NOT NULL,
    UNIQUE (subscriber_id, event_type, project_id)
);
-- To UNIQUE, nulls differ from each other.
CREATE UNIQUE INDEX event_subscriptions_everywhere
    ON event_subscriptions (subscriber_id, event_type) WHERE project_id IS NULL;
CREATE INDEX event_subscriptions_list ON event_subscriptions (subscriber_id, created_at, id);
CREATE INDEX event_subscriptions_project ON event_subscriptions (project_id)
    WHERE project_id IS NOT NULL;
