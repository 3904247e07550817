"""Analytics."""
from kit import Group

AN = "/api/analytics/"
P = {"project_id": "{{p}}"}


def last(*values):
    return lambda rows: (rows[-1]["total"], rows[-1]["open"], rows[-1]["closed"]) == values


g = Group("analytics_basic", "analytics", "public")
g.base()
for i in (1, 2):
    g.post(f"setup: session {i}", "/api/sessions", {"backend_type": "mock", "project_id": "{{p}}"}, setup=True)
g.post("setup: milestone", "/api/projects/{{p}}/milestones", {"title": "m"}, save={"m": "id"}, setup=True)
g.post("setup: label", "/api/projects/{{p}}/labels", {"name": "l"}, save={"l": "id"}, setup=True)
for i, body in enumerate([{"status": "closed"}, {"milestone_id": "{{m}}"}, {"label_ids": ["{{l}}"]}], 1):
    g.post(f"setup: ticket {i}", "/api/tickets", {"project_id": "{{p}}", "author_id": "{{me}}", "title": f"t{i}", **body}, setup=True)
g.get("sessions per day", AN + "sessions-per-day", query=P, eq={"0.count": 2})
g.get("ticket burndown", AN + "ticket-burndown", query={**P, "days": 7}, mode="shape", eq={"": last(3, 2, 1)})
g.get("no completed session, no percentiles", AN + "duration-percentiles", query=P)
g.get("no tool was called", AN + "tool-call-volume", query=P)
for n in ("sessions-per-day", "ticket-burndown", "slowest-tools"):
    g.get(f"{n} without a project", AN + n)
g.get("days of the wrong type", AN + "sessions-per-day", query={**P, "days": "all"})
