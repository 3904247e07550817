"""`kombuse registry`: on its data folder, whether a server runs or not."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.command_line import CommandLine
from tests.registry_server.registry_process import started
from tests.registry_server.site import archive, running_site

from kombuse_registry.signing import PrivateKey

Commands = Callable[[Path], CommandLine]


@pytest.fixture
def commands(command_line: Commands, tmp_path: Path) -> CommandLine:
    return command_line(tmp_path / "home")


@pytest.fixture
def filled(tmp_path: Path, commands: CommandLine) -> CommandLine:
    """Commands on a registry that has acme/hello 1.0.0 and 1.1.0."""
    with running_site(tmp_path / "home" / "registry") as site:
        for version in ("1.0.0", "1.1.0"):
            site.publish("acme/hello", version)
    return commands


def test_init_makes_a_registry_once(commands: CommandLine, tmp_path: Path) -> None:
    made = commands.run("registry", "init", "--json").json

    assert made["token"].startswith("kmb_")
    assert made["account"] == "admin"
    again = commands.run("registry", "init")
    assert (again.code, "is a registry already" in again.err) == (4, True)
    elsewhere = commands.run("registry", "init", "--data", str(tmp_path / "other"))
    assert elsewhere.code == 0
    assert "shown only this once" in elsewhere.err
    assert "kmb_" in elsewhere.out


@pytest.mark.parametrize(
    "arguments",
    [
        ("serve",),
        ("verify",),
        ("yank", "acme/hello@1.0.0", "bad"),
        ("token", "list"),
        ("keys", "rotate"),
    ],
)
def test_without_a_registry_commands_say_how_to_make_one(
    commands: CommandLine, arguments: tuple[str, ...]
) -> None:
    ended = commands.run("registry", *arguments)

    assert ended.code == 1
    assert "kombuse registry init" in ended.err


def test_tokens_are_made_listed_and_revoked(filled: CommandLine, tmp_path: Path) -> None:
    create = ("registry", "token", "create", "--account", "bob", "--scope", "publish:new")
    made = filled.run(*create, "--package", "beta/*", "--scope", "publish:update", "--json").json
    assert made["namespaces"] == ["beta"]
    told = filled.run(*create, "--package", "gamma/*")
    assert "The namespace gamma belongs to bob now" in told.out

    listed = filled.run("registry", "token", "list", "--json").json
    table = filled.run("registry", "token", "list").out

    ours = next(token for token in listed if token["id"] == made["id"])
    assert (ours["account"], ours["packages"]) == ("bob", ["beta/*"])
    assert made["id"] in table
    assert made["token"].split("_")[2] not in table
    assert filled.run("registry", "token", "revoke", made["token"]).code == 0
    assert "revoked" in filled.run("registry", "token", "list").out
    assert filled.run("registry", "token", "revoke", "unknown").code == 1


@pytest.mark.parametrize(
    "options",
    [
        ("--scope", "everything", "--package", "*"),
        ("--scope", "read", "--package", "*/*"),
        ("--scope", "read", "--package", "*", "--expires", "2999-01-01"),
        ("--scope", "read", "--package", "*", "--cidr", "x"),
    ],
)
def test_nonsense_is_no_token_here_either(filled: CommandLine, options: tuple[str, ...]) -> None:
    ended = filled.run("registry", "token", "create", "--account", "bob", *options)

    assert (ended.code, ended.out) == (1, "")


def test_a_made_token_publishes_what_it_is_for(filled: CommandLine) -> None:
    create = ("registry", "token", "create", "--account", "bob", "--scope", "publish:new")
    token = filled.run(*create, "--package", "beta/*", "--json").json["token"]

    with started(filled.home) as server:
        from kombuse_registry.client import RegistryClient, RegistryRefused

        path = filled.home / "package.tar.gz"
        client = RegistryClient(server.url, token)
        path.write_bytes(archive("beta/x"))
        assert client.publish(path, name="beta/x", version="1.0.0")["published_by"] == "bob"
        path.write_bytes(archive("acme/x"))
        with pytest.raises(RegistryRefused) as caught:
            client.publish(path, name="acme/x", version="1.0.0")
        assert caught.value.status == 403

        busy = filled.run_process("registry", "serve", "--port", "0")
        assert (busy.code, "another server uses" in busy.err) == (4, True)
        elsewhere = ("registry", "serve", "--data", str(filled.home / "other"))
        assert filled.run("registry", "init", "--data", str(filled.home / "other")).code == 0
        taken = filled.run_process(*elsewhere, "--port", str(server.port))
        assert (taken.code, "is taken" in taken.err) == (4, True)

        yanked = filled.run("registry", "yank", "beta/x@1.0.0", "broken", "--json")
        assert yanked.json["yanked"] == "broken"
        assert client.version("beta/x", "1.0.0")["yanked"] == "broken"
        assert filled.run("registry", "unyank", "beta/x@1.0.0").code == 0
        assert client.version("beta/x", "1.0.0")["yanked"] is False
        assert server.stop() == 0


@pytest.mark.parametrize(
    ("version", "code"),
    [
        ("acme/hello@9.9.9", 1),
        ("acme/none@1.0.0", 1),
        ("acme/hello", 2),
        ("@1.0.0", 2),
        ("acme/hello@", 2),
    ],
)
def test_only_what_is_there_can_be_withdrawn(filled: CommandLine, version: str, code: int) -> None:
    assert filled.run("registry", "yank", version, "bad").code == code


def test_keys_are_rotated_added_and_revoked(filled: CommandLine) -> None:
    (first,) = filled.run("registry", "keys", "list", "--json").json
    second = filled.run("registry", "keys", "rotate", "--json").json["keyid"]
    key = PrivateKey.generate()
    added = filled.run(
        "registry", "keys", "add", key.public_text, "--account", "root", "--json"
    ).json

    keys = {
        entry["keyid"]: entry for entry in filled.run("registry", "keys", "list", "--json").json
    }

    assert keys[first["keyid"]]["expires_at"] is not None
    assert keys[second]["expires_at"] is None
    assert (keys[key.keyid]["usage"], added["keyid"]) == ("publisher", key.keyid)
    assert filled.run("registry", "keys", "revoke", key.keyid).code == 0
    assert filled.run("registry", "keys", "revoke", "unknown").code == 1
    assert "revoked" in filled.run("registry", "keys", "list").out
    unknown = filled.run("registry", "keys", "add", key.public_text, "--account", "nobody")
    assert (unknown.code, "nobody" in unknown.err) == (1, True)


def test_verify_finds_what_was_damaged_or_lost(filled: CommandLine) -> None:
    assert filled.run("registry", "verify").code == 0
    blobs = sorted((filled.home / "registry" / "blobs" / "sha256").glob("*/*"))
    digests = {path.name: path for path in blobs}
    digests[_digest("1.0.0")].unlink()
    digests[_digest("1.1.0")].write_bytes(b"other")

    ended = filled.run("registry", "verify", "--json")

    assert ended.code == 5
    assert ended.json["missing"] == ["acme/hello@1.0.0"]
    assert ended.json["damaged"] == ["acme/hello@1.1.0"]


def _digest(version: str) -> str:
    """Equal packages make equal archives."""
    return hashlib.sha256(archive("acme/hello", version)).hexdigest()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com"])
def test_other_machines_are_served_only_if_that_is_meant(filled: CommandLine, host: str) -> None:
    ended = filled.run("registry", "serve", "--host", host)

    assert (ended.code, "--insecure-http" in ended.err) == (2, True)


def test_an_address_of_another_machine_cannot_be_used(filled: CommandLine) -> None:
    options = ("--host", "192.0.2.1", "--insecure-http", "--port", "0")

    ended = filled.run("registry", "serve", *options)

    assert (ended.code, "192.0.2.1" in ended.err) == (4, True)


def test_settings_that_are_wrong_stop_the_server(filled: CommandLine) -> None:
    (filled.home / "registry" / "registry.json").write_text('{"reed": 1}', encoding="utf-8")

    ended = filled.run("registry", "serve")

    assert (ended.code, "reed" in ended.err) == (2, True)
