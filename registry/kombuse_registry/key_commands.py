"""`kombuse registry keys`"""

from typing import Annotated

import typer

from kombuse_registry.data_folder import Account, Data, opened
from kombuse_sdk.console import Home, Json, print_json, print_table

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)


@app.command("list")
def list_keys(data: Data = None, home: Home = None, as_json: Json = False) -> None:
    """All keys, those that are no longer used included."""
    from kombuse_registry.server import administration

    with opened(data, home) as registry:
        found = administration.list_keys(registry)
    if as_json:
        print_json(found)
        return
    rows = [
        (key["keyid"], key["usage"], key["account"], _state(key), key["public_key"], key["name"])
        for key in found
    ]
    headings = ("ID", "USAGE", "ACCOUNT", "STATE", "PUBLIC KEY", "NAME")
    print_table(headings, rows, empty="There is no key.")


@app.command("rotate")
def rotate_keys(data: Data = None, home: Home = None, as_json: Json = False) -> None:
    """Sign with a new key from now on; what the former one signed stays good."""
    from kombuse_registry.server import administration

    with opened(data, home) as registry:
        keyid = administration.rotate_key(registry)
    if as_json:
        print_json({"keyid": keyid})
    else:
        typer.echo(f"The registry signs with {keyid} now")


@app.command("add")
def add_key(
    public_key: Annotated[str, typer.Argument(help="An ed25519 public key in base64.")],
    account: Account,
    name: Annotated[str, typer.Option(help="Where its private half is.")] = "",
    data: Data = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Register the key with which somebody signs uploads."""
    from kombuse_registry.server import administration

    with opened(data, home) as registry:
        made = administration.add_key(registry, account, public_key, name or account)
    if as_json:
        print_json(made)
    else:
        typer.echo(f"{account} may sign with {made['keyid']}")


@app.command("revoke")
def revoke_key(keyid: str, data: Data = None, home: Home = None) -> None:
    """Take a key out of use that others may have; nothing that it signed is good any more."""
    from kombuse_registry.server import administration

    with opened(data, home) as registry:
        administration.revoke_key(registry, keyid)
    typer.echo(f"{keyid} is good for nothing now")


def _state(key: "dict[str, str | None]") -> str:
    if key["revoked_at"]:
        return f"revoked {key['revoked_at']}"
    return f"until {key['expires_at']}" if key["expires_at"] else "in use"
