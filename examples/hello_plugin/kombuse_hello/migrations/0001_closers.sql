CREATE TABLE hello_closers (
    profile_id TEXT PRIMARY KEY NOT NULL,
    closed INTEGER NOT NULL
) WITHOUT ROWID;
