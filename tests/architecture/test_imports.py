"""Who may import whom, checked over every file, imports inside functions included."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = {
    "kombuse_sdk": ROOT / "plugin_sdk/kombuse_sdk",
    "kombuse_kernel": ROOT / "kernel/kombuse_kernel",
    "kombuse_plugins": ROOT / "builtin_plugins/kombuse_plugins",
    "kombuse_registry": ROOT / "registry/kombuse_registry",
}
FILES = {
    f"{package}/{path.relative_to(folder).as_posix()}": path
    for package, folder in SOURCES.items()
    for path in sorted(folder.rglob("*.py"))
}
GROUPS = sorted(path.parent.name for path in SOURCES["kombuse_plugins"].glob("*/__init__.py"))
OF_THE_REGISTRY = {"packages", "updates"}


def imported(path: Path) -> Iterator[str]:
    """Every module that the file imports anywhere; `from a import b` is `a.b`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = node.module if node.level == 0 else ".".join(_package(path, node))
            yield from (f"{module}.{alias.name}" for alias in node.names)


def _package(path: Path, node: ast.ImportFrom) -> list[str]:
    """What the dots of a relative import stand for."""
    (root,) = (folder for folder in SOURCES.values() if path.is_relative_to(folder))
    parts = path.relative_to(root.parent).parts[: -node.level]
    return [*parts, *([node.module] if node.module else [])]


def ours(path: Path) -> set[str]:
    return {name for name in imported(path) if name.startswith("kombuse_")}


def test_the_contracts_of_the_import_linter_hold() -> None:
    """In a process of its own: the linter silences all loggers of the one it runs in."""
    code = "from importlinter.cli import lint_imports_command as run; run(['--no-cache'])"

    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.mark.parametrize("group", GROUPS)
def test_no_plugin_imports_the_kernel_or_another_plugin(group: str) -> None:
    allowed = {"kombuse_sdk", f"kombuse_plugins.{group}"}
    if group in OF_THE_REGISTRY:
        allowed.add("kombuse_registry")

    foreign = {
        f"{path.name}: {name}"
        for path in (SOURCES["kombuse_plugins"] / group).rglob("*.py")
        for name in ours(path)
        if not any(name == package or name.startswith(f"{package}.") for package in allowed)
    }

    assert foreign == set()


@pytest.mark.parametrize(
    ("package", "allowed"),
    [
        ("kombuse_sdk", {"kombuse_sdk"}),
        ("kombuse_kernel", {"kombuse_sdk", "kombuse_kernel"}),
        ("kombuse_registry", {"kombuse_sdk", "kombuse_registry"}),
    ],
)
def test_a_package_imports_only_what_it_may(package: str, allowed: set[str]) -> None:
    found = {name.split(".")[0] for path in SOURCES[package].rglob("*.py") for name in ours(path)}

    assert found <= allowed


@pytest.mark.parametrize("group", GROUPS)
def test_a_plugin_is_inert_until_the_host_calls_it(group: str) -> None:
    """Its `__init__` imports no more than the SDK, so that every command line stays quick."""
    tree = ast.parse((SOURCES["kombuse_plugins"] / group / "__init__.py").read_text("utf-8"))
    costly = {
        getattr(node, "module", None) or node.names[0].name
        for node in tree.body
        if isinstance(node, ast.Import | ast.ImportFrom)
    }

    assert costly <= {
        "collections.abc",
        "importlib.resources",
        "importlib.resources.abc",
        "typing",
        "kombuse_sdk",
    }
