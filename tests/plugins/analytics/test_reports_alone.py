"""Reports of a server on which plugins that they can do without are switched off."""

from typing import Any

import pytest
from tests.plugins.analytics.past import NOON, Past
from tests.plugins.analytics.test_ticket_reports import Report

from kombuse_sdk.testing import Factory


@pytest.fixture
def kombuse_config() -> dict[str, Any]:
    return {"disabled_plugins": ["labels", "milestones", "comments", "permissions"]}


def test_nothing_is_labelled_and_no_milestone_is_due(
    past: Past, report: Report, make: Factory, project: Any
) -> None:
    past.date_ticket(make.ticket(project), NOON)

    def last(**query: Any) -> tuple[int, Any]:
        row = report("ticket-burndown", **query)[-1]
        return row["total"], row["ideal"]

    assert last() == (1, None)
    assert last(label_id=1) == last(milestone_id=1) == (0, None)
    assert last(label_id=1, milestone_id=1) == (0, None)
