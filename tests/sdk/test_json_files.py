"""JSON files that people write: what is none counts as empty where nothing depends on it."""

import pytest

from kombuse_sdk.json_files import object_in


@pytest.mark.parametrize("data", [b'{"a": 1}', '{"a": 1}', b'\xef\xbb\xbf{"a": 1}'])
def test_the_object_in_a_file_is_read(data: bytes | str) -> None:
    assert object_in(data) == {"a": 1}


@pytest.mark.parametrize("data", [None, b"", b"{", b"[1]", b"null", b"\xff", b"[" * 100_000])
def test_what_is_no_object_is_an_empty_one(data: bytes | None) -> None:
    assert object_in(data) == {}
