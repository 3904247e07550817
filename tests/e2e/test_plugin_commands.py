"""A package from its first file to a signed version, its users, and what can go wrong between."""

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.command_line import CommandLine, Ended
from tests.plugin_commands import Plugins, open_project, quiet_home
from tests.registry.stand_in_feed import Reply, StandIn, package_bytes, serving, sha256

from kombuse_sdk.processes import command, environment, running_server

NOT_FOUND, INTEGRITY, NETWORK = 6, 7, 8
SCOPES = ("publish:new", "publish:update", "owners", "yank")
SAMPLES = Path(__file__).parents[1] / "data" / "packages"
CommandLines = Callable[[Path], CommandLine]


class Registry:
    """`kombuse registry` in a folder of its own, and the token of ann, who publishes."""

    def __init__(self, line: CommandLine, folder: Path) -> None:
        self.line = line
        self.folder = folder
        assert self.run("init").code == 0
        scopes = [f"--scope={scope}" for scope in SCOPES]
        owner = ("--account", "ann", "--package", "ann/*")
        self.token: str = self.run("token", "create", *owner, *scopes, "--json").json["token"]

    def run(self, *arguments: str) -> Ended:
        return self.line.run("registry", *arguments, "--data", str(self.folder))

    @contextmanager
    def serve(self, port: int = 0) -> Iterator[str]:
        """Its address, while the block lasts."""
        words = ("registry", "serve", "--data", str(self.folder), "--port", str(port))
        with subprocess.Popen(
            command(*words),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment(self.folder),
            text=True,
        ) as process:
            assert process.stdout is not None
            url = process.stdout.readline().split()[-1]
            try:
                yield url
            finally:
                process.terminate()


@pytest.fixture
def registry(plugins: Plugins, tmp_path: Path) -> Registry:
    return Registry(plugins.line, tmp_path / "registry")


@pytest.fixture
def url(registry: Registry, plugins: Plugins) -> Iterator[str]:
    """Where the registry answers, which is a source of the project."""
    with registry.serve() as address:
        plugins.add_source(address)
        yield address


@pytest.fixture
def publish(plugins: Plugins, registry: Registry, url: str) -> Callable[..., Ended]:
    """Publish `ann/kit` in a version."""
    assert plugins("new", "kit", "--author", "ann").code == 0

    def publishing(version: str, *options: str) -> Ended:
        there = ("--registry", url, "--token", registry.token)
        return plugins("publish", "kit", "--version", version, *there, *options, "--json")

    return publishing


def test_from_an_empty_folder_to_a_signed_package_that_somebody_else_uses(
    plugins: Plugins, registry: Registry, url: str, tmp_path: Path
) -> None:
    assert plugins("new", "kit", "--author", "ann").code == 0
    assert plugins("check", "kit", "--strict").code == 0
    built = plugins("build", "kit", "--json").json
    login = ("login", "--registry", url, "--token", registry.token, "--with-key")
    keyid = plugins(*login, "--json").json["keyid"]
    published = plugins("publish", "kit", "--registry", url, "--sign", "--json").json

    found = plugins.here("search", "label starts", "--json").json
    installed = plugins.here("install", "ann/kit", "--json")

    assert published["checksum"] == built["checksum"]
    assert keyid in [item["keyid"] for item in published["signatures"]]
    assert [item["name"] for item in found] == ["ann/kit"]
    assert (installed.code, installed.err) == (0, "")
    assert (installed.json["agents_created"], installed.json["warnings"]) == (1, [])
    plugin = plugins.installed()["kit"]
    assert (plugin["source_name"], plugin["checksum"]) == ("ann/kit", built["checksum"])


@pytest.mark.parametrize(
    ("wanted", "version"),
    [
        ("ann/kit", "1.1.0"),
        ("ann/kit@latest", "1.1.0"),
        ("ann/kit@1.0.0", "1.0.0"),
        ("ann/kit@~1.0", "1.0.0"),
        ("ann/kit@>=1 <2", "1.1.0"),
        ("ann/kit@beta", "2.0.0-rc.1"),
    ],
)
def test_a_version_a_range_or_a_channel_is_installed(
    plugins: Plugins, publish: Callable[..., Ended], wanted: str, version: str
) -> None:
    for number in ("1.0.0", "1.1.0"):
        assert publish(number).code == 0
    assert publish("2.0.0-rc.1", "--channel", "beta").code == 0

    ended = plugins.here("install", wanted)

    assert (ended.code, plugins.installed()["kit"]["version"]) == (0, version), ended.err


def test_updates_are_found_and_made_and_nothing_goes_backwards(
    plugins: Plugins, publish: Callable[..., Ended]
) -> None:
    publish("1.0.0")
    plugins.here("install", "ann/kit")
    current = plugins.here("outdated")
    publish("1.1.0")

    outdated = plugins.here("outdated", "--json").json
    updated = plugins.here("update", "--all")
    again = plugins.here("update", "kit")
    back = plugins.here("install", "ann/kit@1.0.0", "--overwrite")
    forced = plugins.here("install", "ann/kit@1.0.0", "--overwrite", "--allow-downgrade")

    assert current.out == "Everything is up to date.\n"
    assert [(item["plugin_name"], item["latest_version"]) for item in outdated] == [
        ("kit", "1.1.0")
    ]
    assert (updated.code, "kit is updated" in updated.out) == (0, True)
    assert (again.code, again.out, again.err) == (0, "kit is up to date\n", "")
    assert (back.code, "--allow-downgrade" in back.err) == (1, True)
    assert (forced.code, plugins.installed()["kit"]["version"]) == (0, "1.0.0")
    assert plugins.here("update").code == 2


def test_what_is_published_cannot_be_replaced_nor_taken_by_another(
    plugins: Plugins, publish: Callable[..., Ended], tmp_path: Path
) -> None:
    assert publish("1.0.0").code == 0
    same = publish("1.0.0")
    (tmp_path / "kit" / "files" / "guide.md").write_text("other", encoding="utf-8")
    other = publish("1.0.0")
    stranger = publish("1.0.1", "--author", "mallory")
    unknown_key = publish("1.0.1", "--sign")

    assert same.code == 0
    assert (other.code, "choose another --version" in other.err) == (1, True)
    assert (stranger.code, "Registry returned 403" in stranger.err) == (1, True)
    assert (unknown_key.code, "login --with-key" in unknown_key.err) == (1, True)


def test_a_withdrawn_version_is_installed_only_by_its_name(
    plugins: Plugins, publish: Callable[..., Ended], registry: Registry
) -> None:
    publish("1.0.0")
    publish("1.1.0")
    assert registry.run("yank", "ann/kit@1.1.0", "eats tickets").code == 0

    latest = plugins.here("install", "ann/kit")
    version = plugins.installed()["kit"]["version"]
    exact = plugins.here("install", "ann/kit@1.1.0", "--overwrite")

    assert (latest.code, version) == (0, "1.0.0")
    assert (exact.code, "eats tickets" in exact.err) == (0, True)


def test_a_registry_with_another_key_is_refused_until_the_person_trusts_it(
    plugins: Plugins, registry: Registry, tmp_path: Path
) -> None:
    impostor = Registry(plugins.line, tmp_path / "impostor")
    assert plugins("new", "kit", "--author", "ann").code == 0

    def publish(to: Registry, url: str, version: str) -> None:
        options = ("--registry", url, "--token", to.token, "--version", version)
        assert plugins("publish", "kit", *options).code == 0

    with registry.serve() as url:
        plugins.add_source(url)
        publish(registry, url, "1.0.0")
        assert plugins.here("install", "ann/kit").code == 0
    with impostor.serve(int(url.rpartition(":")[2])) as url:
        publish(impostor, url, "1.1.0")
        refused = plugins.here("update", "kit")
        version = plugins.installed()["kit"]["version"]
        trusted = plugins("sources", "trust", url, "--json")
        updated = plugins.here("update", "kit")

    assert (refused.code, version) == (INTEGRITY, "1.0.0")
    assert "Registry key changed: ask those who run it" in refused.err
    assert "kombuse plugin sources trust" in refused.err
    assert trusted.json["forgotten"]
    assert updated.code == 0, updated.err


@pytest.fixture
def feed(plugins: Plugins) -> Iterator[StandIn]:
    """A registry that answers as it is told, and is a source of the project."""
    with serving() as stand_in:
        plugins.add_source(stand_in.url)
        yield stand_in


def offer(feed: StandIn, data: bytes, **announced: Any) -> None:
    """`acme/hello` 1.0.0 with these bytes, announced truly unless told otherwise."""
    entry = {"version": "1.0.0", "checksum": sha256(data), "download_url": "/dl"} | announced
    feed.answers["/dl"] = Reply(body=data)
    path = "/api/pkg/acme/hello/versions?include_yanked=true"
    feed.answers[path] = Reply(json={"versions": [entry]})


@pytest.mark.parametrize(
    ("data", "announced", "code", "text"),
    [
        (package_bytes(), {"checksum": "0" * 64}, INTEGRITY, "Integrity check failed: expected"),
        (package_bytes()[:-9], {}, INTEGRITY, "Invalid archive"),
        (package_bytes(name="other"), {}, 1, "holds another package"),
        (package_bytes(version="2.0.0"), {}, 1, "holds another package"),
    ],
    ids=["tampered", "damaged", "another name", "another version"],
)
def test_what_is_not_as_announced_is_refused_and_leaves_nothing(
    plugins: Plugins, feed: StandIn, data: bytes, announced: dict[str, Any], code: int, text: str
) -> None:
    offer(feed, data, **announced)

    ended = plugins.here("install", "acme/hello")

    assert (ended.code, ended.out) == (code, "")
    assert text in ended.err
    assert plugins.installed() == {}


def test_unknown_packages_and_silent_places_are_told_apart(plugins: Plugins, feed: StandIn) -> None:
    assert plugins.here("install", "acme/nothing").code == NOT_FOUND
    assert plugins.here("info", "nothing").code == NOT_FOUND
    assert plugins.here("install", "./nothing").code == NOT_FOUND
    assert plugins.here("install", "a/b/c").code == 2
    assert plugins("list", "--project", "nothing").code == 1
    assert plugins("outdated", "--project", "nothing").code == NOT_FOUND
    for path in ("/api/pkg", "/api/pkg/acme/hello/versions?include_yanked=true"):
        feed.answers[path] = Reply(status=500)

    silent = plugins.here("install", "acme/hello")

    assert silent.code == NETWORK
    assert feed.url in silent.err
    assert "does not answer" in plugins.here("search").err


def test_another_author_of_the_same_name_is_refused(plugins: Plugins, tmp_path: Path) -> None:
    for author in ("ann", "mallory"):
        plugins("new", "kit", "--author", author, "--folder", str(tmp_path / author))
    plugins.here("install", str(tmp_path / "ann"))

    refused = plugins.here("install", str(tmp_path / "mallory"), "--overwrite")
    forced = plugins.here(
        "install", str(tmp_path / "mallory"), "--overwrite", "--allow-author-change"
    )

    assert refused.code == 1
    assert "--allow-author-change if that is right (installed: ann, this one: mallory)" in (
        refused.err
    )
    assert (forced.code, plugins.installed()["kit"]["manifest"]["author"]) == (0, "mallory")


def test_a_repository_becomes_a_source_only_when_it_has_what_is_wanted(plugins: Plugins) -> None:
    with serving() as github:
        data = package_bytes(name="kit")
        asset = {
            "name": "kit-1.0.0.tar.gz",
            "url": f"{github.url}/asset",
            "browser_download_url": f"{github.url}/asset",
            "size": len(data),
        }
        release = {"tag_name": "v1.0.0", "draft": False, "prerelease": False, "assets": [asset]}
        github.answers["/asset"] = Reply(body=data)
        github.answers["/repos/acme/kit/releases?per_page=100"] = Reply(json=[release])
        source = {"type": "github", "repo": "acme/kit", "api_base": github.url}
        body = {"project_id": plugins.project["id"], "sources": [source]}
        assert plugins.server.http.put("/api/plugin-sources", json=body).status_code == 200

        known = plugins.here("install", "github:acme/kit@^1")
        listed = plugins.here("sources", "list", "--json").json["project_sources"]

    assert known.code == 0, known.err
    assert plugins.installed()["kit"]["source_feed_id"] == "github:acme/kit"
    assert listed == [source]


def test_sources_are_added_listed_and_removed(plugins: Plugins, tmp_path: Path) -> None:
    folder = str(tmp_path / "shelf")
    for place in (folder, "github:acme/kit", "https://packages.test/"):
        plugins.here("sources", "add", place)
    plugins.here("sources", "add", "https://packages.test", "--token", "$NOWHERE")
    plugins.here("sources", "remove", "github:acme/kit")

    listed = plugins.here("sources", "list")
    found = plugins.here("sources", "list", "--json").json["project_sources"]

    assert found == [
        {"type": "filesystem", "path": folder},
        {"type": "http", "base_url": "https://packages.test", "token": "$NOWHERE"},
    ]
    assert folder in listed.out
    assert plugins.here("sources", "remove", "github:acme/kit").code == NOT_FOUND


def test_exports_of_an_installed_export_are_the_same_bytes(
    plugins: Plugins, tmp_path: Path
) -> None:
    plugins.here("install", str(SAMPLES / "02-triage-kit"))
    first = plugins.here("export", "triage-kit", "--json").json["archive"]
    elsewhere = open_project(plugins.line, plugins.server, "Elsewhere", tmp_path / "elsewhere")
    assert elsewhere.here("install", first["path"]).code == 0

    second = elsewhere.here("export", "triage-kit", "--json").json["archive"]
    again = elsewhere.here("export", "triage-kit")

    assert Path(second["path"]) != Path(first["path"])
    assert Path(second["path"]).read_bytes() == Path(first["path"]).read_bytes()
    assert (again.code, "--overwrite replaces what was exported" in again.err) == (1, True)
    assert elsewhere.here("export", "triage-kit", "--overwrite").code == 0


def test_the_code_of_a_new_package_runs_after_the_next_start(
    command_line: CommandLines, tmp_path: Path
) -> None:
    home = quiet_home(tmp_path / "home")
    line = command_line(home)
    with running_server(home) as server:
        plugins = open_project(line, server, "Work", tmp_path / "work")
        plugins("new", "word-count", "--python")
        archive = plugins("build", "word-count", "--json").json["path"]
        installed = plugins.here("install", archive, "--allow-code")
        assert "Restart the server to run its code" in installed.out
    with running_server(home) as server:
        plugins = Plugins(line, server, plugins.project)
        counted = server.http.get(f"/api/x/word-count/{plugins.project['id']}")
        assert counted.json() == {"tickets": 0}
        assert "word-count" in plugins("list").out
        unchanged = plugins.here("accept-tools", "word-count", "--yes")
        assert (unchanged.code, "no changed tools" in unchanged.err) == (1, True)
        removed = plugins.here("uninstall", "word-count")
        assert "when the server is restarted" in removed.out
    with running_server(home) as server:
        gone = server.http.get(f"/api/x/word-count/{plugins.project['id']}")
        assert gone.status_code == 404


def test_init_makes_a_folder_a_project_with_agents_and_does_nothing_twice(
    command_line: CommandLines, tmp_path: Path
) -> None:
    home = quiet_home(tmp_path / "home")
    line = command_line(home)
    with ExitStack() as stack:
        server = stack.enter_context(running_server(home))
        assert "kombuse init" in server.output
        first = line.run("init", "code", "--json")
        second = line.run("init", "code")
        third = line.run("init", "other", "--no-package", "--name", "Other one", "--json")
        folder = tmp_path / "code"

        assert (first.code, first.err) == (0, "")
        assert first.json["created"]
        assert first.json["package"]["result"]["agents_created"] == 4
        assert first.json["project"]["local_path"] == str(folder)
        servers = json.loads((folder / ".mcp.json").read_text(encoding="utf-8"))["mcpServers"]
        assert "kombuse" in servers
        assert "kombuse-dev was installed before" in second.out
        assert len(server.http.get("/api/projects").json()) == 2
        assert third.json["project"]["name"] == "Other one"
        assert third.json["package"] is None
        current = json.loads((home / "cli.json").read_text(encoding="utf-8"))["project"]
        assert current == third.json["project"]["id"]


def test_without_a_server_the_exit_code_says_so(command_line: CommandLines, tmp_path: Path) -> None:
    line = command_line(tmp_path / "none")

    for arguments in (("init",), ("plugin", "install", "acme/kit"), ("plugin", "outdated")):
        ended = line.run(*arguments)
        assert (ended.code, ended.out) == (3, "")
        assert "kombuse serve" in ended.err


def test_a_first_start_alone_mentions_init(command_line: CommandLines, tmp_path: Path) -> None:
    home = quiet_home(tmp_path / "home")
    outputs = []
    for _ in range(2):
        with running_server(home) as server:
            outputs.append(server.output)

    assert ["kombuse init" in output for output in outputs] == [True, False]
