"""The declarative example packages install without a warning, and their prompts can be rendered."""

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from kombuse_sdk.contracts import PackageFiles
from kombuse_sdk.testing import Factory
from kombuse_sdk.types import Kernel

EXAMPLES = Path(__file__).parents[2] / "examples"
BROUGHT = {
    "kombuse_dev": (["Coder", "Planner", "Reviewer", "Triage"], 5),
    "review_pack": (["Prose Reviewer", "Security Reviewer"], 2),
}


@pytest.mark.parametrize("folder", BROUGHT)
def test_a_package_brings_what_its_readme_says(
    client: TestClient, make: Factory, folder: str
) -> None:
    project = make.project()
    body = {"package_path": str(EXAMPLES / folder), "project_id": project["id"]}

    answer = client.post("/api/plugins/install", json=body)

    assert answer.status_code == 201, answer.text
    assert answer.json()["warnings"] == []
    agents, labels = BROUGHT[folder]
    profiles = client.get("/api/profiles?type=agent").json()
    assert set(agents) <= {profile["name"] for profile in profiles}
    assert len(client.get(f"/api/projects/{project['id']}/labels").json()) == labels


@pytest.mark.parametrize("folder", BROUGHT)
def test_every_included_file_is_there(
    client: TestClient, make: Factory, kernel: Kernel, folder: str
) -> None:
    project = make.project()
    body = {"package_path": str(EXAMPLES / folder), "project_id": project["id"]}
    plugin_id = client.post("/api/plugins/install", json=body).json()["plugin_id"]
    prompts = [agent["system_prompt"] for agent in client.get("/api/agents").json()]
    included = {
        part.split('"')[1] for prompt in prompts for part in prompt.split("{% include ")[1:]
    }

    assert included
    with kernel.db.read() as tx:
        files = tx.services.get(PackageFiles)
        assert all(files.text(tx, plugin_id, path) for path in included)


@pytest.mark.parametrize("folder", BROUGHT)
def test_the_same_labels_start_the_same_agents_in_every_project(
    client: TestClient, make: Factory, folder: str
) -> None:
    for project in (make.project(), make.project()):
        body = {"package_path": str(EXAMPLES / folder), "project_id": project["id"]}
        result = client.post("/api/plugins/install", json=body).json()

        assert result["agents_created"] == len(BROUGHT[folder][0])
        assert result["labels_created"] == BROUGHT[folder][1]
        assert result["triggers_created"] > 0
