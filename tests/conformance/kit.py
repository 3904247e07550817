"""Replays recorded requests against a running server and compares the answers.

A step of a scenario says what to send, the golden file of its group what must come back: literals
are exact, `<str>`, `<int>`, `<ts>` and the like are types, `{{name}}` is a value captured earlier.
"""
from __future__ import annotations

import copy
import importlib
import json as jsonlib
import logging
import re
import socket
import sys
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable
from urllib.parse import urlsplit

import httpx

logging.getLogger("mcp").setLevel(logging.CRITICAL)
logging.getLogger("websockets").setLevel(logging.CRITICAL)
HERE = Path(__file__).resolve().parent
GOLDEN = HERE / "golden"

# ---------------------------------------------------------------- placeholders

TS_RE = re.compile(r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?$")
DATE_RE = re.compile(r"^\d{4}-\d\d-\d\d$")
UUID_RE = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$", re.I)
VAR_RE = re.compile(r"\{\{([A-Za-z0-9_.]+)\}\}")

ERR = {"error": "<str>"}
ANYERR = {"error": "<error>"}


# ---------------------------------------------------------------- steps

@dataclass
class Step:
    name: str
    kind: str = "http"                      # http | probe
    method: str = ""
    path: str = ""
    json: Any = None
    query: dict | None = None
    files: dict | None = None
    form: dict | None = None
    content: Any = None
    headers: dict | None = None
    fn: Callable | None = None
    save: dict = field(default_factory=dict)
    # expectations
    ids: list | None = None                 # ordered list of variables that the ids must equal
    ids_any: list | None = None             # same, order free
    eq: dict = field(default_factory=dict)  # path -> exact value (may hold {{var}})
    ordered: bool = False
    loose: list = field(default_factory=list)
    exact: list = field(default_factory=list)
    anys: list = field(default_factory=list)
    ignore: list = field(default_factory=list)
    optional: list = field(default_factory=list)
    mode: str = "exact"                     # exact | shape | contains
    err: str | None = None                  # "any": string or list
    accept: list | None = None              # any of these statuses will do
    only: list | None = None                # keep only those top-level keys of the answer
    # deviations
    seed: dict | None = None                # {"reason", "status", "body" | "reshape"}
    bug: str | None = None                  # reason; expects 4xx
    # control
    setup: bool = False
    before: float = 0.0
    until: Callable | None = None
    timeout: float = 20.0
    needs: str | None = None                # "home"
    bytes_body: bool = False
    text: bool = False
    resp_headers: list = field(default_factory=list)


REGISTRY: list["Group"] = []


class Group:
    """An ordered list of steps with its own variables. Whole groups are public or hidden."""

    def __init__(self, name: str, resource: str, split: str):
        assert split in ("public", "hidden")
        self.name, self.resource, self.split = name, resource, split
        self.steps: list[Step] = []
        self._names: set[str] = set()
        REGISTRY.append(self)

    def add(self, step: Step) -> Step:
        assert step.name not in self._names, f"{self.name}: duplicate step {step.name!r}"
        self._names.add(step.name)
        self.steps.append(step)
        return step

    def http(self, method: str, name: str, path: str, json: Any = None, **kw) -> Step:
        return self.add(Step(name=name, method=method, path=path, json=json, **kw))

    def get(self, name, path, **kw):
        return self.http("GET", name, path, **kw)

    def post(self, name, path, json=None, **kw):
        return self.http("POST", name, path, json, **kw)

    def patch(self, name, path, json=None, **kw):
        return self.http("PATCH", name, path, json, **kw)

    def put(self, name, path, json=None, **kw):
        return self.http("PUT", name, path, json, **kw)

    def delete(self, name, path, json=None, **kw):
        return self.http("DELETE", name, path, json, **kw)

    def probe(self, name: str, fn: Callable, **kw) -> Step:
        return self.add(Step(name=name, kind="probe", fn=fn, **kw))

    # common preamble -------------------------------------------------------
    def base(self, local_path: str | None = None, bob: bool = True):
        g = self
        g.post("setup: profile me", "/api/profiles", {"type": "user", "name": f"Me {g.name}"},
               save={"me": "id"}, setup=True)
        if bob:
            g.post("setup: profile bob", "/api/profiles", {"type": "user", "name": f"Bob {g.name}"},
                   save={"bob": "id"}, setup=True)
        body = {"name": f"Conf {g.name}", "owner_id": "{{me}}"}
        if local_path:
            body["local_path"] = local_path
        g.post("setup: project", "/api/projects", body, save={"p": "id", "pslug": "slug"}, setup=True)
        return g


def seed(reason: str, status: int = 200, body: Any = None, reshape: Callable | None = None,
         like: str | None = None) -> dict:
    """The API reference contradicts the reference implementation: the former is the golden."""
    return {"reason": reason, "status": status, "body": body, "reshape": reshape, "like": like}


# ---------------------------------------------------------------- run context

class Unresolved(Exception):
    pass


class Ctx:
    def __init__(self, base_url: str, work: Path, home: Path | None):
        self.base = base_url.rstrip("/")
        self.work = work
        self.home = home
        self.http = httpx.Client(base_url=self.base, timeout=30, trust_env=False,
                                 follow_redirects=False)
        self.vars: dict[str, Any] = {}
        self.sent: set[str] = set()

    def reset(self, group: Group):
        self.vars = {"work": str(self.work / group.name), "base": self.base, "kit": str(HERE)}
        if self.home:
            self.vars["home"] = str(self.home)
        self.sent = set()
        Path(self.vars["work"]).mkdir(parents=True, exist_ok=True)

    # substitution ----------------------------------------------------------
    def fmt(self, value: Any) -> Any:
        if isinstance(value, str):
            m = VAR_RE.fullmatch(value)
            if m:
                return self._var(m.group(1))
            return VAR_RE.sub(lambda k: str(self._var(k.group(1))), value)
        if isinstance(value, dict):
            return {self.fmt(k): self.fmt(v) for k, v in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.fmt(v) for v in value]
        return value

    def _var(self, name: str) -> Any:
        if name not in self.vars or self.vars[name] is None:
            raise Unresolved(name)
        return self.vars[name]

    def note_sent(self, value: Any):
        if isinstance(value, str):
            self.sent.add(value)
        elif isinstance(value, dict):
            for k, v in value.items():
                self.note_sent(v)
        elif isinstance(value, (list, tuple)):
            for v in value:
                self.note_sent(v)

    # for probes ----------------------------------------------------
    def request(self, method, path, **kw):
        return self.http.request(method, self.fmt(path), **{k: self.fmt(v) for k, v in kw.items()})

    def ws(self, origin: str | None = None, **kw):
        from websockets.sync.client import connect
        url = "ws" + self.base[4:] + "/ws"
        args = dict(open_timeout=5, close_timeout=1, max_size=None)
        args.update(kw)
        try:
            return connect(url, origin=origin, proxy=None, **args)
        except TypeError:
            return connect(url, origin=origin, **args)

    def raw_http(self, text: str, timeout: float = 5.0) -> bytes:
        u = urlsplit(self.base)
        with socket.create_connection((u.hostname, u.port), timeout=timeout) as s:
            s.sendall(text.encode())
            s.settimeout(timeout)
            out = b""
            try:
                while True:
                    chunk = s.recv(65536)
                    if not chunk:
                        break
                    out += chunk
            except (TimeoutError, OSError):
                pass
            return out

    def mcp(self, calls: list[tuple[str, dict]], list_tools: bool = False):
        import anyio
        return anyio.run(_mcp_session, self.base + "/mcp", calls, list_tools)

    def tool(self, name: str, args: dict) -> dict:
        """One MCP tool call: {'isError': bool, 'json'|'text': ...}."""
        self.note_sent(self.fmt(args))
        return self.mcp([(name, self.fmt(args))])[1][0]


async def _mcp_session(url: str, calls, list_tools):
    from mcp import ClientSession
    try:
        from mcp.client.streamable_http import streamable_http_client as open_http
    except ImportError:  # older client
        from mcp.client.streamable_http import streamablehttp_client as open_http
    tools, results = [], []
    async with open_http(url) as streams:
        async with ClientSession(streams[0], streams[1]) as c:
            await c.initialize()
            if list_tools:
                res = await c.list_tools()
                for t in res.tools:
                    schema = getattr(t, "input_schema", None) or getattr(t, "inputSchema", None) or {}
                    tools.append({"name": t.name, "described": bool(t.description),
                                  "properties": sorted((schema.get("properties") or {}).keys()),
                                  "required": sorted(schema.get("required") or [])})
            for name, args in calls:
                try:
                    r = await c.call_tool(name, args)
                    err = getattr(r, "is_error", None)
                    if err is None:
                        err = getattr(r, "isError", False)
                    text = "".join(getattr(b, "text", "") or "" for b in r.content)
                except Exception as exc:  # protocol error counts as an error answer
                    err, text = True, str(exc)
                item: dict[str, Any] = {"isError": bool(err)}
                try:
                    item["json"] = jsonlib.loads(text)
                except ValueError:
                    item["text"] = text
                results.append(item)
    return tools, results


# ---------------------------------------------------------------- paths

def dig(body: Any, path: str) -> Any:
    if path in ("", "."):
        return body
    cur = body
    for part in path.split("."):
        if isinstance(cur, list):
            cur = cur[int(part)]
        elif isinstance(cur, dict):
            cur = cur[part]
        else:
            raise KeyError(path)
    return cur


def matches(pattern: str, path: tuple) -> bool:
    """Dotted glob: * is one element, ** is any number of elements."""
    def go(p, q):
        if not p:
            return not q
        if p[0] == "**":
            return any(go(p[1:], q[i:]) for i in range(len(q) + 1))
        return bool(q) and (p[0] == "*" or p[0] == str(q[0])) and go(p[1:], q[1:])
    return go(pattern.split("."), list(path))


# ---------------------------------------------------------------- comparison (check)

def type_ok(ph: str, a: Any) -> bool:
    if ph == "any":
        return True
    if ph == "ts":
        return isinstance(a, str) and bool(TS_RE.match(a) or DATE_RE.match(a))
    if ph == "date":
        return isinstance(a, str) and bool(DATE_RE.match(a))
    if ph == "uuid":
        return isinstance(a, str) and bool(UUID_RE.match(a))
    if ph == "str":
        return isinstance(a, str)
    if ph == "int":
        return isinstance(a, (int, float)) and not isinstance(a, bool) and a == int(a)
    if ph == "num":
        return isinstance(a, (int, float)) and not isinstance(a, bool)
    if ph == "bool":
        return isinstance(a, bool) or a in (0, 1)
    if ph == "null":
        return a is None
    if ph == "list":
        return isinstance(a, list)
    if ph == "dict":
        return isinstance(a, dict)
    if ph == "error":
        return (isinstance(a, str) and a != "") or (isinstance(a, list) and len(a) > 0)
    raise ValueError(ph)


def short(v: Any) -> str:
    s = jsonlib.dumps(v, ensure_ascii=False, default=str)
    return s if len(s) <= 90 else s[:87] + "..."


def compare(g: Any, a: Any, ctx: Ctx, step: Step, path: str = "$") -> list[str]:
    if isinstance(g, str):
        if g.startswith("<") and g.endswith(">") and g[1:-1].isalpha():
            return [] if type_ok(g[1:-1], a) else [f"{path}: expected {g}, got {short(a)}"]
        try:
            want = ctx.fmt(g)
        except Unresolved as u:
            return [] if isinstance(a, str) else [f"{path}: expected a string ({u} unknown)"]
        return [] if a == want else [f"{path}: expected {short(want)}, got {short(a)}"]
    if isinstance(g, dict):
        if "<issues>" in g:
            return compare_issues(g["<issues>"], a, path)
        if "<each>" in g:
            if not isinstance(a, list):
                return [f"{path}: expected a list, got {short(a)}"]
            if len(a) < g.get("min", 0):
                return [f"{path}: expected at least {g['min']} elements, got {len(a)}"]
            out = []
            for i, x in enumerate(a):
                out += compare(g["<each>"], x, ctx, step, f"{path}[{i}]")
                if len(out) > 5:
                    break
            return out
        if "<contains>" in g:
            if not isinstance(a, list):
                return [f"{path}: expected a list, got {short(a)}"]
            return match_unordered(g["<contains>"], a, ctx, step, path, exact_len=False)
        if "<oneof>" in g:
            diffs = [compare(x, a, ctx, step, path) for x in g["<oneof>"]]
            return [] if any(not d for d in diffs) else min(diffs, key=len)
        if "<json>" in g:
            if not isinstance(a, str):
                return [f"{path}: expected a JSON string, got {short(a)}"]
            try:
                a = jsonlib.loads(a)
            except ValueError:
                return [f"{path}: expected a JSON string, got {short(a)}"]
            return compare(g["<json>"], a, ctx, step, path + "(json)")
        if not isinstance(a, dict):
            return [f"{path}: expected an object, got {short(a)}"]
        out = []
        for k, gv in g.items():
            opt = k.startswith("?")
            if opt:
                k = k[1:]
            try:
                k = ctx.fmt(k)
            except Unresolved:
                continue
            if k not in a:
                if not opt:
                    out.append(f"{path}.{k}: missing")
                continue
            if isinstance(a[k], bool) and isinstance(gv, int) and not isinstance(gv, bool) \
                    and k.startswith(("is_", "has_")):
                a[k] = int(a[k])     # flags that the reference sends as 0 and 1
            out += compare(gv, a[k], ctx, step, f"{path}.{k}")
        return out
    if isinstance(g, list):
        if not isinstance(a, list):
            return [f"{path}: expected a list, got {short(a)}"]
        if len(g) != len(a):
            return [f"{path}: expected {len(g)} elements, got {len(a)}"]
        if step.ordered or not any(isinstance(x, (dict, list)) for x in g):
            if not step.ordered and all(isinstance(x, str) for x in g) and all(isinstance(x, str) for x in a):
                return match_unordered(g, a, ctx, step, path)
            out = []
            for i, (x, y) in enumerate(zip(g, a)):
                out += compare(x, y, ctx, step, f"{path}[{i}]")
            return out
        return match_unordered(g, a, ctx, step, path)
    if g is None:
        return [] if a is None else [f"{path}: expected null, got {short(a)}"]
    if isinstance(g, bool):
        return [] if a is g else [f"{path}: expected {g}, got {short(a)}"]
    if isinstance(g, (int, float)):
        ok = isinstance(a, (int, float)) and not isinstance(a, bool) and a == g
        return [] if ok else [f"{path}: expected {g}, got {short(a)}"]
    raise ValueError(g)


def match_unordered(gs: list, as_: list, ctx, step, path, exact_len=True) -> list[str]:
    used: set[int] = set()
    out: list[str] = []
    pending = []
    for gi, g in enumerate(gs):
        for ai, a in enumerate(as_):
            if ai not in used and not compare(g, copy.deepcopy(a), ctx, step, path):
                used.add(ai)
                break
        else:
            pending.append((gi, g))
    for gi, g in pending:
        best, best_i = None, None
        for ai, a in enumerate(as_):
            if ai in used:
                continue
            d = compare(g, copy.deepcopy(a), ctx, step, f"{path}[{ai}]")
            if best is None or len(d) < len(best):
                best, best_i = d, ai
        if best is None:
            out.append(f"{path}: no element like {short(g)}")
        else:
            used.add(best_i)
            out += best
    return out


def compare_issues(fields: list, a: Any, path: str) -> list[str]:
    if not isinstance(a, list) or not a:
        return [f"{path}: expected a list of issues, got {short(a)}"]
    seen = set()
    for i, x in enumerate(a):
        if not isinstance(x, dict) or not isinstance(x.get("path"), list) \
                or not isinstance(x.get("message"), str) or not isinstance(x.get("code"), str):
            return [f"{path}[{i}]: expected an issue with path, message and code, got {short(x)}"]
        if x["path"]:
            seen.add(str(x["path"][0]))
    miss = [f for f in fields if f not in seen]
    return [f"{path}: no issue for {miss}, only for {sorted(seen)}"] if miss else []


# ---------------------------------------------------------------- execution

@dataclass
class Result:
    status: Any = None
    body: Any = None
    error: str | None = None


def perform(step: Step, ctx: Ctx) -> Result:
    if step.before:
        time.sleep(step.before)
    deadline = time.time() + step.timeout
    while True:
        res = perform_once(step, ctx)
        if step.until is None or res.error:
            return res
        try:
            if step.until(res.body):
                return res
        except Exception:
            pass
        if time.time() > deadline:
            res.error = "condition not reached in time"
            return res
        time.sleep(0.25)


def perform_once(step: Step, ctx: Ctx) -> Result:
    if step.needs == "home" and not ctx.home:
        return Result(error="needs --home")
    try:
        if step.kind == "probe":
            body = step.fn(ctx)
            return Result(status="probe", body=jsonlib.loads(jsonlib.dumps(body)))
        path = ctx.fmt(step.path)
        kw: dict[str, Any] = {}
        if step.json is not None:
            kw["json"] = ctx.fmt(step.json)
            ctx.note_sent(kw["json"])
        if step.query:
            kw["params"] = {k: v for k, v in ctx.fmt(step.query).items()}
            ctx.note_sent(kw["params"])
        if step.files is not None:
            kw["files"] = {k: (ctx.fmt(f[0]), f[1]() if callable(f[1]) else f[1], f[2])
                           for k, f in step.files.items()}
            for f in step.files.values():
                ctx.note_sent([ctx.fmt(f[0]), f[2]])
        if step.form is not None:
            kw["data"] = ctx.fmt(step.form)
            ctx.note_sent(kw["data"])
            if step.files is None:   # still multipart
                kw["files"] = {k: (None, v) for k, v in kw.pop("data").items()}
        if step.content is not None:
            kw["content"] = step.content() if callable(step.content) else ctx.fmt(step.content)
        if step.headers:
            kw["headers"] = ctx.fmt(step.headers)
        r = ctx.http.request(step.method, path, **kw)
    except Unresolved as u:
        return Result(error=f"blocked: variable {u} was never captured")
    except httpx.HTTPError as e:
        return Result(error=f"{type(e).__name__}: {e}")
    except Exception as e:
        if step.kind == "probe":
            return Result(status="probe", error=f"{type(e).__name__}: {str(e)[:150]}")
        traceback.print_exc()
        return Result(error=f"{type(e).__name__}: {e}")
    if step.bytes_body and r.status_code < 300:
        body: Any = {"bytes": r.content.hex() if len(r.content) < 200 else len(r.content),
                     "content_type": r.headers.get("content-type", "").split(";")[0],
                     "disposition_has_filename": 'filename="' in r.headers.get("content-disposition", "")}
        return Result(r.status_code, body)
    if r.content == b"":
        body = None
    else:
        try:
            body = r.json()
        except ValueError:
            body = {"<nonjson>": r.text[:200]}
    if step.resp_headers:
        body = {"headers": {h: r.headers.get(h) for h in step.resp_headers}, "body": body}
    return Result(r.status_code, body)


def capture(step: Step, ctx: Ctx, res: Result) -> list[str]:
    miss = []
    for var, path in step.save.items():
        try:
            val = path(res.body) if callable(path) else dig(res.body, path)
            if val is None:
                raise KeyError(path)
            ctx.vars[var] = val
        except Exception:
            miss.append(var)
    return miss


def assertions(step: Step, ctx: Ctx, body: Any) -> list[str]:
    out: list[str] = []
    try:
        if step.ids is not None or step.ids_any is not None:
            rows = body
            got = [r["id"] for r in rows]
            names = step.ids if step.ids is not None else step.ids_any
            want = [ctx._var(n) for n in names]
            if step.ids is not None and got != want:
                out.append(f"$: expected ids in this order {want}, got {got}")
            if step.ids_any is not None and sorted(map(str, got)) != sorted(map(str, want)):
                out.append(f"$: expected ids {want}, got {got}")
        for path, want in step.eq.items():
            try:
                got = dig(body, path)
            except Exception:
                out.append(f"$.{path}: missing")
                continue
            if callable(want):
                if not want(got):
                    out.append(f"$.{path}: {short(got)} does not satisfy the rule")
                continue
            want = ctx.fmt(want)
            if got != want or isinstance(got, bool) != isinstance(want, bool):
                out.append(f"$.{path}: expected {short(want)}, got {short(got)}")
    except Unresolved as u:
        out.append(f"$: variable {u} was never captured")
    except Exception as e:
        out.append(f"$: {type(e).__name__}: {e}")
    return out


def judge(step: Step, expect: dict, ctx: Ctx, res: Result, explicit: bool = True) -> list[str]:
    if res.error:
        return [res.error]
    want = expect["status"]
    if want == "4xx":
        if not (isinstance(res.status, int) and 400 <= res.status < 500):
            return [f"status: expected 4xx, got {res.status}"]
    elif isinstance(want, list):
        if res.status not in want:
            return [f"status: expected one of {want}, got {res.status}"]
    elif res.status != want:
        return [f"status: expected {want}, got {res.status} {short(res.body)}"]
    if want == 204:
        return [] if res.body is None else ["body: expected none"]
    diffs = compare(expect["body"], copy.deepcopy(res.body), ctx, step)
    if explicit and not diffs:
        diffs = assertions(step, ctx, res.body)
    return diffs


