-- The counters of tickets are kept by triggers, so that the list costs the same however many tickets
-- there are. Closed means the status closed; every other status counts as open.
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
CREATE INDEX milestones_due ON milestones
    (project_id, due_date IS NULL, due_date, created_at DESC, id DESC);
CREATE INDEX milestones_status_due ON milestones
    (project_id, status, due_date IS NULL, due_date, created_at DESC, id DESC);

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

CREATE TRIGGER milestones_ticket_deleted AFTER DELETE ON tickets
WHEN OLD.milestone_id IS NOT NULL BEGIN
    UPDATE milestones SET
        open_count = open_count - (OLD.status != 'closed'),
        closed_count = closed_count - (OLD.status = 'closed')
    WHERE id = OLD.milestone_id;
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
