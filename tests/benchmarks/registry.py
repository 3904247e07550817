"""The registry server: search and versions among many packages, and many downloads at once."""

import argparse
import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from time import perf_counter

from kombuse_registry.archive import write_archive
from kombuse_registry.manifest import PackageMetadata
from kombuse_registry.server import publishing
from kombuse_registry.server.audit import Origin
from kombuse_registry.server.inspection import Inspected, StoredFile
from kombuse_registry.server.publishing import Release
from kombuse_registry.server.registry import Registry, initialise
from kombuse_registry.server.settings import Settings
from kombuse_registry.server.tokens import Caller
from kombuse_registry.server.uploads import Upload
from load import LoadError, Result, encode_request, run
from server_process import Server
from table import number, print_table

_P99_MS, _MEMORY_MB = 20.0, 150.0
_ARCHIVE_BYTES = 5_000_000
_WORDS = ["sort", "plan", "review", "test", "deploy", "watch", "label", "merge", "triage", "sync"]
_PART_BYTES = 256 * 1024
_BATCH = 500


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--packages", type=int, default=10_000, help="(10,000)")
    parser.add_argument("--versions", type=int, default=5, help="of each package (5)")
    parser.add_argument("--requests", type=int, default=2000, help="of each kind (2,000)")
    parser.add_argument("--downloads", type=int, default=1000, help="at once (1,000)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options = parser.parse_args()
    try:
        with TemporaryDirectory(prefix="kombuse-registry-") as folder:
            data = Path(folder) / "registry"
            _fill(data, options.packages, options.versions)
            with _serve(data) as server:
                figures = _reads(server, options.packages, options.requests)
                figures |= _downloads(server, options.downloads)
    except LoadError as error:
        print(error, file=sys.stderr)
        return 1
    rows = [
        [name, number(value, 2), number(target, 0)] for name, (value, target) in figures.items()
    ]
    print_table(["", "measured", "target"], rows)
    if options.json is not None:
        values = {name: value for name, (value, _) in figures.items()}
        options.json.write_text(json.dumps(values, indent=2), encoding="utf-8")
    return 0


def _reads(server: Server, packages: int, count: int) -> dict[str, tuple[float, float | None]]:
    """The 99th percentile in milliseconds of each kind of request, and the memory afterwards."""
    kinds: dict[str, Callable[[int], str]] = {
        "search for a word, page of 20": lambda n: f"?q={_WORDS[n % len(_WORDS)]}&limit=20",
        "search for a letter, page of 20": lambda n: f"?q={_WORDS[n % len(_WORDS)][0]}&limit=20",
        "search for two words": lambda n: f"?q={_WORDS[n % 5]}+{n % 97}&limit=20",
        "search by downloads": lambda n: f"?q={_WORDS[n % 7]}&sort=downloads&limit=20",
        "list, page of 50": lambda n: "?sort=updated&limit=50",
        "versions": lambda n: f"/acme-{n * 7 % 100}/package-{n * 7 % packages}/versions",
        "one version": lambda n: f"/acme-{n % 100}/package-{n % packages}/versions/1.0.0",
    }
    figures: dict[str, tuple[float, float | None]] = {}
    for name, path in kinds.items():
        asked = (encode_request(server.port, "GET", f"/api/pkg{path(n)}") for n in range(count))
        result: Result = run(server.port, asked, seconds=60)
        figures[f"{name}: p99 in ms"] = (result.percentile_ms(99), _P99_MS)
    figures["memory after reading in MB"] = (server.resident_mb() or 0, _MEMORY_MB)
    return figures


def _downloads(server: Server, count: int) -> dict[str, tuple[float, float | None]]:
    before = server.resident_mb() or 0
    most, done = [before], Event()

    def watch() -> None:
        while not done.wait(0.02):
            most[0] = max(most[0], server.resident_mb() or 0)

    watcher = Thread(target=watch)
    watcher.start()
    started = perf_counter()
    try:
        received = asyncio.run(_download_all(server.port, count))
    finally:
        done.set()
        watcher.join()
    seconds = perf_counter() - started
    if received < count * _ARCHIVE_BYTES:
        raise LoadError(f"{received} bytes arrived of {count} downloads")
    name = f"{count} downloads at once"
    return {
        f"{name}: seconds": (seconds, None),
        f"{name}: MB a second": (received / seconds / 1e6, None),
        f"{name}: memory at most in MB": (most[0], _MEMORY_MB),
        f"{name}: memory added in MB": (most[0] - before, None),
    }


async def _download_all(port: int, count: int) -> int:
    """The bytes of all answers. Every download has begun before the first is read to its end."""
    return sum(await asyncio.gather(*(_download(port) for _ in range(count))))


async def _download(port: int) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = "GET /api/pkg/large/large/versions/1.0.0/download HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    writer.write(f"{head}Connection: close\r\n\r\n".encode())
    size = 0
    while part := await reader.read(_PART_BYTES):
        size += len(part)
    writer.close()
    return size


def _fill(data: Path, packages: int, versions: int) -> None:
    """Through the code that publishes, without the uploads."""
    initialise(data, "root")
    registry = Registry(data, Settings())
    caller = Caller(
        account_id=1,
        account="root",
        token_id="benchmark",
        scopes=frozenset({"admin"}),
        packages=("*",),
        expires_at="",
    )
    wanted = ((n, v) for n in range(packages) for v in range(versions))
    try:
        while batch := [pair for _, pair in zip(range(_BATCH), wanted, strict=False)]:
            with registry.db.write() as tx:
                for count, version in batch:
                    publishing.publish(tx, registry.keys, _release(caller, count, version))
        _publish_large(registry, caller, data)
    finally:
        registry.close()


def _release(caller: Caller, count: int, version: int) -> Release:
    words = " ".join(_WORDS[(count + n * n) % len(_WORDS)] for n in range(6))
    upload = Upload(
        path=Path(),
        size=1000,
        sha256=f"{count:056x}{version:08x}",
        sha512=f"{count:0128x}",
        integrity="sha512-",
    )
    name = f"package-{count}"
    description = f"Number {count} can {words}"
    return _made(caller, f"acme-{count % 100}", name, f"1.{version}.0", description, upload)


def _publish_large(registry: Registry, caller: Caller, data: Path) -> None:
    """An archive of 5 MB, which no one can compress."""
    registry.blobs.prepare()
    half = os.urandom(_ARCHIVE_BYTES // 2)
    files = {"manifest.json": b"{}", "files/a": half, "files/b": half[::-1]}
    info = write_archive(files, data / "incoming" / "large.tar.gz")
    upload = Upload(
        path=info.path, size=info.size, sha256=info.checksum, sha512="0" * 128, integrity="sha512-"
    )
    registry.blobs.keep(info.path, info.checksum)
    with registry.db.write() as tx:
        release = _made(caller, "large", "large", "1.0.0", "Large", upload)
        publishing.publish(tx, registry.keys, release)


def _made(
    caller: Caller, author: str, name: str, version: str, description: str, upload: Upload
) -> Release:
    manifest = {
        "author": author,
        "name": name,
        "version": version,
        "type": "plugin",
        "description": description,
        "keywords": [description.split()[-1]],
    }
    text = json.dumps(manifest)
    return Release(
        author=author,
        name=name,
        caller=caller,
        origin=Origin(caller=caller),
        upload=upload,
        inspected=Inspected(
            metadata=PackageMetadata.from_json(text.encode()),
            manifest=text,
            readme="# A package\n\nIt does what it says.\n",
            files=(StoredFile(path="manifest.json", size=len(text), sha256="0" * 64),),
            warnings=(),
        ),
        channel="stable",
        force_tag=False,
        signature=None,
        release_notes=None,
        idempotency_key=None,
        are_namespaces_open=False,
    )


@contextmanager
def _serve(data: Path) -> Iterator[Server]:
    command = [sys.executable, "-m", "kombuse_kernel.cli", "registry", "serve"]
    process = subprocess.Popen(
        [*command, "--port", "0", "--data", str(data)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        env={**os.environ, "HOME": str(data.parent), "KOMBUSE_HOME": str(data.parent / "home")},
        text=True,
    )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        if not line:
            raise LoadError("the registry did not start")
        yield Server(port=int(line.rpartition(":")[2]), pid=process.pid)
    finally:
        process.terminate()
        process.wait(30)
        process.stdout.close()


if __name__ == "__main__":
    sys.exit(main())
