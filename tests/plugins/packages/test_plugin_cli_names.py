"""What may be named to be installed, and repositories that become sources."""

from pathlib import Path
from typing import Any

import pytest

from kombuse_plugins.packages import cli_install
from kombuse_plugins.packages.package_names import Wanted, parse
from kombuse_sdk.console import CommandError


class Api:
    """Keeps the sources of a project."""

    def __init__(self) -> None:
        self.sources: list[dict[str, str]] = []

    def get(self, path: str, **query: str) -> Any:
        return {"global_sources": [], "project_sources": self.sources, "default_sources": []}

    def put(self, path: str, body: dict[str, Any]) -> None:
        self.sources = body["sources"]


@pytest.mark.parametrize(
    ("text", "kind", "name", "version"),
    [
        ("kombuse-dev", "feed", "kombuse-dev", None),
        ("ann/kit", "feed", "ann/kit", None),
        ("ann/kit@latest", "feed", "ann/kit", None),
        ("ann/kit@1.2.3", "feed", "ann/kit", "1.2.3"),
        ("ann/kit@v1.2.3", "feed", "ann/kit", "v1.2.3"),
        ("ann/kit@^1.2 || x", "feed", "ann/kit", "^1.2 || x"),
        ("ann/kit@x", "feed", "ann/kit", "x"),
        ("ann/kit@beta", "feed", "ann/kit", "@beta"),
        ("github:Ann/Kit.js", "github", "Ann/Kit.js", None),
        ("github:ann/kit@~2", "github", "ann/kit", "~2"),
        ("pip:kombuse-hello>=1", "pip", "kombuse-hello>=1", None),
    ],
)
def test_a_source_is_told_by_its_form(text: str, kind: Any, name: str, version: str | None) -> None:
    assert parse(text) == Wanted(kind=kind, text=name, version=version)


def test_what_exists_is_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ann" / "kit").mkdir(parents=True)

    assert parse("ann/kit") == Wanted(kind="path", text=str(tmp_path / "ann" / "kit"))


@pytest.mark.parametrize(
    "text", ["", "a/b/c", "Kit", "ann/../kit", "github:kit", "github:a/b/c", "pip:", "http://x/y"]
)
def test_what_has_no_such_form_is_wrong_usage(text: str) -> None:
    with pytest.raises(CommandError, match="is no folder"):
        parse(text)


@pytest.mark.parametrize(("is_trial", "fails"), [(False, False), (True, False), (False, True)])
def test_a_repository_stays_a_source_only_after_an_installation(
    is_trial: bool, fails: bool
) -> None:
    api: Any = Api()
    wanted = Wanted(kind="github", text="ann/kit", version="^1")
    repository = {"type": "github", "repo": "ann/kit"}

    def use() -> Any:
        with cli_install._source(api, "p", wanted, is_trial) as place:
            assert api.sources == [repository]
            if fails:
                raise CommandError("no")
            return place

    if fails:
        with pytest.raises(CommandError):
            use()
    else:
        assert use() == {"name": "kit", "feed_id": "github:ann/kit", "version": "^1"}

    assert api.sources == ([] if is_trial or fails else [repository])
