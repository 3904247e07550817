"""What an author does without a server: `kombuse plugin new`, `build`, `check`, `publish`."""

import json
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.command_line import CommandLine, Ended
from tests.plugins.packages.conftest import MakePackage
from tests.registry.stand_in_feed import Asked, Reply, StandIn, serving, sha256

Run = Callable[..., Ended]
TOKEN = "kmb_secret"


@pytest.fixture
def plugin(command_line: Callable[[Path], CommandLine], tmp_path: Path) -> Run:
    line = command_line(tmp_path / "home")
    return lambda *arguments: line.run("plugin", *map(str, arguments))


@pytest.fixture
def registry() -> Iterator[StandIn]:
    """Takes `acme/kit`, and knows whose the token is."""

    def take(asked: Asked) -> Reply:
        published = {
            "author": "acme",
            "name": "kit",
            "channel": "stable",
            "checksum": sha256(asked.body),
            "download_url": "/dl/kit.tar.gz",
        }
        return Reply(status=201, json={"published": published})

    with serving() as stand_in:
        stand_in.answers["/api/pkg/acme/kit"] = take
        stand_in.answers["/api/pkg/-/whoami"] = Reply(json={"account": "ann"})
        yield stand_in


@pytest.mark.parametrize(
    ("name", "options"),
    [("3-things", ()), ("word-count", ("--python",)), ("json", ("--python",))],
    ids=["declarative", "python", "module of the same name"],
)
def test_a_new_package_has_a_test_that_passes_and_no_remark(
    plugin: Run, tmp_path: Path, name: str, options: tuple[str, ...]
) -> None:
    made = plugin("new", name, *options, "--author", "ann", "--json")
    tested = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path / name,
        capture_output=True,
        text=True,
        check=False,
    )

    assert made.json["folder"] == str(tmp_path / name)
    assert tested.returncode == 0, tested.stdout
    checked = plugin("check", name, "--strict", "--json")
    assert (checked.code, checked.json["remarks"]) == (0, [])
    assert checked.json["name"] == name


def test_a_new_package_takes_no_place_of_another(plugin: Run, tmp_path: Path) -> None:
    assert plugin("new", "kit").code == 0

    again = plugin("new", "kit")
    elsewhere = plugin("new", "kit", "--folder", tmp_path / "other")

    assert (again.code, "kit exists already" in again.err) == (1, True)
    assert elsewhere.code == 0
    assert plugin("new", "Not A Name").code == 1
    assert plugin("new", "../up").code == 1
    assert "begins with a letter" in plugin("new", "3-things", "--python").err


def test_builds_of_one_folder_are_the_same_bytes(
    plugin: Run, make_package: MakePackage, tmp_path: Path
) -> None:
    folder = make_package("kit", {"files/a.md": "text"})

    first = plugin("build", folder, "--json").json
    second = plugin("build", folder, "--output", tmp_path / "x.tar.gz", "--json").json

    assert Path(first["path"]) == folder / "kit-1.0.0.tar.gz"
    assert first["checksum"] == second["checksum"] == sha256(Path(second["path"]).read_bytes())
    assert plugin("check", first["path"], "--json").json["files"] == ["files/a.md"]


def test_a_wrong_package_is_neither_built_nor_right(plugin: Run, make_package: MakePackage) -> None:
    folder = make_package("kit", {"agents/a.md": "no front matter"})

    for command in ("build", "check"):
        ended = plugin(command, folder)
        assert (ended.code, ended.out) == (1, "")
        assert "agents/a.md" in ended.err
    assert not list(folder.glob("*.tar.gz"))


def test_remarks_are_warnings_unless_they_are_to_be_strict(
    plugin: Run, make_package: MakePackage
) -> None:
    folder = make_package("kit")

    assert plugin("check", folder).code == 0
    assert "There is no README.md" in plugin("check", folder).err
    assert plugin("check", folder, "--strict").code == 1


def test_publishing_says_what_it_does_and_both_manifests_get_the_version(
    plugin: Run, registry: StandIn, tmp_path: Path
) -> None:
    folder = tmp_path / ".kombuse" / "plugins" / "kit"
    plugin("new", "kit", "--folder", folder)
    registry.answers["/api/pkg/acme/kit?channel=beta"] = registry.answers["/api/pkg/acme/kit"]

    options = ("--name", "kit", "--author", "acme", "--registry", registry.url, "--token", TOKEN)
    ended = plugin("publish", *options, "--version", "1.0.1", "--channel", "beta")

    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines()[:2] == [
        f"Publishing acme/kit@1.0.1 to {registry.url}...",
        "Published successfully!",
    ]
    (asked,) = registry.asked
    assert asked.headers["Authorization"] == f"Bearer {TOKEN}"
    assert asked.headers["Content-Type"] == "application/gzip"
    for file in ("manifest.json", ".kombuse-plugin/plugin.json"):
        told = json.loads((folder / file).read_text(encoding="utf-8"))
        assert (told["version"], told["author"], told["channel"]) == ("1.0.1", "acme", "beta")
    (tmp_path / "sent.tar.gz").write_bytes(asked.body)
    assert plugin("check", "sent.tar.gz", "--json").json["version"] == "1.0.1"


def test_a_refused_publication_changes_nothing_and_says_what_to_do(
    plugin: Run, registry: StandIn, tmp_path: Path
) -> None:
    plugin("new", "kit", "--author", "acme")
    refusal = {"error": "Version 1.0.0 of acme/kit already exists", "code": "VERSION_EXISTS"}
    registry.answers["/api/pkg/acme/kit"] = Reply(status=409, json=refusal)
    before = {path: path.read_bytes() for path in (tmp_path / "kit").rglob("*.json")}

    options = ("--registry", registry.url, "--token", TOKEN, "--version", "1.0.0")
    ended = plugin("publish", "kit", *options)

    assert ended.code == 1
    assert "Registry returned 409: Version 1.0.0 of acme/kit already exists: " in ended.err
    assert "choose another --version" in ended.err
    assert {path: path.read_bytes() for path in before} == before


def test_a_dry_run_sends_and_changes_nothing(plugin: Run, registry: StandIn) -> None:
    plugin("new", "kit", "--author", "acme")

    ended = plugin("publish", "kit", "--registry", registry.url, "--dry-run", "--json")

    assert (ended.code, registry.asked) == (0, [])
    assert (ended.json["name"], ended.json["version"]) == ("kit", "0.1.0")
    assert ended.json["checksum"] == plugin("build", "kit", "--json").json["checksum"]


def test_what_cannot_be_published_is_wrong_usage(plugin: Run, registry: StandIn) -> None:
    plugin("new", "kit")
    archive = plugin("build", "kit", "--json").json["path"]
    there = ("--registry", registry.url)

    assert "name one with --author" in plugin("publish", "kit", *there, "--token", TOKEN).err
    assert "no token" in plugin("publish", "kit", *there, "--author", "acme").err
    for arguments in (
        ("kit", "--author", "acme"),
        ("kit", "--author", "acme", "--version", "1.0", "--token", TOKEN),
        (archive, "--author", "acme", "--token", TOKEN),
        ("kit", "--nope"),
    ):
        assert plugin("publish", *arguments, *there).code == 2
    assert plugin("publish", "kit", "--name", "other", *there).code == 1
    assert registry.asked == []


def test_nothing_that_looks_like_a_secret_is_published(
    plugin: Run, registry: StandIn, tmp_path: Path
) -> None:
    plugin("new", "kit", "--author", "acme")
    key = f"-----BEGIN PRIVATE KEY-----\n{'A' * 64}\n-----END PRIVATE KEY-----\n"
    (tmp_path / "kit" / "files" / "key.pem").write_text(key, encoding="utf-8")

    ended = plugin("publish", "kit", "--registry", registry.url, "--token", TOKEN)

    assert (ended.code, registry.asked) == (1, [])
    assert "--allow-secrets" in ended.err


def test_no_registry_is_a_fault_of_the_network(plugin: Run) -> None:
    plugin("new", "kit", "--author", "acme")

    ended = plugin("publish", "kit", "--registry", "http://127.0.0.1:9", "--token", TOKEN)

    assert ended.code == 8
    assert "Failed to connect to registry: " in ended.err


def test_a_stored_token_is_used_and_only_its_owner_can_read_it(
    plugin: Run, registry: StandIn, tmp_path: Path
) -> None:
    plugin("new", "kit", "--author", "acme")
    there = ("--registry", registry.url)
    stored = plugin("login", *there, "--token", TOKEN, "--json")
    published = plugin("publish", "kit", *there, "--sign", "--json")
    signed = registry.asked[-1]
    forgotten = plugin("login", *there, "--forget", "--json")

    assert stored.json == {"registry": registry.url, "account": "ann"}
    assert TOKEN not in stored.out
    assert published.code == 0
    assert signed.headers["Authorization"] == f"Bearer {TOKEN}"
    assert signed.headers["X-Kombuse-Signature"].startswith("keyid=")
    for name in ("credentials.json", "publisher-key.pem"):
        assert stat.S_IMODE((tmp_path / "home" / name).stat().st_mode) == 0o600
    assert forgotten.json["forgotten"]
    assert plugin("publish", "kit", *there).code == 2


def test_a_token_that_the_registry_refuses_is_not_stored(
    plugin: Run, registry: StandIn, tmp_path: Path
) -> None:
    registry.answers["/api/pkg/-/whoami"] = Reply(status=401, json={"error": "Invalid token"})

    ended = plugin("login", "--registry", registry.url, "--token", "wrong")

    assert (ended.code, ended.err) == (1, "error: Registry returned 401: Invalid token\n")
    assert not (tmp_path / "home" / "credentials.json").exists()


def test_a_damaged_file_of_credentials_is_left_as_it_is(
    plugin: Run, registry: StandIn, tmp_path: Path
) -> None:
    (tmp_path / "home").mkdir()
    file = tmp_path / "home" / "credentials.json"
    file.write_text("{", encoding="utf-8")

    ended = plugin("login", "--registry", registry.url, "--token", TOKEN)

    assert (ended.code, "repair or remove it" in ended.err) == (1, True)
    assert file.read_text(encoding="utf-8") == "{"
