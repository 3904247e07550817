-- `type` is the agent type as the configuration names it. Packages clear `plugin_id` when they go.
CREATE TABLE agents (
    id TEXT PRIMARY KEY NOT NULL REFERENCES profiles (id) ON DELETE CASCADE,
    slug TEXT,
    system_prompt TEXT NOT NULL,
    permissions TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(permissions)),
    config TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(config)),
    is_enabled INTEGER NOT NULL DEFAULT 1 CHECK (is_enabled IN (0, 1)),
    plugin_id TEXT,
    project_id TEXT REFERENCES projects (id) ON DELETE CASCADE,
    plugin_base TEXT CHECK (plugin_base IS NULL OR json_valid(plugin_base)),
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    type TEXT GENERATED ALWAYS AS (
        iif(json_type(config, '$.type') = 'text', json_extract(config, '$.type'), NULL)
    ) VIRTUAL
);
CREATE UNIQUE INDEX agents_global_slug ON agents (slug)
    WHERE slug IS NOT NULL AND plugin_id IS NULL AND project_id IS NULL;
CREATE UNIQUE INDEX agents_project_slug ON agents (slug, project_id)
    WHERE slug IS NOT NULL AND plugin_id IS NULL AND project_id IS NOT NULL;
CREATE UNIQUE INDEX agents_plugin_slug ON agents (slug, plugin_id, ifnull(project_id, ''))
    WHERE slug IS NOT NULL AND plugin_id IS NOT NULL;
CREATE INDEX agents_slug ON agents (slug);
CREATE INDEX agents_created ON agents (created_at, id);
CREATE INDEX agents_project ON agents (project_id) WHERE project_id IS NOT NULL;
CREATE INDEX agents_type ON agents (type);
