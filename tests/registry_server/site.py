"""A registry in this process, with what its publishers have: packages, tokens and keys."""

import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from kombuse_registry.archive import write_archive
from kombuse_registry.server.app import build_app
from kombuse_registry.server.registry import Registry, initialise
from kombuse_registry.server.settings import Settings

__all__ = ["Site", "archive", "running_site"]

LOOPBACK = ("127.0.0.1", 50000)


class Site:
    """`http` asks from loopback, as nobody; `admin` is a token that may do everything."""

    def __init__(self, registry: Registry, http: TestClient, admin: str) -> None:
        self.registry = registry
        self.http = http
        self.admin = admin

    def ask(self, method: str, path: str, token: str | None = None, **options: Any) -> Any:
        """Paths without a slash in front are those below /api/pkg/."""
        headers = dict(options.pop("headers", {}))
        if token:
            headers["Authorization"] = f"Bearer {token}"
        url = path if path.startswith("/") else f"/api/pkg/{path}"
        return self.http.request(method, url, headers=headers, **options)

    def get(self, path: str, token: str | None = None, **options: Any) -> Any:
        return self.ask("GET", path, token, **options)

    def upload(
        self, name: str, data: bytes, token: str | None = None, query: str = "", **options: Any
    ) -> Any:
        """POST the bytes as the package `author/name`, as the admin unless a token is given."""
        headers = {"Content-Type": "application/gzip", **options.pop("headers", {})}
        return self.ask(
            "POST", f"{name}{query}", token or self.admin, content=data, headers=headers, **options
        )

    def publish(self, name: str, version: str = "1.0.0", query: str = "", **more: Any) -> bytes:
        """The archive that was published; nothing less is taken."""
        data = archive(name, version, **more)
        answer = self.upload(name, data, query=query)
        assert answer.status_code == 201, answer.text
        return data

    def token(self, account: str, *scopes: str, packages: str = "*", **more: Any) -> str:
        """Made by the admin, and its account too if need be."""
        body = {"name": "test", "account": account, "scopes": scopes, "packages": [packages]}
        answer = self.ask("POST", "-/tokens", self.admin, json=body | more)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["token"])


def archive(
    name: str,
    version: str = "1.0.0",
    *,
    manifest: Mapping[str, Any] | None = None,
    files: Mapping[str, bytes] | None = None,
) -> bytes:
    """A whole package of `author/name`; None in `manifest` leaves a key out."""
    author, _, package = name.partition("/")
    plugin = {
        "name": package,
        "version": version,
        "kombuse": {"plugin_system_version": "kombuse-plugin-v1"},
    }
    described = {
        "author": author,
        "name": package,
        "version": version,
        "type": "plugin",
        "description": f"What {package} does",
        **(manifest or {}),
    }
    kept = {key: value for key, value in described.items() if value is not None}
    content = {
        ".kombuse-plugin/plugin.json": json.dumps(plugin).encode(),
        "manifest.json": json.dumps(kept).encode(),
        "README.md": f"# {package}\n".encode(),
        **(files or {}),
    }
    with tempfile.TemporaryDirectory() as folder:
        return write_archive(content, Path(folder) / "package.tar.gz").path.read_bytes()


@contextmanager
def running_site(
    data: Path, settings: Settings | None = None, address: tuple[str, int] = LOOPBACK
) -> Iterator[Site]:
    made = initialise(data, "root")
    registry = Registry(data, settings or Settings())
    try:
        with TestClient(build_app(registry), client=address) as http:
            yield Site(registry, http, made["token"])
    finally:
        registry.close()
