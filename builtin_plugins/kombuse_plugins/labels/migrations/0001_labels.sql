-- `wire` is the label as the API answers it, kept by SQLite itself: lists of tickets put it into
-- their rows. The counters of tickets are kept by triggers, so that the list by usage costs the same
-- however many tickets there are. `disabled_by_plugin`: enabled again together with its package.
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
CREATE UNIQUE INDEX labels_slug ON labels (project_id, slug)
    WHERE slug IS NOT NULL AND plugin_id IS NULL;
CREATE UNIQUE INDEX labels_plugin_slug ON labels (project_id, plugin_id, slug)
    WHERE slug IS NOT NULL AND plugin_id IS NOT NULL;
CREATE INDEX labels_plugin ON labels (plugin_id) WHERE plugin_id IS NOT NULL;
CREATE INDEX labels_name ON labels (project_id, name, id);
CREATE INDEX labels_usage ON labels (project_id, usage_count DESC, name, id);
CREATE INDEX labels_open_usage ON labels (project_id, open_usage_count DESC, name, id);

CREATE TABLE ticket_labels (
    ticket_id INTEGER NOT NULL REFERENCES tickets (id) ON DELETE CASCADE,
    label_id INTEGER NOT NULL REFERENCES labels (id) ON DELETE CASCADE,
    added_by_id TEXT REFERENCES profiles (id),
    created_at TEXT NOT NULL,
    PRIMARY KEY (ticket_id, label_id)
) WITHOUT ROWID;
CREATE INDEX ticket_labels_label ON ticket_labels (label_id, ticket_id);

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

-- Before the cascade does it, while the status of the ticket can still be read.
CREATE TRIGGER ticket_labels_ticket BEFORE DELETE ON tickets BEGIN
    DELETE FROM ticket_labels WHERE ticket_id = OLD.id;
END;
