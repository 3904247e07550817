"""`kombuse registry token`"""

from typing import Annotated

import typer

from kombuse_registry.data_folder import Account, Data, opened
from kombuse_sdk.console import Home, Json, print_fields, print_json, print_table, warn

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)


@app.command("create")
def create_token(
    account: Account,
    scopes: Annotated[
        list[str],
        typer.Option(
            "--scope",
            help="read, publish:new, publish:update, yank, tags, owners, tokens, audit or admin;"
            " may be given several times.",
        ),
    ],
    packages: Annotated[
        list[str],
        typer.Option(
            "--package",
            help="author/name, author/* or *; may be given several times. An author that nobody"
            " has becomes the account's.",
        ),
    ],
    name: Annotated[str, typer.Option(help="What it is for.")] = "",
    expires: Annotated[
        str | None, typer.Option(help="A day or time.  [default: in 90 days]")
    ] = None,
    cidrs: Annotated[
        list[str] | None,
        typer.Option("--cidr", help="Where it may be used from; may be given several times."),
    ] = None,
    data: Data = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Make a token, which is shown only now."""
    from kombuse_registry.server import administration

    with opened(data, home) as registry:
        made = administration.create_token(
            registry,
            account,
            name=name or account,
            scopes=scopes,
            packages=packages,
            expires_at=expires,
            cidrs=cidrs or [],
        )
    if as_json:
        print_json(made)
        return
    for author in made["namespaces"]:
        typer.echo(f"The namespace {author} belongs to {account} now")
    print_fields({key: made[key] for key in ("id", "token", "expires_at")})
    warn("the token is shown only this once: keep it where nobody else reads it")


@app.command("list")
def list_tokens(data: Data = None, home: Home = None, as_json: Json = False) -> None:
    """All tokens, without their secrets."""
    from kombuse_registry.server import administration

    with opened(data, home) as registry:
        found = administration.list_tokens(registry)
    if as_json:
        print_json(found)
        return
    rows = [
        (
            token["id"],
            token["account"],
            ", ".join(token["scopes"]),
            ", ".join(token["packages"]),
            f"revoked {token['revoked_at']}" if token["revoked_at"] else token["expires_at"],
            token["last_used_at"] or "never",
            token["name"],
        )
        for token in found
    ]
    headings = ("ID", "ACCOUNT", "SCOPES", "PACKAGES", "ENDS", "LAST USED", "NAME")
    print_table(headings, rows, empty="There is no token.")


@app.command("revoke")
def revoke_token(
    token: Annotated[str, typer.Argument(help="Its id, or all of it.")],
    data: Data = None,
    home: Home = None,
) -> None:
    """End a token at once."""
    from kombuse_registry.server import administration

    with opened(data, home) as registry:
        administration.revoke_token(registry, token)
    typer.echo("The token is good for nothing now")
