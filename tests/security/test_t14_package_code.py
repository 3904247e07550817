"""T14: Python in packages is allowed byte by byte, kept to what it declared, and contained."""

import shutil
from pathlib import Path

import pytest
from tests.code_packages import ROUTE, TOOL, Machine, write_package

from kombuse_registry.package import build
from kombuse_sdk.events import Event


def test_code_runs_after_it_was_allowed_and_the_server_started_again(
    machine: Machine, tmp_path: Path
) -> None:
    folder = write_package(tmp_path, ROUTE.format(path="/x/NAME/hello"), "routes")
    refused = machine.install(folder)
    plugin_id = machine.installed(folder)
    before = machine.code(plugin_id)
    machine.start()

    assert refused.status_code == 400
    assert "allow_code" in refused.json()["error"]
    assert before["status"] == "restart_required"
    assert machine.code(plugin_id) == before | {"status": "running"}
    assert machine.client.get(f"/api/x/{folder.name}/hello").json() == ["hello"]
    assert machine.status(folder.name) == ("loaded", None)


def test_an_archive_runs_as_its_folder_does(machine: Machine, tmp_path: Path) -> None:
    folder = write_package(tmp_path, ROUTE.format(path="/x/NAME/hello"), "routes")
    archive = build(folder, tmp_path).path
    shutil.rmtree(folder)
    machine.installed(archive)
    machine.start()

    assert machine.client.get(f"/api/x/{folder.name}/hello").json() == ["hello"]


def test_bytes_that_nobody_allowed_do_not_run(machine: Machine, tmp_path: Path) -> None:
    folder = write_package(tmp_path, ROUTE.format(path="/x/NAME/hello"), "routes")
    plugin_id = machine.installed(folder)
    (module,) = (folder / "python").iterdir()
    module.write_text(module.read_text() + "\n# another byte\n")
    machine.start()

    state, reason = machine.status(folder.name)
    assert state == "failed"
    assert "not what was allowed" in (reason or "")
    assert machine.code(plugin_id)["status"] == "failed"
    assert machine.client.get(f"/api/x/{folder.name}/hello").status_code == 404


def test_a_file_that_is_planted_beside_the_allowed_code_is_removed(
    machine: Machine, tmp_path: Path
) -> None:
    folder = write_package(tmp_path, ROUTE.format(path="/x/NAME/hello"), "routes")
    machine.installed(folder)
    machine.start()
    (run_from,) = (machine.home / "code").iterdir()
    (run_from / "sitecustomize.py").write_text("raise SystemExit")
    machine.start()

    assert [path.name for path in run_from.rglob("*") if path.suffix == ".py"] == [
        f"{folder.name.replace('-', '_')}_code.py"
    ]


def test_an_update_asks_again_for_other_code(machine: Machine, tmp_path: Path) -> None:
    folder = write_package(tmp_path, ROUTE.format(path="/x/NAME/hello"), "routes")
    machine.installed(folder)
    same = machine.install(folder, overwrite=True)
    write_package(tmp_path, ROUTE.format(path="/x/NAME/other"), "routes", name=folder.name)
    changed = machine.install(folder, overwrite=True)

    assert same.status_code == 201
    assert changed.status_code == 400
    assert "other Python code than before" in changed.json()["error"]


@pytest.mark.parametrize(
    ("source", "capabilities", "reason"),
    [
        (ROUTE.format(path="/x/NAME/hello"), (), "did not declare the capability routes"),
        (ROUTE.format(path="/tickets/mine"), ("routes",), "is not below /api/x/"),
        (
            TOOL.format(tool="get_ticket_too", text="x"),
            ("mcp_tools",),
            "the tool get_ticket_too does not begin with",
        ),
        ("raise RuntimeError('broken')", (), "RuntimeError: broken"),
        ("import sys; sys.exit(3)", (), "SystemExit: 3"),
        ("def kombuse_typo(): return 1", ("routes",), "capability typo"),
        (
            "@hookimpl\ndef kombuse_jobs():\n    raise KeyError('no')",
            ("jobs",),
            "KeyError: 'no'",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and " " not in value else None,
)
def test_a_plugin_that_goes_beyond_what_it_may_is_left_out_and_the_server_goes_on(
    machine: Machine, tmp_path: Path, source: str, capabilities: tuple[str, ...], reason: str
) -> None:
    folder = write_package(tmp_path, source, *capabilities)
    plugin_id = machine.installed(folder)
    machine.start()

    state, why = machine.status(folder.name)
    assert state == "failed"
    assert reason in (why or "")
    assert machine.code(plugin_id)["status"] == "failed"
    assert machine.client.get("/health").status_code == 200


def test_a_plugin_may_not_take_the_name_of_another(machine: Machine, tmp_path: Path) -> None:
    folder = write_package(
        tmp_path,
        "def _again():\n    return PluginInfo(name='tickets', title='T')\n"
        "kombuse_plugin = hookimpl(_again)\n",
    )
    machine.installed(folder)
    machine.start()

    assert machine.status(folder.name)[0] == "failed"
    assert machine.status("tickets")[0] == "loaded"


def test_disabled_code_does_nothing_at_once_and_runs_again_when_enabled(
    machine: Machine, tmp_path: Path
) -> None:
    folder = write_package(
        tmp_path,
        ROUTE.format(path="/x/NAME/hello") + TOOL.format(tool="TOOL_hello", text="x"),
        *("routes", "mcp_tools"),
    )
    (module,) = (folder / "python").iterdir()
    module.write_text(module.read_text().replace("TOOL", folder.name.replace("-", "_")))
    plugin_id = machine.installed(folder)
    machine.start()
    address = f"/api/x/{folder.name}/hello"

    running = machine.client.get(address)
    machine.client.patch(f"/api/plugins/{plugin_id}", json={"is_enabled": False})
    stopped = machine.client.get(address)
    machine.start()
    gone = machine.client.get(address)
    machine.client.patch(f"/api/plugins/{plugin_id}", json={"is_enabled": True})
    machine.start()

    assert running.status_code == 200
    assert stopped.status_code == 404
    assert "not enabled" in stopped.json()["error"]
    assert gone.status_code == 404
    assert machine.client.get(address).status_code == 200


def test_uninstalled_code_stops_at_once(machine: Machine, tmp_path: Path) -> None:
    folder = write_package(tmp_path, ROUTE.format(path="/x/NAME/hello"), "routes")
    plugin_id = machine.installed(folder)
    machine.start()

    assert machine.client.delete(f"/api/plugins/{plugin_id}").status_code == 204

    assert machine.client.get(f"/api/x/{folder.name}/hello").status_code == 404
    machine.start()
    assert machine.kernel is not None
    assert folder.name not in [item.name for item in machine.kernel.plugins]


def test_a_hook_that_raises_is_undone_and_noted_and_the_change_stands(
    machine: Machine, tmp_path: Path
) -> None:
    folder = write_package(
        tmp_path,
        "@hookimpl\ndef kombuse_event(tx, event):\n"
        "    tx.execute('DELETE FROM projects')\n    raise RuntimeError('oh no')\n",
        "event",
    )
    plugin_id = machine.installed(folder)
    machine.start()
    assert machine.kernel is not None
    with machine.kernel.db.write() as tx:
        event_id = tx.emit(Event(event_type="probe.knocked", actor_type="system"))

    with machine.kernel.db.read() as reader:
        assert reader.value("SELECT count(*) FROM events WHERE id = ?", (event_id,)) == 1
        assert reader.value("SELECT count(*) FROM projects") == 1
    code = machine.code(plugin_id)
    assert code["status"] == "failed"
    assert "oh no" in code["reason"]


def test_a_start_that_fails_does_not_stop_the_server(machine: Machine, tmp_path: Path) -> None:
    folder = write_package(
        tmp_path,
        "@hookimpl\ndef kombuse_startup(kernel):\n    raise RuntimeError('no start')\n",
        "startup",
    )
    plugin_id = machine.installed(folder)
    machine.start()

    assert "no start" in machine.code(plugin_id)["reason"]


@pytest.mark.parametrize(
    ("capability", "statement"),
    [
        ("network", "__import__('socket').create_connection(('127.0.0.1', 9), 1)"),
        ("filesystem", "open('NAME.txt', 'w')"),
        ("filesystem", "__import__('os').remove('NAME.txt')"),
        ("processes", "__import__('subprocess').run(['true'])"),
    ],
)
def test_what_was_not_declared_is_refused_while_it_runs(
    machine: Machine, tmp_path: Path, capability: str, statement: str
) -> None:
    source = ROUTE.format(path="/x/NAME/hello").replace('["hello"]', f"[str({statement})]")
    folder = write_package(tmp_path, source, "routes")
    plugin_id = machine.installed(folder)
    machine.start()

    assert machine.client.get(f"/api/x/{folder.name}/hello").status_code == 403
    assert f"did not declare the capability {capability}" in machine.code(plugin_id)["reason"]
