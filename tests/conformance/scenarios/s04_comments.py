"""Comments, threads, mentions, timeline."""
from kit import Group, seed

N = "/api/projects/{{p}}/tickets/by-number"
A = ["*.author"]
def ticket(g, n=1):
    for i in range(1, n + 1):
        g.post(f"setup: ticket {i}", "/api/tickets", {"project_id": "{{p}}", "author_id": "{{me}}", "title": f"ticket {i}"},
               save={f"t{i}": "id", f"n{i}": "ticket_number"}, setup=True)

C = N + "/{{n1}}/comments"


g = Group("comments_threads", "comments", "public").base()
ticket(g, 2)
for i in range(1, 6):
    body = {"author_id": "{{me}}" if i % 2 else "{{bob}}", "body": f"comment {i}"}
    if i in (3, 4):
        body["parent_id"] = "{{c1}}"
    g.post(f"comment {i}", C, body, save={f"c{i}": "id"})
g.get("all, oldest first", C, ids=["c1", "c2", "c3", "c4", "c5"], ignore=A)
g.get("limit", C, query={"limit": 2}, ids=["c1", "c2"], ignore=A)
g.get("limit and offset", C, query={"limit": 2, "offset": 3}, ids=["c4", "c5"], ignore=A)
g.get("thread", C, query={"parent_id": "{{c1}}"}, ids=["c3", "c4"], ignore=A)
g.get("thread and author", C, query={"parent_id": "{{c1}}", "author_id": "{{bob}}"}, ids=["c4"], ignore=A)
g.get("a thread nobody started", C, query={"parent_id": 999999})
g.get("top level of three", C, query={"parent_id": "null"}, ids=["c1", "c2", "c5"],
      seed=seed("parent_id=null selects top-level comments; the reference implementation answers 400", 200,
                {"<each>": {"id": "<int>", "parent_id": None}, "min": 3}))
g.get("by an author who wrote nothing", C, query={"author_id": "no-such-profile"})
g.get("parent_id of the wrong type", C, query={"parent_id": "abc"})
g.get("limit 0", C, query={"limit": 0})
g.post("with session and external fields", C, {"author_id": "{{bob}}", "body": "linked", "kombuse_session_id": "chat-conf-1",
       "external_source": "gh", "external_id": "c-1"}, save={"c6": "id"})
g.patch("an empty edit does not mark it edited", "/api/comments/{{c6}}", {})
g.patch("edit", "/api/comments/{{c6}}", {"body": "linked, edited"})
g.get("the edit shows", "/api/comments/{{c6}}")
g.delete("delete the head of a thread", "/api/comments/{{c1}}")
g.get("its replies stay, without a parent", "/api/comments/{{c3}}")
g.get("comments of the other ticket", N + "/{{n2}}/comments")
g.get("list with a ticket number that is none", N + "/abc/comments", err="any")
g.post("create with a parent of the wrong type", C, {"author_id": "{{me}}", "body": "x", "parent_id": "abc"})
g.post("create with a parent that does not exist", C, {"author_id": "{{me}}", "body": "x", "parent_id": 999999},
       bug="foreign key failure surfaces as 500")
g.post("create by an unknown author", C, {"author_id": "no-such-profile", "body": "x"}, bug="foreign key failure surfaces as 500")
g.delete("delete with an id that is none", "/api/comments/abc", err="any")
g.delete("setup: delete the ticket", N + "/{{n1}}", setup=True)
g.get("comments go with their ticket", "/api/comments/{{c2}}")

g = Group("mentions_basic", "mentions", "public").base()
ticket(g, 2)
g.post("comment that mentions a profile and a ticket", C, {"author_id": "{{me}}", "body": "ask @[Bob]({{bob}}) about #2"}, save={"c": "id"})
g.get("both mentions are there", "/api/comments/{{c}}/mentions",
      eq={"": lambda b: {m["mention_type"] for m in b} == {"profile", "ticket"}})
g.post("comment without mentions", C, {"author_id": "{{me}}", "body": "nothing to see"}, save={"d": "id"})
g.get("no mentions", "/api/comments/{{d}}/mentions")
g.get("mentions with an id that is none", "/api/comments/abc/mentions", err="any")

g = Group("timeline_basic", "timeline", "public").base()
ticket(g)
g.post("setup: comment", C, {"author_id": "{{me}}", "body": "a remark"}, setup=True)
g.get("timeline holds comments and events", N + "/{{n1}}/timeline", mode="exact",
      eq={"total": 3, "": lambda b: sorted(i["type"] for i in b["items"]) == ["comment", "event", "event"]})
g.get("timeline of an unknown ticket", N + "/9999/timeline")
g.get("timeline with a number that is none", N + "/abc/timeline", err="any")
def kinds(c):
    items = c.request("GET", N + "/{{n1}}/timeline").json()["items"]
    stamps = [i["timestamp"] for i in items]
    seq = [i["data"]["body"] if i["type"] == "comment" else i["data"]["event_type"] for i in items]
    main = [s for s in seq if s in ("ticket.created", "one", "ticket.closed", "two", "ticket.reopened")]
    return {"sorted": stamps == sorted(stamps), "story": "|".join(main), "events": sorted(seq).count("comment.added")}

