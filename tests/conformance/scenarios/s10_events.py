"""The event log and subscriptions."""
from datetime import datetime, timedelta, timezone

from kit import Group, seed

E = "/api/events"
N = "/api/projects/{{p}}/tickets/by-number"
stamp = lambda minutes: (datetime.now(timezone.utc) + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%S.000Z")

g = Group("events_log", "events", "public").base()
g.post("setup: ticket", "/api/tickets", {"project_id": "{{p}}", "author_id": "{{me}}", "title": "logged"}, save={"t": "id", "n": "ticket_number"}, setup=True)
g.patch("setup: update", N + "/{{n}}", {"title": "logged 2", "updated_by_id": "{{bob}}"}, setup=True)
g.post("setup: comment", N + "/{{n}}/comments", {"author_id": "{{bob}}", "body": "hm"}, save={"c": "id"}, setup=True)
g.patch("setup: edit the comment", "/api/comments/{{c}}", {"body": "hmm"}, setup=True)
g.post("setup: claim", N + "/{{n}}/claim", {"claimer_id": "{{bob}}"}, setup=True)
g.patch("setup: close", N + "/{{n}}", {"status": "closed", "updated_by_id": "{{me}}"}, setup=True)
g.get("the log of a ticket, newest first", N + "/{{n}}/events", ordered=True, ignore=["*.actor"], loose=["*.payload.<json>.ticket_id", "*.payload.<json>.comment_id", "*.payload.<json>.changes"])
g.get("by ticket", E, query={"ticket_id": "{{t}}"}, mode="shape", eq={"": lambda b: len(b) == 6})
g.get("by ticket and type", E, query={"ticket_id": "{{t}}", "event_type": "ticket.closed"}, eq={"0.actor_id": "{{me}}", "0.ticket_number": 1}, ignore=["*.payload"])
g.get("by actor", E, query={"actor_id": "{{bob}}", "project_id": "{{p}}"}, mode="shape", eq={"": lambda b: {e["event_type"] for e in b} == {"ticket.updated", "comment.added", "comment.edited", "ticket.claimed"}})
g.get("by actor type user", E, query={"actor_type": "user", "project_id": "{{p}}"}, mode="shape", eq={"": lambda b: len(b) == 6})
g.get("by actor type agent", E, query={"actor_type": "agent", "project_id": "{{p}}"})
g.get("limit", E, query={"project_id": "{{p}}", "limit": 2}, mode="shape", eq={"": lambda b: [e["event_type"] for e in b] == ["ticket.closed", "ticket.claimed"]})
g.get("offset", E, query={"project_id": "{{p}}", "limit": 2, "offset": 4}, mode="shape", eq={"": lambda b: [e["event_type"] for e in b] == ["ticket.updated", "ticket.created"]})
def since(ctx):
    r = ctx.request("GET", E, params={"project_id": "{{p}}", "since": stamp(-30)})
    return {"status": r.status_code, "count": len(r.json())}

g.probe("since half an hour ago: all of them", since,
        seed=seed("events after the given time; the reference implementation compares the texts and drops events of the same day", "probe", {"status": 200, "count": 6}))
g.probe("since half an hour ahead: none", lambda c: c.request("GET", E, params={"project_id": "{{p}}", "since": stamp(30)}).json())
g.get("since long ago", E, query={"project_id": "{{p}}", "since": "2001-01-01T00:00:00.000Z"}, mode="shape", eq={"": lambda b: len(b) == 6})
g.get("since that is no time", E, query={"since": "yesterday"})
g.get("limit 0", E, query={"limit": 0})
g.get("ticket_id of the wrong type", E, query={"ticket_id": "x"})
g.get("a type nobody used", E, query={"event_type": "conf.never"})
g.post("nested payload", E, {"event_type": "conf.log", "actor_type": "agent", "payload": {"x": {"y": [1, 2, {"z": None}]}}})
g.post("payload of the wrong type", E, {"event_type": "conf.log", "actor_type": "system", "payload": "text"})
g.post("an empty event type", E, {"event_type": "", "actor_type": "system", "payload": {}})
g.post("tied to ticket and comment", E, {"event_type": "conf.log", "actor_type": "user", "actor_id": "{{me}}", "project_id": "{{p}}", "ticket_id": "{{t}}", "comment_id": "{{c}}", "payload": {}},
       eq={"ticket_id": "{{t}}", "comment_id": "{{c}}", "ticket_number": 1})
g.post("an unknown actor", E, {"event_type": "conf.log", "actor_type": "user", "actor_id": "no-such-profile", "payload": {}}, bug="foreign key failure surfaces as 500")
g.post("an unknown project", E, {"event_type": "conf.log", "actor_type": "system", "project_id": "no-such-project", "payload": {}}, bug="foreign key failure surfaces as 500")
g.get("events of a ticket number that is none", N + "/abc/events", err="any")
g.delete("setup: delete the comment", "/api/comments/{{c}}", setup=True)
g.get("a deletion is logged", E, query={"project_id": "{{p}}", "event_type": "comment.deleted"}, mode="shape", eq={"": lambda b: len(b) == 1})
SUB = "/api/subscriptions"

g = Group("subscriptions_basic", "subscriptions", "public").base()
g.post("create", SUB, {"subscriber_id": "{{me}}", "event_type": "conf.subs"}, save={"s": "id"})
g.get("list", SUB, query={"subscriber_id": "{{me}}"}, ids=["s"])
g.get("list without a subscriber", SUB, err="any")
g.post("setup: event", E, {"event_type": "conf.subs", "actor_type": "system", "payload": {}}, save={"e": "id"}, setup=True)
UN = "the list of unprocessed events; the reference implementation answers 500, its events lack ticket_number"
g.get("unprocessed events", SUB + "/{{s}}/events", eq={"events.0.id": "{{e}}"},
      seed=seed(UN, 200, {"subscription": {"id": "<int>", "subscriber_id": "{{me}}", "event_type": "conf.subs", "project_id": None,
                                           "last_processed_event_id": None, "created_at": "<ts>"},
                          "events": [{"id": "<int>", "event_type": "conf.subs", "actor_type": "system", "payload": "<str>", "created_at": "<ts>"}]}))
g.post("acknowledge", SUB + "/{{s}}/acknowledge", {"last_event_id": "{{e}}"})
g.get("nothing is left", SUB + "/{{s}}/events", eq={"subscription.last_processed_event_id": "{{e}}"})
g.post("create without an event type", SUB, {"subscriber_id": "{{me}}"})
g.post("acknowledge without an id", SUB + "/{{s}}/acknowledge", {})
g.get("events of an unknown subscription", SUB + "/999999/events")
g.delete("delete", SUB + "/{{s}}")
g.delete("delete an unknown one", SUB + "/{{s}}")
