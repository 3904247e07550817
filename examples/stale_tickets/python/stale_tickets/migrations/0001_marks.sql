-- The open tickets that were found untouched, and since when they are.
CREATE TABLE stale_tickets (
    ticket_id INTEGER PRIMARY KEY REFERENCES tickets (id) ON DELETE CASCADE,
    since TEXT NOT NULL
);
