"""The API against its own document: schemathesis makes requests, and none may be a fault."""

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance

from kombuse_sdk.processes import ServerProcess
from kombuse_sdk.testing import Factory

EXAMPLES = 40
NOBODY = "http://127.0.0.1:9"
"""Where no registry answers, which is told with status 502."""
CHECKS = [not_a_server_error, response_schema_conformance]


@pytest.fixture(scope="module")
def known(server: ServerProcess) -> dict[str, Any]:
    """Values of parameters that name something which exists."""
    make = Factory(server.http)  # type: ignore[arg-type]
    project = make.project()
    label, milestone = make.label(project), make.milestone(project)
    ticket = make.ticket(project, label_ids=[label["id"]])
    comment = make.comment(ticket)
    return {
        "project_id": project["id"],
        "number": ticket["ticket_number"],
        "ticket_id": ticket["id"],
        "profile_id": "user-1",
        "author_id": "user-1",
        "claimer_id": "user-1",
        "owner_id": "user-1",
        "label_id": label["id"],
        "milestone_id": milestone["id"],
        "comment_id": comment["id"],
    }


def test_no_request_is_a_fault(server: ServerProcess, known: dict[str, Any]) -> None:
    document = server.http.get("/openapi.json").json()
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=server.url)
    failures: list[Exception] = []
    count = 0

    for found in schema.get_all_operations():
        operation = found.ok()  # type: ignore[union-attr]
        count += 1
        valid, invalid = (operation.as_strategy(generation_mode=mode) for mode in GenerationMode)

        @given(case=valid | invalid)
        @settings(
            max_examples=EXAMPLES,
            phases=[Phase.explicit, Phase.generate],
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        def check(case: Any) -> None:
            if isinstance(case.body, dict) and "local_path" in case.body:
                case.body["local_path"] = str(server.home)  # its setup writes files there
            _stay_here(case.body)
            if case.method != "DELETE" and len(repr(case.body)) % 8:
                _aim(case, known)
            answer = case.call(timeout=20)
            is_told = (answer.status_code == 502 and NOBODY in repr(case.body)) or (
                answer.status_code == 503 and "updates" in case.operation.path
            )  # switched off
            case.validate_response(answer, checks=CHECKS[1:] if is_told else CHECKS)

        try:
            check()
        except Exception as failure:
            failure.add_note(operation.label)
            failures.append(failure)

    assert count == sum(len(methods) for methods in document["paths"].values())
    if failures:
        raise ExceptionGroup("requests that failed", failures)


def _stay_here(body: Any) -> None:
    """No request of ours makes the server ask another machine."""
    if not isinstance(body, dict):
        return
    if "registry_url" in body:
        body["registry_url"] = NOBODY
    sources = body.get("sources")
    for source in sources if isinstance(sources, list) else ():
        if isinstance(source, dict):
            source.update(dict.fromkeys(("base_url", "api_base"), NOBODY))


def _aim(case: Any, known: dict[str, Any]) -> None:
    """Random ids only ever lead to 404: put those of things that exist into some requests."""
    for values in (case.path_parameters, case.body):
        if isinstance(values, dict):
            values.update({name: known[name] for name in values if name in known})
