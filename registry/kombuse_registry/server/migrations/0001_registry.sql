CREATE TABLE accounts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    created_at TEXT NOT NULL
) STRICT;

CREATE TABLE namespaces (
    author TEXT PRIMARY KEY,
    account_id INTEGER NOT NULL REFERENCES accounts (id),
    created_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- What is known of a package's newest version is copied here, for lists.
CREATE TABLE packages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    author TEXT NOT NULL,
    name TEXT NOT NULL,
    type TEXT NOT NULL CHECK (type IN ('app', 'plugin')),
    status TEXT NOT NULL DEFAULT 'active'
        CHECK (status IN ('active', 'deprecated', 'archived', 'quarantined')),
    status_reason TEXT,
    require_signature INTEGER NOT NULL DEFAULT 0,
    latest_version TEXT,
    described_by INTEGER,
    description TEXT,
    keywords TEXT NOT NULL DEFAULT '[]',
    homepage TEXT,
    repository TEXT,
    license TEXT,
    downloads INTEGER NOT NULL DEFAULT 0,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    UNIQUE (author, name)
) STRICT;

CREATE INDEX packages_by_name ON packages (name, id) WHERE status <> 'quarantined';
CREATE INDEX packages_by_update ON packages (updated_at, id) WHERE status <> 'quarantined';
CREATE INDEX packages_by_downloads ON packages (downloads, id) WHERE status <> 'quarantined';

CREATE VIRTUAL TABLE packages_text USING fts5 (
    author, name, description, keywords,
    prefix = '1 2 3', tokenize = 'unicode61 remove_diacritics 2'
);

-- A row is never deleted: a version that was removed cannot be published again.
CREATE TABLE versions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    package_id INTEGER NOT NULL REFERENCES packages (id),
    version TEXT NOT NULL,
    sort_key TEXT NOT NULL,
    is_prerelease INTEGER NOT NULL,
    channel TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    sha512 TEXT NOT NULL,
    integrity TEXT NOT NULL,
    size INTEGER NOT NULL,
    manifest TEXT NOT NULL,
    release_notes TEXT,
    readme TEXT,
    min_kombuse_version TEXT,
    signatures TEXT NOT NULL,
    published_at TEXT NOT NULL,
    published_by TEXT NOT NULL,
    yanked_reason TEXT,
    yanked_at TEXT,
    deprecated TEXT,
    removed_at TEXT,
    downloads INTEGER NOT NULL DEFAULT 0,
    UNIQUE (package_id, version)
) STRICT;

CREATE INDEX versions_by_order ON versions (package_id, sort_key, id);
CREATE INDEX versions_by_blob ON versions (sha256);

CREATE TABLE version_files (
    version_id INTEGER NOT NULL REFERENCES versions (id),
    path TEXT NOT NULL,
    size INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    PRIMARY KEY (version_id, path)
) STRICT, WITHOUT ROWID;

CREATE TABLE dist_tags (
    package_id INTEGER NOT NULL REFERENCES packages (id),
    tag TEXT NOT NULL,
    version_id INTEGER NOT NULL REFERENCES versions (id),
    PRIMARY KEY (package_id, tag)
) STRICT, WITHOUT ROWID;

CREATE TABLE owners (
    package_id INTEGER NOT NULL REFERENCES packages (id),
    account_id INTEGER NOT NULL REFERENCES accounts (id),
    PRIMARY KEY (package_id, account_id)
) STRICT, WITHOUT ROWID;

-- The secret itself is nowhere, only its digest.
CREATE TABLE tokens (
    id TEXT PRIMARY KEY,
    account_id INTEGER NOT NULL REFERENCES accounts (id),
    name TEXT NOT NULL,
    secret_sha256 TEXT NOT NULL,
    scopes TEXT NOT NULL,
    packages TEXT NOT NULL,
    cidrs TEXT NOT NULL DEFAULT '[]',
    created_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    last_used_at TEXT,
    last_used_ip TEXT,
    revoked_at TEXT
) STRICT, WITHOUT ROWID;

CREATE INDEX tokens_by_account ON tokens (account_id, id);

CREATE TABLE keys (
    keyid TEXT PRIMARY KEY,
    usage TEXT NOT NULL CHECK (usage IN ('registry', 'publisher')),
    account_id INTEGER REFERENCES accounts (id),
    name TEXT NOT NULL,
    public_key TEXT NOT NULL,
    created_at TEXT NOT NULL,
    expires_at TEXT,
    revoked_at TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    actor TEXT,
    token_id TEXT,
    ip TEXT,
    user_agent TEXT,
    action TEXT NOT NULL,
    author TEXT,
    name TEXT,
    version TEXT,
    detail TEXT NOT NULL DEFAULT '{}'
) STRICT;

CREATE INDEX audit_by_package ON audit (author, name, id);
CREATE INDEX audit_by_action ON audit (action, id);

CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
BEGIN SELECT raise(ABORT, 'the audit log is append-only'); END;

CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit
BEGIN SELECT raise(ABORT, 'the audit log is append-only'); END;

CREATE TABLE changes (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    author TEXT NOT NULL,
    name TEXT NOT NULL,
    version TEXT,
    type TEXT NOT NULL,
    at TEXT NOT NULL
) STRICT;

CREATE TABLE downloads_daily (
    version_id INTEGER NOT NULL REFERENCES versions (id),
    day TEXT NOT NULL,
    downloads INTEGER NOT NULL,
    PRIMARY KEY (version_id, day)
) STRICT, WITHOUT ROWID;

CREATE TABLE idempotency_keys (
    account_id INTEGER NOT NULL REFERENCES accounts (id),
    key TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    created_at TEXT NOT NULL,
    PRIMARY KEY (account_id, key)
) STRICT, WITHOUT ROWID;
