"""A system prompt that is no template is saved, with a warning that names the line."""

import pytest
from starlette.testclient import TestClient
from tests.agent_runs import make_agent

BROKEN = "You help.\n{% if ticket %}\nno end"


@pytest.mark.parametrize(
    ("prompt", "warning"),
    [
        (BROKEN, "system_prompt, line 2: "),
        ("a\n\n{{ ticket.title", "system_prompt, line 3: "),
        ("{{ a b }}", "system_prompt, line 1: "),
        ("x" * 200_001, "system_prompt, the template has more than 200000 characters"),
        ("{{" + "(" * 100_000, "system_prompt, "),
    ],
)
def test_a_broken_prompt_is_saved_with_a_warning(
    client: TestClient, prompt: str, warning: str
) -> None:
    made = make_agent(client, system_prompt=prompt)
    changed = client.patch(f"/api/agents/{made['id']}", json={"system_prompt": prompt}).json()

    assert made["warning"].startswith(warning)
    assert changed["warning"] == made["warning"]
    kept = client.get(f"/api/agents/{made['id']}").json()
    assert (kept["system_prompt"], "warning" in kept) == (prompt, False)


@pytest.mark.parametrize(
    "prompt",
    [
        "plain",
        "{{ 9 ** 9 ** 9 }}",
        "{% include 'x' %}",
        "{% if a && b %}x{% elseif c %}y{% endif %}",
    ],
)
def test_what_can_be_read_has_no_warning(client: TestClient, prompt: str) -> None:
    made = make_agent(client, system_prompt=prompt)
    other = client.patch(f"/api/agents/{made['id']}", json={"is_enabled": False}).json()

    assert "warning" not in made | other
