"""JavaScript in isolated windows, with a real browser: values, errors, deadlines."""

from time import perf_counter
from typing import Any

import pytest
from tests.desktop_app import DesktopApp


@pytest.mark.parametrize(
    ("script", "value"),
    [
        ("1 + 1", 2),
        ("'a'; // a comment", "a"),
        ("({a: [1, null, 'x']})", {"a": [1, None, "x"]}),
        ("new Promise((resolve) => setTimeout(() => resolve({a: 1}), 20))", {"a": 1}),
        ("const found = await Promise.resolve(5); found", 5),
        ("undefined", None),
        ("0 / 0", None),
        ("document.body === null", False),
    ],
)
def test_the_value_of_the_last_statement_is_answered(
    running_app: DesktopApp, isolated: Any, script: str, value: Any
) -> None:
    assert running_app.run(isolated, script).json() == {"result": value}


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("throw new Error('boom')", "Error: boom"),
        ("throw 'text'", "text"),
        ("Promise.reject(new TypeError('no'))", "TypeError: no"),
        ("nowhere.x", "ReferenceError: nowhere is not defined"),
        ("document.body", "A node could not be cloned"),
        ("(() => 1)", "A function could not be cloned"),
        ("10n", "A bigint could not be cloned"),
        ("const a = {}; a.a = a; a", "Object reference chain is too long"),
    ],
)
def test_a_script_that_fails_says_why(
    running_app: DesktopApp, isolated: Any, script: str, message: str
) -> None:
    answer = running_app.run(isolated, script)

    assert answer.status_code == 400
    assert answer.json() == {"error": f"Script execution failed: {message}"}


def test_what_a_script_declares_does_not_clash_with_the_next(
    running_app: DesktopApp, isolated: Any
) -> None:
    assert running_app.value(isolated, "const same = 1; same") == 1
    assert running_app.value(isolated, "const same = 2; same") == 2


def test_the_worlds_share_the_document_alone(running_app: DesktopApp, isolated: Any) -> None:
    running_app.value(isolated, "window.mark = 1; document.title = 'shared'; null", world="main")

    assert running_app.value(isolated, "typeof window.mark") == "undefined"
    assert running_app.value(isolated, "document.title") == "shared"
    assert running_app.value(isolated, "window.mark", world="main") == 1


def test_pages_find_the_app_and_the_port_of_their_server(
    running_app: DesktopApp, isolated: Any
) -> None:
    script = "[window.electron.serverPort === Number(location.port), typeof window.__kombuse]"

    assert running_app.value(isolated, script, world="main") == [True, "object"]
    assert running_app.value(isolated, "__kombuse.getElementRect('#never')") is None
    assert running_app.value(isolated, "__kombuse.scrollTo('body')") is True


@pytest.mark.parametrize(
    "script",
    [
        "for (;;);",
        "for (;;) { try { for (;;); } catch (error) {} }",
        "Promise.resolve().then(() => { for (;;); })",
        "const again = () => Promise.resolve().then(again); again()",
        "new Promise(() => {})",
        "setTimeout(() => { for (;;); }, 0); new Promise(() => {})",
        "({get endless() { for (;;); }})",
    ],
)
def test_an_endless_script_ends_at_its_deadline_and_the_window_goes_on(
    running_app: DesktopApp, isolated: Any, script: str
) -> None:
    started = perf_counter()
    answer = running_app.run(isolated, script, timeout_ms=300)

    message = "Script execution failed: execute_js timed out after 300ms"
    assert (answer.status_code, answer.json()) == (400, {"error": message})
    assert running_app.value(isolated, "1 + 1", timeout_ms=5000) == 2
    assert perf_counter() - started < 10


def test_what_a_script_left_behind_ends_with_the_deadline_of_the_next(
    running_app: DesktopApp, isolated: Any
) -> None:
    """Timers that start ever new loops leave no other way than a new page in the same window."""
    running_app.value(isolated, "setInterval(() => { for (;;); }, 1); null")

    assert running_app.run(isolated, "1", timeout_ms=500).status_code == 400
    assert running_app.value(isolated, "location.pathname") == "/health"
    assert isolated["id"] in [window["id"] for window in running_app.windows()]


def test_a_script_works_on_after_its_deadline_no_more(
    running_app: DesktopApp, isolated: Any
) -> None:
    script = """
    (async () => {
      for (let count = 0; ; count++) {
        localStorage.setItem("count", count);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    })()
    """
    assert running_app.run(isolated, script, timeout_ms=200).status_code == 400

    wait = "new Promise((resolve) => setTimeout(resolve, 100))"
    before = running_app.value(isolated, "localStorage.getItem('count')")
    running_app.value(isolated, wait)
    assert running_app.value(isolated, "localStorage.getItem('count')") == before


def test_a_dialog_keeps_nobody_waiting(running_app: DesktopApp, isolated: Any) -> None:
    assert running_app.value(isolated, "alert('hello'); confirm('sure?')") is False


@pytest.mark.parametrize("timeout", [0, -1, 600_001, "soon", None])
def test_a_deadline_is_a_number_of_milliseconds(
    running_app: DesktopApp, isolated: Any, timeout: Any
) -> None:
    answer = running_app.run(isolated, "1", timeout_ms=timeout)

    assert answer.status_code == 400
    assert answer.json()["error"][0]["path"] == ["timeout_ms"]
