-- `owner_ticket_id` is the ticket that the file hangs on, directly or through a comment: it alone has
-- a foreign key, since comments may be absent.
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
CREATE INDEX attachments_ticket ON attachments (ticket_id, created_at, id)
    WHERE ticket_id IS NOT NULL;
CREATE INDEX attachments_comment ON attachments (comment_id, created_at, id)
    WHERE comment_id IS NOT NULL;
CREATE INDEX attachments_owner ON attachments (owner_ticket_id);

-- Files that no attachment names (any more), to be removed from the disk: at once, or after
-- `keep_until` when an upload is about to name them. Every stored file is here or in attachments.
CREATE TABLE attachment_trash (
    storage_path TEXT PRIMARY KEY NOT NULL,
    keep_until TEXT
) WITHOUT ROWID;
CREATE TRIGGER attachments_deleted AFTER DELETE ON attachments BEGIN
    INSERT OR REPLACE INTO attachment_trash (storage_path) VALUES (OLD.storage_path);
END;
