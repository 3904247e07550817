-- `type` is the agent type as the configuration names it. `package_slug` is the slug in the package
-- `plugin_name`, which `slug` is not when another package has an agent of that slug. A package that
-- goes leaves its id in `orphaned_plugin_id`, for the files that prompts include. `adopted_from` is
-- what an agent was before a package took it over.
CREATE TABLE agents (
    id TEXT PRIMARY KEY NOT NULL REFERENCES profiles (id) ON DELETE CASCADE,
    slug TEXT,
    system_prompt TEXT NOT NULL,
    permissions TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(permissions)),
    config TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(config)),
    is_enabled INTEGER NOT NULL DEFAULT 1 CHECK (is_enabled IN (0, 1)),
    disabled_by_plugin INTEGER NOT NULL DEFAULT 0 CHECK (disabled_by_plugin IN (0, 1)),
    plugin_id TEXT,
    plugin_name TEXT,
    package_slug TEXT,
    orphaned_plugin_id TEXT,
    project_id TEXT REFERENCES projects (id) ON DELETE CASCADE,
    plugin_base TEXT CHECK (plugin_base IS NULL OR json_valid(plugin_base)),
    adopted_from TEXT CHECK (adopted_from IS NULL OR json_valid(adopted_from)),
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
CREATE INDEX agents_plugin ON agents (plugin_id) WHERE plugin_id IS NOT NULL;
CREATE INDEX agents_orphans ON agents (orphaned_plugin_id) WHERE orphaned_plugin_id IS NOT NULL;
CREATE INDEX agents_slug ON agents (slug);
CREATE INDEX agents_created ON agents (created_at, id);
CREATE INDEX agents_project ON agents (project_id) WHERE project_id IS NOT NULL;
CREATE INDEX agents_type ON agents (type);
