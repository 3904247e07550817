"""Output helpers for commands."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from kombuse_sdk.console import (
    CommandError,
    ExitCode,
    one_line,
    print_fields,
    print_json,
    print_table,
    print_text,
    read_text,
    report,
    warn,
)


def test_table_for_a_file_is_never_broken(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("A", "B"), [("x", "long " * 100), (None, 1)], empty="none")

    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert lines[1].rstrip() == f"x  {'long ' * 100}".rstrip()
    assert lines[2].split() == ["1"]


def test_table_without_rows_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("A",), [], empty="nothing there")

    assert capsys.readouterr().out == "nothing there\n"


def test_cells_are_no_markup_and_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("A",), [("[b]x[/b]\ny\x1b[0m",)], empty="")

    assert capsys.readouterr().out.splitlines()[1].rstrip() == "[b]x[/b] y [0m"


def test_fields_without_a_value_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    print_fields({"a": 0, "long": "x\ny", "none": None, "empty": ""})

    assert capsys.readouterr().out == "a     0\nlong  x y\n"


def test_json_keeps_letters(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": ["ü"]})

    assert capsys.readouterr().out == '{\n  "a": [\n    "ü"\n  ]\n}\n'


def test_text_keeps_line_breaks_and_loses_control_characters(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_text("a\n\tb\x1b]0;title\x07")

    assert capsys.readouterr().out == "a\n\tb]0;title\n"
    assert one_line(" a\r\nb ") == "a  b"


def test_messages_go_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    report("bad")
    warn("odd")

    assert capsys.readouterr() == ("", "error: bad\nwarning: odd\n")


@pytest.mark.parametrize(("no_color", "expected"), [("", b"\x1b[31m"), ("1", b"error: bad\r\n")])
def test_colours_appear_on_a_terminal_unless_unwanted(no_color: str, expected: bytes) -> None:
    ours, theirs = pty.openpty()
    try:
        subprocess.run(
            [sys.executable, "-c", "from kombuse_sdk.console import report; report('bad')"],
            env={**os.environ, "NO_COLOR": no_color},
            stderr=theirs,
            check=True,
            timeout=20,
        )
        assert expected in os.read(ours, 1000)
    finally:
        os.close(ours)
        os.close(theirs)


def test_text_is_what_was_given_or_what_the_file_holds(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("from file", encoding="utf-8")

    assert read_text("given") == "given"
    assert read_text(None, str(tmp_path / "file")) == "from file"
    assert read_text(None) is None


def test_file_that_is_not_text_is_wrong_usage(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"\xff")

    with pytest.raises(CommandError) as refused:
        read_text(None, str(tmp_path / "file"))

    assert refused.value.exit_code == ExitCode.USAGE
