"""T30: file permissions, planted links, two servers on one database."""

import os
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from kombuse_kernel.config import load_config
from kombuse_kernel.home import HomeTaken, HomeUnsafe, hold, prepare
from kombuse_sdk.processes import ServerProcess, command, environment

StartServer = Callable[..., ServerProcess]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat(follow_symlinks=False).st_mode)


@pytest.fixture
def open_umask() -> object:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("open_umask")
def test_fresh_start_under_umask_0_is_private(start_server: StartServer) -> None:
    server = start_server()
    body = {"type": "user", "name": "ann"}
    assert server.http.post("/api/profiles", json=body).status_code == 201

    modes = {path: mode(path) for path in (server.home, *server.home.rglob("*"))}

    assert len(modes) >= 5
    assert {path for path, bits in modes.items() if bits & 0o077} == set()
    assert mode(server.home) == 0o700
    assert mode(server.home / "data.db") == 0o600


@pytest.mark.usefixtures("open_umask")
def test_empty_home_that_others_may_read_is_closed(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o755)

    prepare(load_config(home))

    assert mode(home) == 0o700


@pytest.mark.usefixtures("open_umask")
def test_folder_of_other_things_keeps_its_mode(tmp_path: Path) -> None:
    home = tmp_path / "projects"
    home.mkdir(mode=0o755)
    (home / "letter.txt").touch()

    prepare(load_config(home))

    assert mode(home) == 0o755


@pytest.mark.parametrize("name", ["data.db", "data.db-wal", "server.lock", "server-port"])
def test_planted_link_is_refused_and_what_it_points_to_stays(tmp_path: Path, name: str) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    victim = tmp_path / "victim"
    victim.write_text("precious", encoding="utf-8")
    (home / name).symlink_to(victim)

    ended = subprocess.run(
        command("serve", "--port", "0"),
        env=environment(home),
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )

    assert ended.returncode == 4
    assert f"{home / name} is a symbolic link" in ended.stderr
    assert victim.read_text(encoding="utf-8") == "precious"


@pytest.mark.parametrize("name", ["uploads", "backups"])
def test_planted_link_to_a_folder_is_refused(tmp_path: Path, name: str) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / name).symlink_to(tmp_path)

    with pytest.raises(HomeUnsafe, match=name):
        prepare(load_config(home))


def test_home_may_be_a_link_of_its_owner(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "home").symlink_to(tmp_path / "disk")

    prepare(load_config(tmp_path / "home"))

    assert mode(tmp_path / "disk") == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
@pytest.mark.parametrize("owned", ["link", "folder"])
def test_home_of_another_user_is_refused(tmp_path: Path, owned: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    os.chown(tmp_path / owned, 12345, -1, follow_symlinks=False)

    with pytest.raises(HomeUnsafe, match="belongs to another user"):
        prepare(load_config(tmp_path / "link"))


def test_lock_keeps_the_second_off_and_names_the_first(tmp_path: Path) -> None:
    config = load_config(tmp_path)

    with hold(config), pytest.raises(HomeTaken) as refused, hold(config):
        pass

    assert refused.value.pid == os.getpid()
    with hold(config):
        pass
