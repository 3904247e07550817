"""Files that installed packages brought."""

from typing import Protocol

from kombuse_sdk.contracts.agents import Preset
from kombuse_sdk.storage import ReadTx, WriteTx

__all__ = ["PackageFiles"]


class PackageFiles(Protocol):
    """`plugin_id` may be of a plugin that is gone, as long as agents stayed that it brought."""

    def text(self, tx: ReadTx, plugin_id: str, path: str) -> str | None:
        """The text of a file of a package, as prompts include it; None when there is none."""
        ...

    def preset(self, tx: ReadTx, plugin_id: str, agent_type: str) -> Preset | None:
        """What the package's agents of a type do without asking, in place of the built-in preset;
        None when the package says nothing about it."""
        ...

    def release(self, tx: WriteTx, plugin_id: str) -> None:
        """Forget the files of a plugin that is gone, if none of its agents is left."""
        ...
