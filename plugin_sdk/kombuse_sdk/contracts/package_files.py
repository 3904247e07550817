"""Files that installed packages brought."""

from typing import Protocol

from kombuse_sdk.storage import ReadTx

__all__ = ["PackageFiles"]


class PackageFiles(Protocol):
    def text(self, tx: ReadTx, plugin_id: str, path: str) -> str | None:
        """The text of a file of a package, as prompts include it; None when there is none."""
        ...
