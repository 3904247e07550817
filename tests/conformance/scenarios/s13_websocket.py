"""The WebSocket at /ws."""
import json
import time
from pathlib import Path

from kit import Group, seed

def recv(ws, timeout=3.0):
    try:
        return json.loads(ws.recv(timeout=timeout))
    except TimeoutError:
        return None

def talk(*messages, replies=1, origin=None, timeout=3.0):
    """Send messages, return the replies."""
    def fn(ctx):
        with ctx.ws(origin=origin) as ws:
            for m in messages:
                ctx.note_sent(ctx.fmt(m))
                ws.send(m if isinstance(m, str) else json.dumps(ctx.fmt(m)))
            return [recv(ws, timeout) for _ in range(replies)]
    return fn

def listen(topics, action, want, unsubscribe=None, timeout=3.0):
    """Subscribe, act over HTTP, return the events that came in (at most `want`, then a short silence is checked)."""
    def fn(ctx):
        with ctx.ws() as ws:
            ws.send(json.dumps({"type": "subscribe", "topics": ctx.fmt(topics)}))
            first = recv(ws)
            if unsubscribe:
                ws.send(json.dumps({"type": "unsubscribe", "topics": ctx.fmt(unsubscribe)}))
                recv(ws, 1.0)
            action(ctx)
            got = []
            for _ in range(want):
                m = recv(ws, timeout)
                if m is None:
                    break
                got.append(m)
            if len(got) == want:
                extra = recv(ws, 0.6)
                if extra is not None:
                    got.append(extra)
        return {"confirmed": (first or {}).get("type") == "subscribed", "events": got}
    return fn

def new_ticket(ctx):
    r = ctx.request("POST", "/api/tickets", json={"project_id": "{{p}}", "author_id": "{{me}}", "title": "over the wire"})
    ctx.note_sent("over the wire")
    return r.json()

def comment(n="{{n}}"):
    def fn(ctx):
        ctx.request("POST", "/api/projects/{{p}}/tickets/by-number/" + n + "/comments", json={"author_id": "{{me}}", "body": "hi"})
    return fn

def allowed(origin):
    def fn(ctx):
        try:
            with ctx.ws(origin=origin) as ws:
                ws.send(json.dumps({"type": "subscribe", "topics": ["ticket:1"]}))
                m = recv(ws, 2.0)
                return {"origin_allowed": m.get("type") == "subscribed" if m and m.get("type") else "unclear"}
        except Exception as e:
            if type(e).__name__ in ("ConnectionRefusedError", "OSError", "TimeoutError"):
                raise
            return {"origin_allowed": False}
    return fn

def setup_ticket(g):
    g.base()
    g.post("setup: ticket", "/api/tickets", {"project_id": "{{p}}", "author_id": "{{me}}", "title": "watched"}, save={"t": "id", "n": "ticket_number"}, setup=True)
    return g

EV = {"id": "<int>", "event_type": "comment.added", "project_id": "{{p}}", "ticket_id": "<int>", "comment_id": "<int>", "actor_id": "{{me}}",
      "actor_type": "user", "created_at": "<ts>"}
TOPIC = "topics are resource:id, as in ticket:123; the reference implementation sends nothing to ticket:<id>, only to ticket:<project>:<number>"

g = setup_ticket(Group("ws_basic", "websocket", "public"))
g.probe("subscribe is confirmed", talk({"type": "subscribe", "topics": ["ticket:123", "session:abc-def"]}), ordered=True)
g.probe("what is no JSON is an error", talk("{nope"))
g.probe("an event reaches the project's topic", listen(["project:{{p}}"], new_ticket, 1), loose=["events.*.event.payload"])
g.probe("an event reaches the ticket's topic", listen(["ticket:{{t}}"], comment(), 1),
        seed=seed(TOPIC, "probe", {"confirmed": True, "events": [{"type": "event", "topic": "ticket:{{t}}", "event": EV}]}))
g.probe("a foreign origin is refused", allowed("http://evil.example"))
g.probe("an http://localhost origin is allowed", allowed("http://localhost:5173"))
def prepare_chat(g):
    g.probe("setup: folder", lambda c: (Path(c.vars["work"]) / "repo").mkdir(exist_ok=True), setup=True)
    g.base(local_path="{{work}}/repo", bob=False)
    g.post("setup: session", "/api/sessions", {"backend_type": "mock", "project_id": "{{p}}"}, save={"s": "kombuse_session_id"}, setup=True)
    return g

def chat(message_form, stop_form=None, session="{{s}}"):
    """Send a message to a session, wait for the end, tell what happened."""
    def fn(ctx):
        sid = ctx.fmt(session)
        with ctx.ws() as ws:
            ws.send(json.dumps({"type": "subscribe", "topics": ["session:" + sid]}))
            recv(ws)
            ws.send(json.dumps(ctx.fmt(message_form)))
            types, end = set(), time.time() + 12
            stopped = False
            while time.time() < end:
                m = recv(ws, 1.0)
                if m:
                    types.add(m.get("type"))
                st = ctx.request("GET", "/api/sessions/" + sid).json().get("status")
                if stop_form and not stopped and st == "running":
                    ws.send(json.dumps(ctx.fmt(stop_form)))
                    stopped = True
                if st in ("completed", "failed", "aborted", "stopped"):
                    break
                if st == "pending" and time.time() > end - 8:
                    break
        ev = ctx.request("GET", "/api/sessions/" + sid + "/events", params={"event_type": "message"}).json()["events"]
        return {"heard": bool(types - {"error"}), "status": "stopped" if st in ("aborted", "stopped") else st,
                "said": [e["payload"]["role"] for e in ev][:2] if not stop_form else "-"}
    return fn

CHAT = seed("chat is the message of the API reference; the reference implementation knows agent.invoke only", "probe",
            {"heard": True, "status": "completed", "said": ["user", "assistant"]})


g = prepare_chat(Group("ws_chat_basic", "websocket", "public"))
g.probe("chat", chat({"type": "chat", "session_id": "{{s}}", "message": "Hello"}), seed=CHAT)
