"""`kombuse plugin new`, `build` and `check`: what an author does. No server is needed."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kombuse_plugins.packages.cli_output import failures, print_result, server
from kombuse_sdk.console import (
    CommandError,
    ExitCode,
    Home,
    Json,
    one_line,
    print_fields,
    print_json,
    print_styled,
    warn,
)
from kombuse_sdk.current_project import current_project

if TYPE_CHECKING:
    from kombuse_registry.package import Package

__all__ = ["build", "check", "new"]

Source = Annotated[Path, typer.Argument(help="The folder of the package, or its .tar.gz.")]


def new(
    name: Annotated[str, typer.Argument(help="Lower-case words joined by hyphens.")],
    python: Annotated[
        bool, typer.Option("--python", help="With Python: a route and a tool, instead of an agent.")
    ] = False,
    author: Annotated[str | None, typer.Option(help="Who publishes it.")] = None,
    folder: Annotated[
        Path | None, typer.Option("--folder", help="Where to put it.", show_default="./NAME")
    ] = None,
    as_json: Json = False,
) -> None:
    """Begin a package: a folder with everything that a small one has, and a test that passes."""
    from kombuse_plugins.packages import scaffold
    from kombuse_registry import names

    with failures():
        names.check_package(name)
        if author is not None:
            names.check_author(author)
    if python and not name[0].isalpha():
        raise CommandError("the name of a package with Python begins with a letter")
    target = (folder or Path(name)).expanduser()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise CommandError(f"{target} exists already: name another folder with --folder")
    files = (scaffold.with_python if python else scaffold.declarative)(name, author)
    for path, text in files.items():
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        (target / path).write_text(text, encoding="utf-8")
    if as_json:
        print_json({"folder": str(target.resolve()), "files": sorted(files)})
        return
    typer.echo(f"{target} is a package now:")
    for path in sorted(files):
        typer.echo(f"  {path}")
    typer.echo(f"Next: cd {target}, pytest, kombuse plugin check .")


def build(
    folder: Annotated[Path, typer.Argument(help="The folder of the package.")] = Path(),
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="The .tar.gz, or a folder for it.",
            show_default="that of the package",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Write a package as one .tar.gz: the same bytes every time."""
    from kombuse_registry.package import build as pack

    with failures():
        package = _read(folder)
        made = pack(folder, output or folder)
    if as_json:
        print_json(
            {
                "name": package.manifest.name,
                "version": package.manifest.version,
                "path": str(made.path.resolve()),
                "checksum": made.checksum,
                "size": made.size,
            }
        )
        return
    print_fields({"written": made.path, "bytes": made.size, "sha256": made.checksum})


def check(
    source: Source = Path(),
    project: Annotated[
        str | None,
        typer.Option(
            "--project",
            "-p",
            help="Id or slug: ask the server what exactly an installation there would change.",
        ),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Fail when there is a remark.")] = False,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Whether a package is right, what it brings, and what an author should know about it."""
    from kombuse_registry.lint import lint

    with failures():
        package = _read(source)
        remarks = lint(package)
    tried = None
    if project is not None:
        tried = _try(source, project, home)
    if as_json:
        about = {"name": package.manifest.name, "version": package.manifest.version}
        print_json(about | _brought(package) | {"remarks": remarks, "installation": tried})
    else:
        _print(package, remarks)
        if tried is not None:
            typer.echo(f"In {project} it would:")
            print_result(tried)
    if remarks and strict:
        raise typer.Exit(ExitCode.REFUSED)


def _read(source: Path) -> "Package":
    from kombuse_registry.package import read_package

    try:
        return read_package(source)
    except OSError as error:
        raise CommandError(f"{source} cannot be read: {error.strerror or error}") from error


def _try(source: Path, project: str, home: Path | None) -> dict[str, Any]:
    body = {"package_path": str(source.resolve()), "overwrite": True, "dry_run": True}
    with server(home) as api:
        where = current_project(api, project)["id"]
        answer = api.post(
            "/api/plugins/install", body=body | {"project_id": where, "allow_code": True}
        )
    return dict(answer)


def _brought(package: "Package") -> dict[str, Any]:
    """What an installation of it would bring, whatever there is already."""
    files = package.content.files
    code = package.code
    return {
        "agents": [agent.slug for agent in package.agents.values()],
        "triggers": sum(len(agent.triggers) for agent in package.agents.values()),
        "labels": [label.name for label in package.manifest.kombuse.labels],
        "files": [path for path in files if path.startswith("files/")],
        "code": code and {"entry_point": code.entry_point, "capabilities": list(code.capabilities)},
        "checksum": package.checksum,
    }


def _print(package: "Package", remarks: list[str]) -> None:
    brought = _brought(package)
    print_styled(f"{package.manifest.name} {package.manifest.version}", bold=True)
    print_fields(
        {
            "about": package.manifest.description,
            "author": package.manifest.author,
            "agents": ", ".join(map(str, brought["agents"])),
            "triggers": brought["triggers"] or None,
            "labels": ", ".join(brought["labels"]),
            "files": len(brought["files"]) or None,
        }
    )
    if package.code is not None:
        print_fields(
            {
                "code": f"{package.code.entry_point}, in python/: needs --allow-code",
                "capabilities": ", ".join(package.code.capabilities) or "none",
            }
        )
    for remark in remarks:
        warn(one_line(remark))
    typer.echo(f"It can be installed; {len(remarks)} remarks" if remarks else "It is right")
