-- `wire` is the profile as the API answers it, kept by SQLite itself: lists of tickets, comments and
-- events put it into their rows a hundred times a page. `package_name` and `package_project_id` are
-- where the agent of the profile last came from: when it comes back, it is the same actor.
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
CREATE UNIQUE INDEX profiles_email ON profiles (lower(email)) WHERE email IS NOT NULL;
CREATE UNIQUE INDEX profiles_external ON profiles (external_source, external_id)
    WHERE external_source IS NOT NULL;
CREATE INDEX profiles_slug ON profiles (slug) WHERE slug IS NOT NULL;
CREATE INDEX profiles_plugin ON profiles (plugin_id) WHERE plugin_id IS NOT NULL;
CREATE INDEX profiles_package ON profiles (package_project_id, package_name)
    WHERE package_name IS NOT NULL;
CREATE INDEX profiles_created ON profiles (created_at, id);
CREATE INDEX profiles_type ON profiles (type, created_at, id);
CREATE INDEX profiles_active ON profiles (is_active, created_at, id);
CREATE INDEX profiles_name ON profiles (name);
