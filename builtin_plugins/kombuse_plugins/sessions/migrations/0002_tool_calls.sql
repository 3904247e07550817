-- What agents did with tools, apart from the events that say so: a report over a month reads numbers
-- instead of the JSON of a million events. `duration_ms` is known when the result has come, `bucket` is
-- its two leading digits. The project is the one that the session had then.
CREATE TABLE tool_calls (
    id INTEGER PRIMARY KEY,
    session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    project_id TEXT,
    day TEXT NOT NULL,
    tool_name TEXT NOT NULL,
    tool_use_id TEXT,
    file_path TEXT,
    started_ms INTEGER NOT NULL,
    duration_ms INTEGER,
    bucket INTEGER GENERATED ALWAYS AS (
        duration_ms - duration_ms
            % CAST('1' || substr('00000000000000', 1, length(duration_ms) - 2) AS INTEGER)
    ) VIRTUAL
);
CREATE INDEX tool_calls_session ON tool_calls (session_id, tool_use_id);
CREATE INDEX tool_calls_duration
    ON tool_calls (project_id, tool_name, bucket, duration_ms, day)
    WHERE duration_ms > 0;

-- Sums of these by day, kept by the triggers below. Calls are never deleted but with their session.
CREATE TABLE tool_counts (
    project_id TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    tool_name TEXT NOT NULL,
    session_id TEXT NOT NULL,
    day TEXT NOT NULL,
    calls INTEGER NOT NULL,
    PRIMARY KEY (project_id, tool_name, session_id, day)
) WITHOUT ROWID;
CREATE TABLE session_tool_counts (
    project_id TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    session_id TEXT NOT NULL,
    day TEXT NOT NULL,
    calls INTEGER NOT NULL,
    PRIMARY KEY (project_id, session_id, day)
) WITHOUT ROWID;
CREATE TABLE tool_durations (
    project_id TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    tool_name TEXT NOT NULL,
    bucket INTEGER NOT NULL,
    day TEXT NOT NULL,
    calls INTEGER NOT NULL,
    total_ms INTEGER NOT NULL,
    PRIMARY KEY (project_id, tool_name, bucket, day)
) WITHOUT ROWID;
CREATE TABLE file_reads (
    project_id TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    file_path TEXT NOT NULL,
    day TEXT NOT NULL,
    reads INTEGER NOT NULL,
    PRIMARY KEY (project_id, file_path, day)
) WITHOUT ROWID;

CREATE TRIGGER tool_calls_added AFTER INSERT ON tool_calls
WHEN NEW.project_id IS NOT NULL BEGIN
    INSERT INTO tool_counts (project_id, tool_name, session_id, day, calls)
        VALUES (NEW.project_id, NEW.tool_name, NEW.session_id, NEW.day, 1)
        ON CONFLICT DO UPDATE SET calls = calls + 1;
    INSERT INTO session_tool_counts (project_id, session_id, day, calls)
        VALUES (NEW.project_id, NEW.session_id, NEW.day, 1)
        ON CONFLICT DO UPDATE SET calls = calls + 1;
END;

CREATE TRIGGER tool_calls_read AFTER INSERT ON tool_calls
WHEN NEW.file_path IS NOT NULL AND NEW.project_id IS NOT NULL BEGIN
    INSERT INTO file_reads (project_id, file_path, day, reads)
        VALUES (NEW.project_id, NEW.file_path, NEW.day, 1)
        ON CONFLICT DO UPDATE SET reads = reads + 1;
END;

CREATE TRIGGER tool_calls_ended AFTER UPDATE OF duration_ms ON tool_calls
WHEN OLD.duration_ms IS NULL AND NEW.duration_ms > 0 AND NEW.project_id IS NOT NULL BEGIN
    INSERT INTO tool_durations (project_id, tool_name, bucket, day, calls, total_ms)
        VALUES (NEW.project_id, NEW.tool_name, NEW.bucket, NEW.day, 1, NEW.duration_ms)
        ON CONFLICT DO UPDATE SET calls = calls + 1, total_ms = total_ms + excluded.total_ms;
END;

CREATE TRIGGER tool_calls_removed AFTER DELETE ON tool_calls
WHEN OLD.project_id IS NOT NULL BEGIN
    DELETE FROM tool_counts WHERE project_id = OLD.project_id AND tool_name = OLD.tool_name
        AND session_id = OLD.session_id AND day = OLD.day;
    DELETE FROM session_tool_counts WHERE project_id = OLD.project_id
        AND session_id = OLD.session_id AND day = OLD.day;
    UPDATE tool_durations SET calls = calls - 1, total_ms = total_ms - OLD.duration_ms
        WHERE OLD.duration_ms > 0 AND project_id = OLD.project_id AND tool_name = OLD.tool_name
            AND bucket = OLD.bucket AND day = OLD.day;
    UPDATE file_reads SET reads = reads - 1
        WHERE project_id = OLD.project_id AND file_path = OLD.file_path AND day = OLD.day;
END;
