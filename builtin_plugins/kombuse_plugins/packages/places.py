"""Where the packages of a project and its configuration are."""

from pathlib import Path

from kombuse_sdk.contracts import Projects
from kombuse_sdk.errors import NotFound
from kombuse_sdk.storage import ReadTx
from kombuse_sdk.types import Config

__all__ = ["Place", "place_of", "project_of"]


class Place:
    """The folder `.kombuse` of a project, or the one that stands for it in the home.

    Both are inside of `root`, which the person chose.
    """

    def __init__(self, config: Config, project_id: str, local_path: str | None) -> None:
        self.project_id = project_id
        self.home = config.home
        self.root = Path(local_path) if local_path else config.home
        base = self.root if local_path else config.home / "projects" / project_id
        self.config_file = base / ".kombuse" / "config.json"
        self.plugins = base / ".kombuse" / "plugins"
        self.is_in_home = local_path is None


def project_of(tx: ReadTx, reference: str) -> str:
    """The id of the project that a body names by its id or slug; NotFound."""
    return NotFound.unless(tx.services.get(Projects).resolve(tx, reference), "Project")


def place_of(tx: ReadTx, project: str) -> Place:
    """NotFound when there is no such project."""
    project_id = project_of(tx, project)
    local_path = tx.services.get(Projects).local_path(tx, project_id)
    return Place(tx.kernel.config, project_id, local_path)
