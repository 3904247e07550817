-- `source_*`, `channel` and `checksum` say where the installed version came from, all NULL but the
-- checksum for a folder or file of this machine. `package_version` is what the package calls itself
-- to feeds. `content_sha256` names what it held, whenever it was exported; `code_sha256` the Python
-- that a person allowed to run, `tools` what its MCP tools said of themselves then.
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
CREATE UNIQUE INDEX plugins_name ON plugins (project_id, name);
CREATE INDEX plugins_code ON plugins (name) WHERE code_sha256 IS NOT NULL;
CREATE INDEX plugins_installed ON plugins (installed_at, id);
CREATE INDEX plugins_project_installed ON plugins (project_id, installed_at, id);

CREATE TRIGGER plugins_deleted AFTER DELETE ON plugins BEGIN
    UPDATE profiles SET plugin_id = NULL WHERE plugin_id = OLD.id;
END;

-- `upstream_hash` is NULL when the installed version has no such file; `upstream_content` is only
-- kept while the person's text is another one.
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
CREATE UNIQUE INDEX plugin_files_path ON plugin_files (plugin_id, path);

-- What agents include that stayed when their plugin went.
CREATE TABLE orphaned_files (
    plugin_id TEXT NOT NULL,
    path TEXT NOT NULL,
    project_id TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    content TEXT NOT NULL,
    PRIMARY KEY (plugin_id, path)
) WITHOUT ROWID;
CREATE INDEX orphaned_files_project ON orphaned_files (project_id);
