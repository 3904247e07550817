"""The keys that each registry signed with when it was used first."""

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from kombuse_registry.disk import locked, replace
from kombuse_registry.errors import IntegrityError

__all__ = ["TrustedKeys"]


class TrustedKeys:
    """A file with the public keys (base64, by keyid) of every source, by feed id."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def of(self, feed_id: str) -> dict[str, str]:
        """Empty for a source that never signed."""
        return self._read().get(feed_id, {})

    def trust(self, feed_id: str, keys: Mapping[str, str]) -> None:
        """Keep the keys of a source that has none yet; another process may have been first."""
        with self._locked():
            kept = self._read()
            self._write({feed_id: dict(keys)} | kept)

    def forget(self, feed_id: str) -> bool:
        """Let the source be met anew: what a person does who accepts that its key changed."""
        with self._locked():
            kept = self._read()
            is_known = kept.pop(feed_id, None) is not None
            self._write(kept)
            return is_known

    def _locked(self) -> AbstractContextManager[None]:
        return locked(self.path.with_name(self.path.name + ".lock"))

    def _read(self) -> dict[str, dict[str, str]]:
        """A damaged file is an error, not an invitation to trust anybody."""
        try:
            kept = json.loads(self.path.read_bytes())
        except FileNotFoundError:
            return {}
        except ValueError:
            kept = None
        if not isinstance(kept, dict):
            raise IntegrityError(f"the list of trusted keys is damaged ({self.path.name})")
        return kept

    def _write(self, kept: Mapping[str, Mapping[str, str]]) -> None:
        replace(self.path, json.dumps(kept, indent=2).encode())
