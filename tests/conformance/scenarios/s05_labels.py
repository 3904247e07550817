"""Labels, labels on tickets, usage counts, smart labels."""
from kit import Group, seed

N = "/api/projects/{{p}}/tickets/by-number"
L = "/api/projects/{{p}}/labels"

g = Group("labels_usage", "labels", "public").base()
for i, name in enumerate(["zeta", "beta", "gamma"], 1):
    g.post(f"setup: label {name}", L, {"name": name, "color": "#00000" + str(i), "description": f"about {name} things"}, save={f"l{i}": "id"}, setup=True)
for i, (st, labels) in enumerate([("open", [1]), ("open", [1, 2]), ("closed", [1, 2]), ("closed", [2, 2])], 1):
    g.post(f"setup: ticket {i}", "/api/tickets", {"project_id": "{{p}}", "author_id": "{{me}}", "title": f"t{i}", "status": st,
           "label_ids": ["{{l%d}}" % k for k in labels]}, save={f"n{i}": "ticket_number"}, setup=True)
g.get("sorted by name", L, query={"sort": "name"}, ids=["l2", "l3", "l1"])
g.get("name is the default order", L, ids=["l2", "l3", "l1"])
g.get("sorted by usage, with counts, ties by name", L, query={"sort": "usage"}, ids=["l2", "l1", "l3"])
g.get("usage on open tickets only", L, query={"sort": "usage", "usage_scope": "open"}, ids=["l1", "l2", "l3"])
g.get("search in the name", L, query={"search": "amm"}, ids=["l3"])
g.get("search without a hit", L, query={"search": "nothing"})
g.get("an unknown order", L, query={"sort": "age"})
g.get("an unknown scope", L, query={"usage_scope": "closed"})
g.patch("disable beta", "/api/labels/{{l2}}", {"is_enabled": False})
g.get("is_enabled=true leaves it out", L, query={"is_enabled": "true"}, ids=["l3", "l1"])
g.get("is_enabled=false shows it", L, query={"is_enabled": "false"}, mode="shape", eq={"": lambda b: any(x["name"] == "beta" and x["is_enabled"] is False for x in b)})
g.get("is_enabled of the wrong type", L, query={"is_enabled": "maybe"})
g.patch("enable beta again", "/api/labels/{{l2}}", {"is_enabled": True})
g.patch("an empty update changes nothing", "/api/labels/{{l2}}", {})
g.post("adding a label twice is no error", N + "/{{n1}}/labels/{{l1}}", {})
g.get("and it is there once", N + "/{{n1}}/labels", ids=["l1"])
g.post("add without a body", N + "/{{n1}}/labels/{{l3}}")
g.get("labels of a ticket are sorted by name", N + "/{{n1}}/labels", ids=["l3", "l1"])
g.get("the ticket shows them too", N + "/{{n1}}", mode="shape", eq={"labels": lambda v: sorted(x["name"] for x in v) == ["gamma", "zeta"]})
g.get("events tell who added", N + "/{{n1}}/events", mode="shape",
      eq={"": lambda b: [e["actor_type"] for e in b if e["event_type"] == "label.added"] == ["system"]})
g.post("add with a label id that is none", N + "/{{n1}}/labels/abc", {}, err="any")
g.post("add a label that does not exist", N + "/{{n1}}/labels/999999", {}, bug="foreign key failure surfaces as 500")
g.post("add by an unknown profile", N + "/{{n2}}/labels/{{l3}}", {"added_by_id": "no-such-profile"}, bug="foreign key failure surfaces as 500")
g.delete("remove without a body", N + "/{{n1}}/labels/{{l3}}")
g.delete("remove from an unknown ticket", N + "/9999/labels/{{l3}}")
g.get("labels of an unknown ticket", N + "/9999/labels")
g.post("a name that is taken in the project", L, {"name": "zeta"}, seed=seed("duplicate slug is 409 in the API reference, 500 in the reference implementation", 409, {"error": "<str>"}))
g.delete("delete a label in use", "/api/labels/{{l1}}")
g.get("it has left the tickets", N + "/{{n2}}/labels", ids=["l2"])
