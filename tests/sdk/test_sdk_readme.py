"""The tutorial of the SDK's README works as it stands, and its table of hooks is complete."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from kombuse_sdk.hook_table import hook_table

README = Path(__file__).parents[2] / "plugin_sdk" / "README.md"
BLOCK = re.compile(r"`(word-count/[^`]+)`.*?```\w+\n(.*?)```", re.S)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that somebody has who typed in all that the tutorial shows."""
    parent = tmp_path_factory.mktemp("tutorial")
    text = README.read_text(encoding="utf-8").partition("## Ten minutes")[2].partition("\n## ")[0]
    for path, content in BLOCK.findall(text):
        target = parent / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content, encoding="utf-8")
    return parent / "word-count"


def run(folder: Path, *arguments: str) -> str:
    ended = subprocess.run(
        [sys.executable, "-m", *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def test_the_tutorial_shows_six_files(written: Path) -> None:
    made = ("__pycache__", ".gz", ".pytest_cache")
    files = [str(path) for path in written.rglob("*") if path.is_file()]
    assert len([path for path in files if not any(part in path for part in made)]) == 6


def test_the_tests_of_the_tutorial_pass(written: Path) -> None:
    assert "2 passed" in run(written, "pytest", "-q", "-p", "no:cacheprovider")


def test_the_commands_of_the_tutorial_work(written: Path) -> None:
    run(written, "kombuse_kernel.cli", "plugin", "check", ".")
    run(written, "kombuse_kernel.cli", "plugin", "build", ".")

    assert (written / "word-count-1.0.0.tar.gz").is_file()


def test_the_table_of_hooks_is_the_one_of_the_specifications() -> None:
    text = README.read_text(encoding="utf-8")

    assert text.count(hook_table()) == 1
