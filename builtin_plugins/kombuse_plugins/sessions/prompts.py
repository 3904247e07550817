"""System prompts: templates in a dialect of Jinja2, rendered where they can do no harm.

Templates were written for Nunjucks. What that spells differently is translated first: `elseif`,
`===` and `!==`, `&&`, `||` and `!` as operators, `.length`, and `for key, value in mapping`.
Methods of JavaScript are not.
"""

import asyncio
import json
import re
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

__all__ = ["Includes", "Renderer", "TemplateFailed", "fault", "has_tags", "translated"]

MAX_TEMPLATE = 200_000
MAX_INCLUDES = 50
_SECONDS = 2.0
_START_SECONDS = 20.0
_PROCESSES = 2
_MAX_ANSWER = 8 * 1024 * 1024
_TAG = re.compile(r"\{\{|\{%|\{#")
_RAW = re.compile(r"\{%-?\s*raw\s*-?%\}.*?\{%-?\s*endraw\s*-?%\}|\{#.*?#\}", re.DOTALL)
_CODE = re.compile(r"\{%.*?%\}|\{\{.*?\}\}", re.DOTALL)
_STRING = re.compile(r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'", re.DOTALL)
_PAIRS = re.compile(r"(\{%-?\s*for\s+\w+\s*,\s*\w+\s+in\s+)([\w.]+)(\s*-?%\})")
_SPELLINGS = (
    (re.compile(r"===(?!=)"), "=="),
    (re.compile(r"!=="), "!="),
    (re.compile(r"&&"), " and "),
    (re.compile(r"\|\|"), " or "),
    (re.compile(r"!(?=[\w(])"), " not "),
    (re.compile(r"(?<=[\w\])])\.length\b(?!\s*\()"), "|length"),
    (re.compile(r"(?<=\{%)(-?\s*)elseif\b"), r"\1elif"),
)


class TemplateFailed(Exception):
    """Why a prompt could not be made, with the template and the line where that is known."""


class Includes(Protocol):
    async def __call__(self, name: str) -> str | None:
        """The text of an included file; None when there is none of that name."""
        ...


def has_tags(template: str) -> bool:
    return _TAG.search(template) is not None


def translated(template: str) -> str:
    """The template in the spelling of Jinja2; raw blocks, comments and strings stay as they are."""
    return _outside(_RAW, template, lambda text: _CODE.sub(lambda m: _respelled(m[0]), text))


def _respelled(code: str) -> str:
    code = _PAIRS.sub(r"\1\2.items()\3", code)

    def respell(text: str) -> str:
        for pattern, spelling in _SPELLINGS:
            text = pattern.sub(spelling, text)
        return text

    return _outside(_STRING, code, respell)


def _outside(pattern: re.Pattern[str], text: str, change: Callable[[str], str]) -> str:
    """Change what lies between the matches of a pattern."""
    parts, position = [], 0
    for match in pattern.finditer(text):
        parts += [change(text[position : match.start()]), match[0]]
        position = match.end()
    return "".join([*parts, change(text[position:])])


def fault(template: str) -> str | None:
    """The provider of the Prompts contract. Nothing of the template is computed here."""
    if len(template) > MAX_TEMPLATE:
        return f"the template has more than {MAX_TEMPLATE} characters"
    if not has_tags(template):
        return None
    from jinja2.exceptions import TemplateSyntaxError
    from jinja2.loaders import DictLoader

    from kombuse_plugins.sessions.render_process import environment

    try:
        environment(DictLoader({})).parse(translated(template))
    except TemplateSyntaxError as error:
        return f"line {error.lineno}: {error.message}"
    except RecursionError:
        return "it nests too deeply"
    return None


class Renderer:
    """Renders on the runner's loop, in processes that start when they are first needed."""

    def __init__(self, seconds: float = _SECONDS) -> None:
        self._seconds = seconds
        self._turns = asyncio.Semaphore(_PROCESSES)
        self._idle: list[asyncio.subprocess.Process] = []

    async def render(
        self, name: str, template: str, context: Mapping[str, Any], includes: Includes
    ) -> str:
        """Raises TemplateFailed. A template without tags is the text."""
        if len(template) > MAX_TEMPLATE:
            raise TemplateFailed(f"{name}: the template has more than {MAX_TEMPLATE} characters")
        if not has_tags(template):
            return template
        request = {"name": name, "template": translated(template), "context": context}
        sources: dict[str, str] = {}
        while True:
            answer = await self._ask({**request, "includes": sources})
            if "text" in answer:
                return str(answer["text"])
            if "needs" not in answer:
                raise TemplateFailed(_explained(name, answer))
            wanted = answer["needs"]
            if len(sources) >= MAX_INCLUDES:
                raise TemplateFailed(f"{name}: it includes more than {MAX_INCLUDES} files")
            source = None if wanted in (*sources, name) else await includes(wanted)
            if source is None:
                missing = {**answer, "error": f"the included file {wanted} does not exist"}
                raise TemplateFailed(_explained(name, missing))
            if len(source) > MAX_TEMPLATE:
                raise TemplateFailed(f"{wanted}: the file has more than {MAX_TEMPLATE} characters")
            sources[wanted] = translated(source)

    async def close(self) -> None:
        idle, self._idle = self._idle, []
        for process in idle:
            await _end(process)

    async def _ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        try:
            line = json.dumps(request).encode() + b"\n"
        except (TypeError, ValueError) as error:
            raise TemplateFailed(f"{request['name']}: the values are not JSON: {error}") from error
        async with self._turns:
            process = await self._process()
            try:
                async with asyncio.timeout(self._seconds):
                    answer = await _exchange(process, line)
            except TimeoutError:
                await _end(process)
                raise TemplateFailed(
                    f"{request['name']}: rendering takes longer than {self._seconds:g} s"
                ) from None
            except (OSError, ValueError) as error:
                await _end(process)
                raise TemplateFailed(f"{request['name']}: rendering failed: {error}") from error
            except BaseException:
                await _end(process)
                raise
            if answer is None:
                await _end(process)
                raise TemplateFailed(f"{request['name']}: rendering takes too much memory")
            self._idle.append(process)
            return answer

    async def _process(self) -> asyncio.subprocess.Process:
        while self._idle:
            process = self._idle.pop()
            if process.returncode is None:
                return process
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-E",
                "-s",
                str(Path(__file__).with_name("render_process.py")),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                limit=_MAX_ANSWER,
                cwd="/",
                env={"LANG": "C.UTF-8"},
                start_new_session=True,
            )
            # The first answer takes as long as the start: it is not the template's fault.
            ready = {"name": "", "template": "", "context": {}, "includes": {}}
            async with asyncio.timeout(_START_SECONDS):
                await _exchange(process, json.dumps(ready).encode() + b"\n")
        except (OSError, TimeoutError) as error:
            raise TemplateFailed(f"templates cannot be rendered: {error}") from error
        return process


async def _exchange(process: asyncio.subprocess.Process, line: bytes) -> dict[str, Any] | None:
    """None when the process ended instead of answering."""
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(line)
    await process.stdin.drain()
    answer = await process.stdout.readline()
    if not answer.endswith(b"\n"):
        return None
    parsed: dict[str, Any] = json.loads(answer)
    return parsed


async def _end(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        process.kill()
    if process.stdin is not None:
        process.stdin.close()
    await process.wait()


def _explained(name: str, answer: Mapping[str, Any]) -> str:
    where = answer.get("template") or name
    line = answer.get("line")
    return f"{where}, line {line}: {answer['error']}" if line else f"{where}: {answer['error']}"
