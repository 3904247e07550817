"""What is kept of a payload: always JSON, never too much."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from kombuse_plugins.sessions.payloads import MAX_CHARACTERS, entry, image_lines
from kombuse_sdk.agents import Image

ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def kept(**payload: Any) -> dict[str, Any]:
    made = entry("message", payload, backend="mock")
    assert made is not None
    assert json.loads(made.text) == made.payload
    return made.payload


@given(ANY)
def test_anything_becomes_strict_json(value: Any) -> None:
    made = entry("raw", {"sourceType": "x", "data": value}, backend=None)

    assert made is not None
    json.loads(made.text.encode("utf-8"), parse_constant=lambda name: 1 / 0)


def test_a_long_content_is_cut_and_says_so() -> None:
    payload = kept(role="assistant", content="x" * 200_000)

    assert payload["content"] == "x" * 81_920 + "...[truncated]"
    assert payload["_truncated"] is True
    assert payload["_originalSize"] > 200_000


def test_every_field_is_capped_not_only_the_content() -> None:
    made = entry(
        "tool_use",
        {"id": "t", "name": "Write", "input": {"a": "y" * 300_000, "b": ["z" * 1000] * 5000}},
        backend="mock",
    )

    assert made is not None
    assert len(made.text) <= MAX_CHARACTERS
    assert made.payload["name"] == "Write"
    assert made.payload["input"]["a"].endswith("...[truncated]")


def test_deep_nesting_is_cut_off() -> None:
    value: Any = "deep"
    for _ in range(5000):
        value = {"x": value}

    assert "[MaxDepthExceeded]" in json.dumps(kept(value=value))


def test_half_a_character_and_nan_are_replaced() -> None:
    payload = kept(content="a\ud800b", score=float("nan"))

    assert payload["content"] == "a?b"
    assert payload["score"] == "nan"


def test_common_fields_cannot_be_overwritten_by_the_payload() -> None:
    assert kept(type="error", eventId="mine", backend="other")["type"] == "message"


def test_the_raw_copy_of_a_normal_event_is_not_kept() -> None:
    raw = {"sourceType": "cli_pre_normalization", "data": {}}

    assert entry("raw", raw, backend="mock") is None


def test_images_are_named_with_their_sizes() -> None:
    images = [
        Image(data="A" * 400, media_type="image/png"),
        Image(data="A" * 4096, media_type="image/jpeg"),
        Image(data="A" * (4 << 20), media_type="image/webp"),
    ]

    assert image_lines(images) == (
        "\n[image: image/png, 300 B]\n[image: image/jpeg, 3.0 KB]\n[image: image/webp, 3.0 MB]"
    )
