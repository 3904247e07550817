"""What the SDK offers is exactly what its modules list."""

import ast
import importlib
import inspect
import pkgutil
from pathlib import Path
from types import ModuleType

import pytest

import kombuse_sdk

MODULES = ["kombuse_sdk"] + [
    found.name for found in pkgutil.walk_packages(kombuse_sdk.__path__, "kombuse_sdk.")
]


def defined(module: ModuleType) -> set[str]:
    """Public names that the module itself defines; loggers and type variables are no offers."""
    tree = ast.parse(Path(inspect.getfile(module)).read_text(encoding="utf-8"))
    names: set[str] = set()
    for node in tree.body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                names.add(name)
            case ast.ClassDef(name=name) | ast.AnnAssign(target=ast.Name(id=name)):
                names.add(name)
            case ast.Assign(value=ast.Call(func=ast.Name(id="TypeVar" | "ParamSpec"))):
                pass
            case ast.Assign(targets=targets):
                names |= {target.id for target in targets if isinstance(target, ast.Name)}
    return {name for name in names if not name.startswith(("_", "kombuse_")) and name != "log"}


@pytest.mark.parametrize("name", MODULES)
def test_a_module_lists_what_it_defines_and_nothing_that_it_has_not(name: str) -> None:
    module = importlib.import_module(name)
    listed = module.__all__

    assert sorted(set(listed)) == sorted(listed), "a name is listed twice"
    assert [item for item in listed if not hasattr(module, item)] == []
    assert sorted(defined(module) - set(listed)) == []


@pytest.mark.parametrize("name", [name for name in MODULES if name.count(".") == 2])
def test_every_contract_is_offered_by_the_package_of_contracts(name: str) -> None:
    package = importlib.import_module("kombuse_sdk.contracts")
    module = importlib.import_module(name)

    protocols = [
        item for item in module.__all__ if getattr(module.__dict__[item], "_is_protocol", 0)
    ]

    assert [item for item in protocols if item not in package.__all__] == []


def test_the_package_imports_none_of_its_costly_modules() -> None:
    source = Path(inspect.getfile(kombuse_sdk)).read_text(encoding="utf-8")
    imported = {
        node.module for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom)
    }

    assert imported == {"kombuse_sdk.hooks", "kombuse_sdk.types"}
