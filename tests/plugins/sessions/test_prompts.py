"""Prompt templates: the dialect, its limits, and errors that name the line."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from kombuse_plugins.sessions.prompts import Renderer, TemplateFailed, translated

CONTEXT: dict[str, Any] = {
    "ticket": {"title": "It breaks", "labels": ["a", "b"], "body": None},
    "empty": None,
    "yes": True,
    "map": {"k": 1, "l": [1, 2]},
    "half": 1.5,
    "whole": 5.0,
}


def render(
    template: str, files: Mapping[str, str] | None = None, seconds: float = 5.0, **more: Any
) -> str:
    async def includes(name: str) -> str | None:
        return (files or {}).get(name)

    async def work() -> str:
        renderer = Renderer(seconds)
        try:
            return await renderer.render("main", template, CONTEXT | more, includes)
        finally:
            await renderer.close()

    return asyncio.run(work())


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("no tags\n", "no tags\n"),
        ("{{ ticket.title }}!\n", "It breaks!\n"),
        ("[{{ missing.deep.deeper }}{{ empty }}{{ ticket.body }}]", "[]"),
        ("{{ yes }} {{ not yes }}", "true false"),
        ("{{ empty | or('N/A') }} {{ missing | or('x') }} {{ 0 | or('y') }}", "N/A x 0"),
        ("{{ map }} {{ map | dump }}", '{"k":1,"l":[1,2]} {"k":1,"l":[1,2]}'),
        ("{{ ticket.labels }} {{ ticket.labels.length }}", '["a","b"] 2'),
        ("{{ half }} {{ whole }}", "1.5 5"),
        ("{% if ticket.title === 'x' %}a{% elseif 1 !== 2 %}b{% else %}c{% endif %}", "b"),
        ("{% if yes && !empty || missing %}ok{% endif %}", "ok"),
        ("{% for k, v in map %}{{ k }}={{ v }};{% endfor %}", "k=1;l=[1,2];"),
        ("{% for x in ticket.labels %}{{ loop.index }}{{ x }}{% else %}-{% endfor %}", "1a2b"),
        ("{% for x in missing %}{{ x }}{% else %}none{% endfor %}", "none"),
        ("{% raw %}{{ a === b }}{% endraw %}{# a === b #}", "{{ a === b }}"),
        ("{{ 'a === b && c.length' }}", "a === b && c.length"),
        ("{% set x = 3 %}{{ x if x > 2 else 0 }}", "3"),
        ("{% macro m(a) %}<{{ a }}>{% endmacro %}{{ m('b') }}", "<b>"),
        ("{{ '<b>' }}", "<b>"),
        ("{{ desktop.a.b }}{{ 'ab'.upper() }}", "AB"),
    ],
)
def test_a_template_renders_as_its_authors_expect(template: str, text: str) -> None:
    assert render(template) == text


def test_files_are_included_and_may_include_others() -> None:
    files = {
        "a.md": "A{% include 'b.md' %}",
        "b.md": "B{{ ticket.title }}{% if 1 === 1 %}!{% endif %}",
    }

    assert render("{% include 'a.md' %}", files) == "ABIt breaks!"


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("one\n{% if %}\n", "main, line 2: "),
        ("one\ntwo\n{{ 1 / 0 }}", "main, line 3: division"),
        ("{{ a", "main, line 1: "),
        ("x\n{% include 'gone.md' %}", "gone.md does not exist"),
        ("{{ ''.__class__.__mro__ }}{{ ''.__class__.mro() }}", "main, line 1: "),
        ("{{ ticket.labels.append(1) }}", "main, line 1: "),
        ("{% for i in range(1000000000) %}{% endfor %}", "main, line 1: "),
    ],
)
def test_an_error_names_the_template_and_the_line(template: str, message: str) -> None:
    with pytest.raises(TemplateFailed) as failed:
        render(template)

    assert message in str(failed.value)


def test_an_error_in_an_included_file_names_that_file() -> None:
    with pytest.raises(TemplateFailed, match=r"^a\.md, line 2: "):
        render("{% include 'a.md' %}", {"a.md": "ok\n{{ 1 // 0 }}"})


def test_a_file_that_includes_itself_ends() -> None:
    with pytest.raises(TemplateFailed):
        render("{% include 'a.md' %}", {"a.md": "{% include 'a.md' %}"})


@pytest.mark.parametrize(
    "template",
    [
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{{ 9 ** (9 ** 9) }}",
    ],
)
def test_endless_work_is_stopped_by_the_clock(template: str) -> None:
    with pytest.raises(TemplateFailed, match=r"longer than 0\.3 s"):
        render(template, seconds=0.3)


@pytest.mark.parametrize(
    "template",
    [
        "{{ 'x' * 2000000 }}",
        "{% for a in range(99999) %}{{ 'xxxxxxxxxxxxxxxxxxxx' }}{% endfor %}",
    ],
)
def test_a_text_has_a_greatest_length(template: str) -> None:
    with pytest.raises(TemplateFailed, match="longer than 1000000 characters"):
        render(template)


@pytest.mark.parametrize("template", ["{{ 'x' * 99999999999 }}", "{{ 'x'|center(2000000000) }}"])
def test_a_template_gets_only_so_much_memory(template: str) -> None:
    with pytest.raises(TemplateFailed, match="memory"):
        render(template)


def test_after_a_failure_the_next_template_renders() -> None:
    async def no_includes(name: str) -> str | None:
        return None

    async def work() -> str:
        renderer = Renderer(0.3)
        try:
            with pytest.raises(TemplateFailed):
                await renderer.render("a", "{{ 9 ** (9 ** 9) }}", {}, no_includes)
            return await renderer.render("b", "{{ 1 + 1 }}", {}, no_includes)
        finally:
            await renderer.close()

    assert asyncio.run(work()) == "2"


def test_a_negation_at_a_word_is_translated_but_not_unequal() -> None:
    assert translated("{{ a != b }}{{ !a }}") == "{{ a != b }}{{  not a }}"
