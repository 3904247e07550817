"""`kombuse plugin install`, `update` and `outdated`."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Annotated, Any

import typer

from kombuse_plugins.packages import cli_code, package_names
from kombuse_plugins.packages.cli_output import (
    confirm,
    failures,
    find_plugin,
    forbid_agents,
    is_interactive,
    print_result,
    server,
    waiting,
)
from kombuse_plugins.packages.package_names import Wanted
from kombuse_sdk.client import Client, Refused
from kombuse_sdk.console import CommandError, ExitCode, Home, Json, print_json, print_table, report
from kombuse_sdk.current_project import Project, current_project

__all__ = ["install", "outdated", "uninstall_distribution", "update"]

_UNCHANGED = "Already up to date"
AllowCode = Annotated[
    bool,
    typer.Option(
        "--allow-code", help="Let the Python in it run, with all rights of the server; do not ask."
    ),
]


def install(
    source: Annotated[
        str,
        typer.Argument(
            help="A folder; a .tar.gz; author/name, or author/name@ with a version, a range (^1.2)"
            " or a channel; github:owner/repo; pip:name for a distribution of Python."
        ),
    ],
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an installed one; keep what was changed.")
    ] = False,
    allow_code: AllowCode = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would happen, and change nothing.")
    ] = False,
    allow_author_change: Annotated[
        bool, typer.Option("--allow-author-change", help="Replace a package of another author.")
    ] = False,
    allow_downgrade: Annotated[
        bool, typer.Option("--allow-downgrade", help="Replace a newer version, of a feed.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask whether to replace; code is asked for.")
    ] = False,
    project: Project = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Install a package into a project. What code it would run is shown before it may."""
    wanted = package_names.parse(source)
    if wanted.kind == "pip":
        _install_distribution(wanted.text, allow_code, dry_run, as_json)
        return
    choices = {
        "overwrite": overwrite,
        "allow_author_change": allow_author_change,
        "dry_run": dry_run,
    }
    with server(home) as api:
        where = current_project(api, project)
        body = {"project_id": where["id"]} | choices
        if wanted.kind != "path":
            body["allow_downgrade"] = allow_downgrade
        with _source(api, where["id"], wanted, dry_run) as place:
            result = _install(api, place | body, allow_code, yes)
        needs_restart = not dry_run and _needs_restart(api, result["plugin_id"])
    if as_json:
        print_json(result | {"restart_required": needs_restart})
        return
    done = "would be installed" if dry_run else "is installed"
    typer.echo(f"{result['plugin_name']} {done} in {where['slug']}")
    print_result(result)
    _tell_restart(needs_restart)


def update(
    name: Annotated[str | None, typer.Argument(help="Of an installed package, or its id.")] = None,
    all_packages: Annotated[bool, typer.Option("--all", help="Every package with a feed.")] = False,
    allow_code: AllowCode = False,
    project: Project = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Bring a package to the newest version of where it came from; changes made here stay."""
    if (name is None) is not all_packages:
        raise CommandError("name one package, or say --all", ExitCode.USAGE)
    results: list[dict[str, Any]] = []
    failed: list[CommandError] = []
    with server(home) as api:
        where = current_project(api, project)
        for plugin in [find_plugin(api, where, name)] if name else _with_feed(api, where):
            try:
                with failures():
                    results.append(_pull(api, plugin, allow_code))
            except CommandError as error:
                if name:
                    raise
                report(f"{plugin['name']}: {error.message}")
                failed.append(error)
    if as_json:
        print_json(results)
    else:
        for result in results:
            _tell_update(result)
        if not results and not failed:
            typer.echo("No installed package comes from a feed.")
    if failed:
        raise typer.Exit(failed[0].exit_code)


def outdated(project: Project = None, home: Home = None, as_json: Json = False) -> None:
    """The installed packages of which there is a newer version."""
    with server(home) as api:
        where = current_project(api, project)
        plugins = api.get("/api/plugins", project_id=where["id"])
        with waiting("Asking the feeds"):
            checks = [api.get("/api/plugins/{}/check-updates", item["id"]) for item in plugins]
    found = [check for check in checks if check["has_update"]]
    if as_json:
        print_json(found)
        return
    keys = ("plugin_name", "current_version", "latest_version", "feed_id")
    rows = [[check[key] for key in keys] for check in found]
    print_table(("NAME", "INSTALLED", "NEWEST", "FEED"), rows, empty="Everything is up to date.")


def uninstall_distribution(name: str, yes: bool, as_json: bool) -> None:
    """Of pip, from the environment that the server runs in."""
    from kombuse_plugins.packages import pip

    confirm(f"Remove the distribution {name} from {pip.place()}?", yes)
    pip.uninstall(name)
    _tell_distribution({"requirement": name, "removed": True}, as_json)


def _install_distribution(requirement: str, is_allowed: bool, dry_run: bool, as_json: bool) -> None:
    from kombuse_plugins.packages import pip

    forbid_agents("install distributions")
    pip.require_usable()
    if not dry_run and not is_allowed:
        cli_code.decide(
            f"pip installs {requirement} and what it needs into {pip.place()}. Its code runs with"
            " all rights of the server. Go on?"
        )
    pip.install(requirement, dry_run=dry_run)
    _tell_distribution({"requirement": requirement, "dry_run": dry_run}, as_json)


def _tell_distribution(result: dict[str, Any], as_json: bool) -> None:
    is_done = not result.get("dry_run")
    if as_json:
        print_json(result | {"restart_required": is_done})
    elif is_done:
        typer.echo("Restart the server, then see `kombuse plugin list`")


@contextmanager
def _source(api: Client, project_id: str, wanted: Wanted, is_trial: bool) -> Iterator[Any]:
    """What the request says of where the package is.

    A repository becomes a source of the project, so that updates are found; only for the time of
    a trial, or of an installation that fails.
    """
    if wanted.kind == "path":
        yield {"package_path": wanted.text}
        return
    version = {"version": wanted.version} if wanted.version else {}
    if wanted.kind == "feed":
        yield {"name": wanted.text} | version
        return
    known = api.get("/api/plugin-sources", project_id=project_id)
    ours = known["project_sources"]
    repository = {"type": "github", "repo": wanted.text}
    sources = (*known["global_sources"], *ours)
    found = next((item for item in sources if repository.items() <= item.items()), None)
    put = partial(api.put, "/api/plugin-sources")
    if found is None:
        put(body={"project_id": project_id, "sources": [*ours, repository]})
    is_kept = found is not None
    name = (found or {}).get("package_name") or wanted.text.rpartition("/")[2]
    try:
        yield {"name": name, "feed_id": f"github:{wanted.text}"} | version
        is_kept = is_kept or not is_trial
    finally:
        if not is_kept:
            put(body={"project_id": project_id, "sources": ours})


def _install(api: Client, body: dict[str, Any], allow_code: bool, yes: bool) -> dict[str, Any]:
    """On a terminal the person is asked about what is installed already."""
    send = partial(_send, api, body)
    try:
        return cli_code.with_consent(send, allow_code, is_trial=body["dry_run"])
    except Refused as refused:
        told = refused.body if isinstance(refused.body, dict) else {}
        if told.get("error") != "plugin_already_installed" or not (yes or is_interactive()):
            raise
        name = told["details"]["plugin_name"]
    confirm(f"{name} is installed already. Replace it, and keep what was changed here?", yes)
    return _install(api, body | {"overwrite": True}, allow_code, yes)


def _send(api: Client, body: dict[str, Any], consent: dict[str, Any]) -> dict[str, Any]:
    path = "/api/plugins/install" + ("" if "package_path" in body else "-remote")
    with waiting(f"Installing {body.get('package_path') or body['name']}"):
        return dict(api.post(path, body=body | consent))


def _pull(api: Client, plugin: dict[str, Any], allow_code: bool) -> dict[str, Any]:
    def send(consent: dict[str, Any]) -> dict[str, Any]:
        with waiting(f"Updating {plugin['name']}"):
            return dict(api.post("/api/plugins/{}/pull", plugin["id"], body=consent))

    result = cli_code.with_consent(send, allow_code)
    return result | {"restart_required": _needs_restart(api, plugin["id"])}


def _tell_update(result: dict[str, Any]) -> None:
    if result["warnings"] == [_UNCHANGED]:
        typer.echo(f"{result['plugin_name']} is up to date")
        return
    typer.echo(f"{result['plugin_name']} is updated")
    print_result(result)
    _tell_restart(result["restart_required"])


def _with_feed(api: Client, project: dict[str, Any]) -> list[dict[str, Any]]:
    found = api.get("/api/plugins", project_id=project["id"])
    return [plugin for plugin in found if plugin["source_feed_id"]]


def _needs_restart(api: Client, plugin_id: str) -> bool:
    status = api.get("/api/plugins/{}/code", plugin_id)["status"]
    return bool(status == "restart_required")


def _tell_restart(is_needed: bool) -> None:
    if is_needed:
        typer.echo("Restart the server to run its code")
