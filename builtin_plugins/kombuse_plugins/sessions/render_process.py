"""`python render_process.py`: renders templates of strangers, one JSON line each.

It is a process of its own because a template can ask for endless time and memory inside one call,
where no thread can be stopped: this one is limited, and killed when it is late. A request is
{template, name, context, includes}; the answer {text}, {error} or {needs: name of an include}.
"""

import json
import math
import resource
import sys
from typing import Any

from jinja2 import ChainableUndefined, Undefined
from jinja2.exceptions import TemplateError, TemplateNotFound, TemplateSyntaxError
from jinja2.loaders import BaseLoader
from jinja2.sandbox import ImmutableSandboxedEnvironment

MAX_OUTPUT = 1_000_000
_MEMORY = 512 * 1024 * 1024


class _TooLong(Exception):
    pass


class _Loader(BaseLoader):
    def __init__(self) -> None:
        self.sources: dict[str, str] = {}

    def get_source(self, environment: Any, template: str) -> Any:
        if template not in self.sources:
            raise TemplateNotFound(template)
        return self.sources[template], template, lambda: False


def _shown(value: Any) -> Any:
    if value is None or isinstance(value, Undefined):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        return _dump(value)
    if isinstance(value, float) and math.isfinite(value) and value.is_integer():
        return int(value)
    return value


def _or(value: Any, default: Any = "") -> Any:
    return default if value is None or isinstance(value, Undefined) else value


def _dump(value: Any, indent: int | None = None) -> str:
    separators = (",", ":") if indent is None else None
    if isinstance(value, Undefined):
        return ""
    return json.dumps(value, ensure_ascii=False, indent=indent, separators=separators, default=str)


def environment(loader: BaseLoader) -> ImmutableSandboxedEnvironment:
    made = ImmutableSandboxedEnvironment(
        loader=loader,
        undefined=ChainableUndefined,
        autoescape=False,
        keep_trailing_newline=True,
        finalize=_shown,
        cache_size=0,
    )
    made.filters |= {"or": _or, "dump": _dump}
    made.globals = {name: made.globals[name] for name in ("range", "dict", "namespace", "joiner")}
    return made


def render(request: dict[str, Any]) -> dict[str, Any]:
    loader = _Loader()
    loader.sources = {**request["includes"], request["name"]: request["template"]}
    try:
        template = environment(loader).get_template(request["name"])
        parts, length = [], 0
        for part in template.generate(request["context"]):
            length += len(part)
            if length > MAX_OUTPUT:
                raise _TooLong
            parts.append(part)
        return {"text": "".join(parts)}
    except TemplateNotFound as error:
        return {"needs": error.name or str(error), **_line(error, loader.sources)}
    except TemplateSyntaxError as error:
        return {"error": error.message, "template": error.name, "line": error.lineno}
    except _TooLong:
        return {"error": f"the text is longer than {MAX_OUTPUT} characters"}
    except MemoryError:
        return {"error": "it takes too much memory"}
    except RecursionError:
        return {"error": "it nests too deeply"}
    except (TemplateError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        where = _line(error, loader.sources)
        return {"error": str(error) or type(error).__name__, **where}
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}", **_line(error, loader.sources)}


def _line(error: BaseException, names: Any) -> dict[str, Any]:
    """Jinja rewrites tracebacks so that frames of templates carry their name and line."""
    found: dict[str, Any] = {}
    traceback = error.__traceback__
    while traceback is not None:
        name = traceback.tb_frame.f_code.co_filename
        if name in names:
            found = {"template": name, "line": traceback.tb_lineno}
        traceback = traceback.tb_next
    return found


def main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for line in sys.stdin.buffer:
        answer = render(json.loads(line))
        sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
