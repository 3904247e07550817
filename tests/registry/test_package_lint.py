"""Remarks on packages that can be installed, and secrets that must not be published."""

import json
from pathlib import Path
from random import Random
from time import perf_counter
from typing import Any

import pytest

from kombuse_registry.archive import PLUGIN_JSON
from kombuse_registry.lint import lint
from kombuse_registry.package import read_package
from kombuse_registry.secret_scan import Secret, find_secrets

MANIFEST: dict[str, Any] = {
    "name": "kit",
    "version": "1.0.0",
    "description": "Sorts tickets",
    "kombuse": {
        "plugin_system_version": "kombuse-plugin-v1",
        "labels": [{"name": "Bug"}, {"name": "Ready"}],
    },
}
CLEAN = {
    "README.md": "# Kit",
    "manifest.json": '{"name": "kit", "version": "1.0.0", "type": "plugin"}',
    "files/shared.md": "Be kind.",
    "agents/x.md": (
        "---\nname: X\npermissions:\n  - {type: tool, tool: search_tickets, scope: global}\n"
        "triggers:\n  - event_type: label.added\n    conditions: {label_name: Bug}\n---\n\n"
        '{% include "shared.md" %}\n{% include "no.md" ignore missing %}\n{{ ticket.title or 1 }}\n'
    ),
}


def remarks(folder: Path, files: dict[str, str], manifest: dict[str, Any] = MANIFEST) -> list[str]:
    for name, content in {PLUGIN_JSON: json.dumps(manifest), **files}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return lint(read_package(folder))


def test_there_is_nothing_to_say_of_a_clean_package(tmp_path: Path) -> None:
    assert remarks(tmp_path, CLEAN) == []


def test_what_publishing_needs_is_missed(tmp_path: Path) -> None:
    manifest = {key: MANIFEST[key] for key in ("name", "kombuse")}

    assert remarks(tmp_path, {}, manifest | {"capabilities": ["jobs"]}) == [
        "There is no manifest.json, which registries and feeds need",
        "There is no description",
        "There is no README.md",
        "Capabilities are declared, but there is no entry_point that could use them",
    ]


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"manifest.json": "{}"}, "Invalid manifest.json: name: Required"),
        (
            {"agents/y.md": '---\nname: Y\n---\n{% include "b.md" %}\n'},
            "agents/y.md: the prompt includes files/b.md, which is not in the package",
        ),
        (
            {"agents/y.md": "---\nname: Y\n---\n\n{% if x %}\n"},
            "agents/y.md: the prompt is no template: Unexpected end of template.",
        ),
        (
            {"agents/y.md": f"---\nname: Y\n---\n{{{{ {'(' * 5000} }}}}\n"},
            "agents/y.md: the prompt is no template: it is nested too deep",
        ),
        (
            {
                "agents/y.md": "---\nname: Y\ntriggers:\n  - event_type: a\n    project_id: p\n"
                "    conditions: {exclude_label_name: [Bug, Nope]}\n---\nGo.\n"
            },
            "agents/y.md: triggers.0: its project_id is ignored",
        ),
        (
            {
                "agents/y.md": "---\nname: Y\ntriggers:\n  - event_type: a\n"
                "    conditions: {exclude_label_name: [Bug, Nope]}\n---\nGo.\n"
            },
            'agents/y.md: triggers.0: the package does not bring the label "Nope"',
        ),
        (
            {
                "agents/y.md": "---\nname: Y\npermissions:\n"
                '  - {type: tool, tool: "Bash(git *)", scope: project}\n---\nGo.\n'
            },
            "agents/y.md: it may use the tool Bash(git *)",
        ),
        (
            {
                "agents/y.md": "---\nname: Y\npermissions:\n"
                '  - {type: resource, resource: "*", actions: ["*"], scope: global}\n---\nGo.\n'
            },
            "agents/y.md: it may do something to everything in all projects",
        ),
        (
            {
                "agents/y.md": "---\nname: Y\nconfig:\n"
                "  auto_approved_tools_override: [Read, Bash]\n---\nGo.\n"
            },
            "agents/y.md: it uses the tool Bash without asking",
        ),
        (
            {
                "files/presets/coder.json": '{"autoApprovedTools": ["Read", "Bash"],'
                ' "autoApprovedBashCommands": []}'
            },
            "files/presets/coder.json: agents use the tool Bash without asking",
        ),
    ],
)
def test_what_is_doubtful_is_told(tmp_path: Path, changed: dict[str, str], expected: str) -> None:
    found = remarks(tmp_path, CLEAN | changed)

    assert found
    assert found[0].startswith(expected)


def test_labels_that_become_one_are_told(tmp_path: Path) -> None:
    labels = [{"name": name} for name in ("Bug", "bug!", "\u65e5\u672c", "\u4e2d\u6587")]
    manifest = MANIFEST | {"kombuse": MANIFEST["kombuse"] | {"labels": labels}}

    assert remarks(tmp_path, CLEAN, manifest) == [
        "2 labels become one, since their names have the same slug bug"
    ]


def text(length: int, alphabet: str = "ABCdef0123456789") -> str:
    return "".join(Random(length).choices(alphabet, k=length))


SECRETS = {
    "a private key": f"-----BEGIN OPENSSH PRIVATE KEY-----\n{text(64)}\n",
    "a Kombuse registry token": f"kmb_{text(8)}_{text(43)}_{text(6)}",
    "an Anthropic key": f"sk-ant-api03-{text(40)}",
    "an OpenAI key": f"sk-proj-1{text(40)}",
    "a GitHub token": f"ghp_{text(36)}",
    "a GitLab token": f"glpat-{text(20)}",
    "an AWS key": f"AKIA{text(16, 'ABC123')}",
    "a Google key": f"AIza{text(35)}",
    "a Slack token": f"xoxb-{text(20)}",
    "a Stripe key": f"sk_live_{text(24)}",
    "an npm token": f"npm_{text(36)}",
    "a PyPI token": f"pypi-AgE{text(60)}",
    "a Hugging Face token": f"hf_{text(34, 'abcDEF')}",
}


@pytest.mark.parametrize("kind", SECRETS)
def test_secrets_are_found_where_they_are_and_not_repeated(tmp_path: Path, kind: str) -> None:
    content = f"# Notes\n\ntoken: {SECRETS[kind]}\n"

    assert find_secrets({"a.md": b"", "b.md": content.encode()}) == [Secret("b.md", 3, kind)]
    (remark,) = remarks(tmp_path, CLEAN | {"files/b.md": content})
    assert remark == f"Looks like a secret: files/b.md, line 3: {kind}"


@pytest.mark.parametrize(
    "key",
    [
        f"-----BEGIN RSA PRIVATE KEY-----\r\nProc-Type: 4,ENCRYPTED\r\n\r\n{text(64)}",
        f'{{"private_key": "-----BEGIN PRIVATE KEY-----\\n{text(64)}"}}',
        f"-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n{text(64)}",
    ],
)
def test_private_keys_are_found_in_all_forms(key: str) -> None:
    assert find_secrets({"a": key.encode()}) == [Secret("a", 1, "a private key")]


def test_secrets_in_files_that_are_no_text_are_found_too() -> None:
    content = b"\x00\xff\n" + SECRETS["a GitHub token"].encode() + b"\n\xff"

    assert [secret.line for secret in find_secrets({"x.bin": content})] == [2]


@pytest.mark.parametrize(
    "harmless",
    [
        "-----BEGIN PRIVATE KEY----- is how a key begins",
        "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA1234567890abcdef\n",
        "kmb_xxxxxxxx_...",
        "sk-learn-is-a-library-for-machine-learning-people",
        "a sha256 such as e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "ghp_short",
        "risk-1234567890123456789012345678901234567890",
    ],
)
def test_words_about_secrets_are_none(harmless: str) -> None:
    assert find_secrets({"a.md": harmless.encode()}) == []


def test_large_files_are_looked_through_in_little_time() -> None:
    pieces = (b"a" * 64, b"sk-" * 20, b"-----BEGIN " * 6, b"kmb_" * 16, b"A1_-" * 16)
    files = {str(number): piece * (16 * 1024) for number, piece in enumerate(pieces)}
    started = perf_counter()

    assert find_secrets(files) == []
    assert perf_counter() - started < 10
