CREATE TABLE probe_notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL);
INSERT INTO probe_notes (text) VALUES ('made by a migration');
