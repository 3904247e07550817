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
-- Holds the order of a ticket's comments; thread and author are checked inside the index.
CREATE INDEX comments_ticket ON comments (ticket_id, created_at, id, parent_id, author_id);
CREATE INDEX comments_parent ON comments (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX comments_author ON comments (author_id);
CREATE INDEX comments_session ON comments (kombuse_session_id)
    WHERE kombuse_session_id IS NOT NULL;

CREATE TRIGGER comments_deleted AFTER DELETE ON comments BEGIN
    UPDATE events SET comment_id = NULL WHERE comment_id = OLD.id;
END;

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
CREATE INDEX mentions_comment ON mentions (comment_id);
CREATE INDEX mentions_profile ON mentions (mentioned_profile_id)
    WHERE mentioned_profile_id IS NOT NULL;
CREATE INDEX mentions_ticket ON mentions (mentioned_ticket_id)
    WHERE mentioned_ticket_id IS NOT NULL;

-- A ticket hears only once that another one refers to it, whatever becomes of the comments.
CREATE TABLE cross_references (
    source_ticket_id INTEGER NOT NULL REFERENCES tickets (id) ON DELETE CASCADE,
    target_ticket_id INTEGER NOT NULL REFERENCES tickets (id) ON DELETE CASCADE,
    created_at TEXT NOT NULL,
    PRIMARY KEY (source_ticket_id, target_ticket_id)
) WITHOUT ROWID;
CREATE INDEX cross_references_target ON cross_references (target_ticket_id);

CREATE VIRTUAL TABLE comments_fts USING fts5 (
    body, content='comments', content_rowid='id', tokenize='porter unicode61', prefix='1 2'
);
CREATE TRIGGER comments_fts_insert AFTER INSERT ON comments BEGIN
    INSERT INTO comments_fts (rowid, body) VALUES (NEW.id, NEW.body);
END;
CREATE TRIGGER comments_fts_update AFTER UPDATE OF body ON comments
WHEN OLD.body != NEW.body BEGIN
    INSERT INTO comments_fts (comments_fts, rowid, body) VALUES ('delete', OLD.id, OLD.body);
    INSERT INTO comments_fts (rowid, body) VALUES (NEW.id, NEW.body);
END;
CREATE TRIGGER comments_fts_delete AFTER DELETE ON comments BEGIN
    INSERT INTO comments_fts (comments_fts, rowid, body) VALUES ('delete', OLD.id, OLD.body);
END;
