"""What a package holds, in one number: all of it, or only the code that would run."""

import hashlib
import json
from collections.abc import Mapping

from kombuse_registry.archive import PLUGIN_JSON
from kombuse_registry.package import PackageCode, digest_of

__all__ = ["of_code", "of_content"]


def of_content(files: Mapping[str, bytes]) -> str:
    """The same for two packages that differ only in when they were exported."""
    if PLUGIN_JSON in files:
        files = {**files, PLUGIN_JSON: _timeless(files[PLUGIN_JSON])}
    return digest_of(files)


def of_code(code: PackageCode) -> str:
    """What a person allows: the Python, where it starts, and what it says that it does."""
    allowed = [code.entry_point, sorted(code.capabilities), code.digest]
    return hashlib.sha256(json.dumps(allowed).encode()).hexdigest()


def _timeless(plugin_json: bytes) -> bytes:
    try:
        found = json.loads(plugin_json)
        found["kombuse"].pop("exported_at", None)
    except (ValueError, TypeError, KeyError, AttributeError):
        return plugin_json
    return json.dumps(found).encode()
