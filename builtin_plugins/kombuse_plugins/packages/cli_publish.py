"""`kombuse plugin export`, `publish` and `login`."""

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kombuse_plugins.packages.cli_output import failures, is_interactive, server, waiting
from kombuse_sdk.console import (
    CommandError,
    ExitCode,
    Home,
    Json,
    one_line,
    print_fields,
    print_json,
    warn,
)
from kombuse_sdk.current_project import Project, current_project
from kombuse_sdk.home import default_home

if TYPE_CHECKING:
    from kombuse_registry.client import RegistryClient
    from kombuse_registry.package import Package

__all__ = ["export", "login", "publish"]

_REGISTRY = "https://kombuse.dev"
_UNREACHABLE = "Registry unreachable: "
_ADVICE = {
    "UNKNOWN_KEY": ": register your key with `kombuse plugin login --with-key`",
    "SIGNATURE_REQUIRED": ": say --sign",
    "VERSION_EXISTS": ": what is published never changes, so choose another --version",
}

Registry = Annotated[
    str, typer.Option("--registry", envvar="KOMBUSE_REGISTRY_URL", help="Address of the registry.")
]
Channel = Annotated[str | None, typer.Option(help="Such as beta.", show_default="stable")]
Token = Annotated[
    str | None,
    typer.Option(
        envvar="PKG_PUBLISH_KEY",
        help="$NAME is looked up in the environment.",
        show_default="what `login` stored",
    ),
]


def export(
    name: Annotated[str, typer.Argument(help="What the package is to be called.")],
    version: Annotated[str | None, typer.Option(show_default="the installed one, or 1.0.0")] = None,
    author: Annotated[str | None, typer.Option(help="Who publishes it.")] = None,
    description: Annotated[str | None, typer.Option()] = None,
    agent: Annotated[
        list[str] | None, typer.Option(help="Id of an agent, again and again.", show_default="all")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the former export; files by hand stay.")
    ] = False,
    project: Project = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Write agents, labels, triggers and files of a project as a package: folder and .tar.gz."""
    given = {"version": version, "author": author, "description": description, "agent_ids": agent}
    with server(home) as api:
        where = current_project(api, project)
        body = {key: value for key, value in given.items() if value is not None} | {
            "package_name": name,
            "project_id": where["id"],
            "overwrite": overwrite,
        }
        with waiting(f"Exporting {name}"):
            made = api.post("/api/plugins/export", body=body)
    if as_json:
        print_json(made)
        return
    for warning in made["warnings"]:
        warn(one_line(warning))
    print_fields(
        {
            "folder": made["directory"],
            "archive": made["archive"]["path"],
            "sha256": made["archive"]["checksum"],
            "agents": made["agent_count"],
            "labels": made["label_count"],
            "files": made["file_count"],
        }
    )


def publish(
    source: Annotated[
        Path | None,
        typer.Argument(help="A folder or .tar.gz.", show_default=".kombuse/plugins/NAME, or ."),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Of the package, which must be so named.")
    ] = None,
    author: Annotated[str | None, typer.Option(show_default="that of plugin.json")] = None,
    registry: Registry = _REGISTRY,
    token: Token = None,
    version: Annotated[str | None, typer.Option(show_default="that of plugin.json")] = None,
    channel: Channel = None,
    sign: Annotated[bool, typer.Option("--sign", help="With the key of this home.")] = False,
    allow_secrets: Annotated[
        bool, typer.Option("--allow-secrets", help="Publish what looks like a key or token too.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Pack and check only: nothing is sent or changed.")
    ] = False,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Send a package to a registry, as it lies in its folder. No server is needed.

    --author, --version and --channel are written into plugin.json and manifest.json once the
    registry has taken the package.
    """
    place = home or default_home()
    folder = source or (Path(".kombuse/plugins") / name if name else Path())
    with failures(), tempfile.TemporaryDirectory() as aside:
        package = _read(folder, name)
        about = _about(package, author, version, channel)
        archive, changed = _packed(package, about, Path(aside))
        _check(package, allow_secrets)
        full = f"{about['author']}/{about['name']}"
        if dry_run:
            _tell_dry_run(full, about, archive, as_json)
            return
        client = _client(registry, token, place)
        if not as_json:
            typer.echo(f"Publishing {full}@{about['version']} to {registry.rstrip('/')}...")
        published = _send(client, archive.path, full, about, _key(sign, place), allow_secrets)
        for path, data in changed.items():
            (folder / path).write_bytes(data)
    for warning in published.get("warnings") or ():
        warn(one_line(warning))
    if as_json:
        print_json(published)
        return
    typer.echo("Published successfully!")
    print_fields(
        {
            "Version": published.get("version"),
            "Channel": published.get("channel"),
            "Checksum": published.get("checksum"),
            "URL": published.get("download_url"),
        }
    )


def login(
    registry: Registry = _REGISTRY,
    token: Annotated[
        str | None, typer.Option(help="Others on this machine may see it: better be asked for it.")
    ] = None,
    with_key: Annotated[
        bool, typer.Option("--with-key", help="Register the key that `publish --sign` uses.")
    ] = False,
    forget: Annotated[bool, typer.Option("--forget", help="Remove what is stored.")] = False,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Store a token for a registry in credentials.json of the home, for `publish`.

    It is asked for on a terminal, and read from standard input without one.
    """
    from kombuse_plugins.packages import credentials
    from kombuse_registry.client import RegistryClient

    place = home or default_home()
    with failures():
        if forget:
            was_there = credentials.forget(place, registry)
            _tell_login({"registry": registry, "forgotten": was_there}, as_json)
            return
        text = token or (
            typer.prompt("Token", hide_input=True, err=True)
            if is_interactive()
            else sys.stdin.readline().strip()
        )
        if not text:
            raise CommandError("there is no token on standard input", ExitCode.USAGE)
        client = RegistryClient(registry, text)
        result = {"registry": registry, "account": _account(client)}
        credentials.save(place, registry, text)
        if with_key:
            key = _key(True, place)
            client.add_key(key, os.uname().nodename)
            result["keyid"] = key.keyid
    _tell_login(result, as_json)


def _read(folder: Path, name: str | None) -> "Package":
    from kombuse_registry.package import read_package

    try:
        package = read_package(folder)
    except OSError as error:
        raise CommandError(f"{folder} cannot be read: {error.strerror or error}") from error
    if name is not None and package.manifest.name != name:
        raise CommandError(f"{folder} holds the package {package.manifest.name}, not {name}")
    return package


def _about(
    package: "Package", author: str | None, version: str | None, channel: str | None
) -> dict[str, str | None]:
    """What the package is published as; CommandError or BadRequest for what cannot be."""
    from kombuse_registry import names, versions

    manifest, metadata = package.manifest, package.metadata
    chosen = author or manifest.author or (metadata and metadata.author)
    if not chosen:
        raise CommandError("there is no author: name one with --author", ExitCode.USAGE)
    names.check_author(chosen)
    if channel is not None:
        names.check_channel(channel)
    wanted = version or manifest.version
    if not versions.is_version(wanted):
        raise CommandError(f"{wanted} is no version such as 1.2.3", ExitCode.USAGE)
    told = channel or manifest.channel or (metadata and metadata.channel)
    return {"name": manifest.name, "author": chosen, "version": wanted, "channel": told or None}


def _packed(package: "Package", about: dict[str, str | None], aside: Path) -> tuple[Any, Any]:
    """The archive, and the manifests in the folder that are to say the same as it."""
    from kombuse_registry.archive import PLUGIN_JSON, ArchiveInfo
    from kombuse_registry.manifest import MANIFEST_JSON, json_bytes
    from kombuse_registry.package import build

    files = package.content.files
    said = {key: value for key, value in about.items() if value is not None}
    plugin = json.loads(files[PLUGIN_JSON].decode("utf-8-sig"))
    metadata = json.loads(files.get(MANIFEST_JSON, b"{}").decode("utf-8-sig"))
    new = {
        PLUGIN_JSON: plugin | said,
        MANIFEST_JSON: {"type": "plugin"} | metadata | said,
    }
    old = {PLUGIN_JSON: plugin, MANIFEST_JSON: metadata}
    replaced = {path: json_bytes(value) for path, value in new.items() if value != old[path]}
    if package.archive is None:
        made = build(package.path, aside, replaced)
        return made, {
            path: data for path, data in replaced.items() if (package.path / path).exists()
        }
    if replaced:
        raise CommandError(
            "an archive is published as it is: its manifests must say author, version and channel",
            ExitCode.USAGE,
        )
    archive = package.archive
    return ArchiveInfo(path=package.path, checksum=archive.checksum, size=archive.size), {}


def _check(package: "Package", allow_secrets: bool) -> None:
    from kombuse_registry.lint import lint
    from kombuse_registry.secret_scan import find_secrets

    for remark in lint(package):
        warn(one_line(remark))
    if not allow_secrets and find_secrets(package.content.files):
        raise CommandError("nothing is published that looks like a secret: see --allow-secrets")


def _client(registry: str, token: str | None, home: Path) -> "RegistryClient":
    from kombuse_plugins.packages import credentials
    from kombuse_registry.client import RegistryClient

    found = token or credentials.find(home, registry)
    if found is None:
        raise CommandError(
            "there is no token: `kombuse plugin login` stores one, or give it in PKG_PUBLISH_KEY",
            ExitCode.USAGE,
        )
    return RegistryClient(registry, found)


def _key(is_wanted: bool, home: Path) -> Any:
    from kombuse_plugins.packages import credentials

    return credentials.publisher_key(home) if is_wanted else None


def _send(
    client: "RegistryClient",
    archive: Path,
    full: str,
    about: dict[str, str | None],
    key: Any,
    allow_secrets: bool,
) -> dict[str, Any]:
    from kombuse_registry.client import RegistryRefused
    from kombuse_sdk.errors import BadGateway

    try:
        with waiting(f"Sending {full}"):
            return client.publish(
                archive,
                name=full,
                version=str(about["version"]),
                channel=about["channel"],
                key=key,
                allow_secrets=allow_secrets,
            )
    except RegistryRefused as error:
        advice = _ADVICE.get(error.code or "", "")
        raise CommandError(f"Registry returned {error.status}: {error.message}{advice}") from error
    except BadGateway as error:
        if not error.message.startswith(_UNREACHABLE):
            raise
        reason = error.message.removeprefix(_UNREACHABLE)
        message = f"Failed to connect to registry: {reason}"
        raise CommandError(message, ExitCode.NETWORK) from error


def _tell_dry_run(full: str, about: dict[str, str | None], archive: Any, as_json: bool) -> None:
    result = about | {"dry_run": True, "checksum": archive.checksum, "size": archive.size}
    if as_json:
        print_json(result)
        return
    typer.echo(f"{full}@{about['version']} would be published")
    print_fields({"bytes": archive.size, "sha256": archive.checksum, "channel": about["channel"]})


def _account(client: "RegistryClient") -> str | None:
    """Whose token it is; None when the registry cannot say."""
    from kombuse_registry.client import RegistryRefused

    try:
        return str(client.whoami().get("account"))
    except RegistryRefused as error:
        if error.status != 404:
            raise CommandError(f"Registry returned {error.status}: {error.message}") from error
        warn("the registry does not say whose token this is: it is stored without being checked")
        return None


def _tell_login(result: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(result)
    elif "forgotten" in result:
        typer.echo("The token is removed" if result["forgotten"] else "There was no token")
    else:
        print_fields({"logged in": result["registry"], "as": result["account"]})
        print_fields({"key": result.get("keyid")})
