-- `search_text` is name and description folded for comparison, which SQLite can do for ASCII only.
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
CREATE UNIQUE INDEX projects_slug ON projects (slug);
CREATE UNIQUE INDEX projects_local_path ON projects (local_path) WHERE local_path IS NOT NULL;
CREATE INDEX projects_id_folded ON projects (lower(id));
CREATE INDEX projects_created ON projects (created_at, id);
CREATE INDEX projects_owner ON projects (owner_id, created_at, id);
CREATE INDEX projects_repo_source ON projects (repo_source, created_at, id);

CREATE TRIGGER projects_deleted AFTER DELETE ON projects BEGIN
    UPDATE events SET project_id = NULL WHERE project_id = OLD.id;
END;
