"""The tree that finds a route."""

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kombuse_kernel.http.routing import RouteTree

LITERALS = st.sampled_from(["a", "b", "by-number", "api", "tickets", ""])
SEGMENTS = st.one_of(LITERALS, st.just("{x}"))
PATHS = st.lists(SEGMENTS, min_size=1, max_size=5).map(lambda parts: "/" + "/".join(parts))
VALUES = st.text(max_size=8)


def fits(route: list[str], segments: list[str]) -> bool:
    return len(route) == len(segments) and all(
        part in ("{x}", segment) for part, segment in zip(route, segments, strict=True)
    )


@given(st.lists(PATHS, min_size=1, max_size=12, unique=True), st.data())
def test_the_most_literal_of_the_fitting_routes_is_found_with_its_values(
    paths: list[str], data: st.DataObject
) -> None:
    tree: RouteTree[list[str]] = RouteTree()
    for path in paths:
        tree.add(path, ["GET"], path.split("/")[1:])
    drawn = st.one_of(LITERALS, VALUES)
    pattern = data.draw(st.sampled_from(paths)).split("/")[1:]
    segments = [data.draw(drawn) if segment == "{x}" else segment for segment in pattern]

    found = tree.find("/" + "/".join(quote(segment, safe="") for segment in segments))

    fitting = [route for route in (p.split("/")[1:] for p in paths) if fits(route, segments)]
    expected = min(fitting, key=lambda route: [segment == "{x}" for segment in route])
    assert found is not None
    assert found.targets["GET"] == expected
    assert found.values == [s for s, r in zip(segments, expected, strict=True) if r == "{x}"]


@given(st.lists(PATHS, max_size=8, unique=True), PATHS)
def test_what_fits_no_route_is_not_found(paths: list[str], other: str) -> None:
    tree: RouteTree[str] = RouteTree()
    for path in paths:
        tree.add(path, ["GET"], path)
    segments = other.replace("{x}", "value").split("/")[1:]

    found = tree.find("/" + "/".join(segments))

    assert (found is not None) == any(fits(path.split("/")[1:], segments) for path in paths)


@given(VALUES)
def test_a_parameter_keeps_any_text_within_its_segment(text: str) -> None:
    tree: RouteTree[str] = RouteTree()
    tree.add("/api/{id}/end", ["GET"], "it")

    found = tree.find(f"/api/{quote(text, safe='')}/end")

    assert found is not None
    assert found.values == [text]


def test_an_escaped_slash_stays_inside_its_segment() -> None:
    tree: RouteTree[str] = RouteTree()
    tree.add("/p/{id}", ["GET"], "one")
    tree.add("/p/{id}/{rest}", ["GET"], "two")

    found = tree.find("/p/a%2Fb")

    assert found is not None
    assert (found.targets, found.values) == ({"GET": "one"}, ["a/b"])


def test_a_literal_segment_beats_a_parameter_whatever_the_order() -> None:
    for paths in (["/t/{id}", "/t/counts"], ["/t/counts", "/t/{id}"]):
        tree: RouteTree[str] = RouteTree()
        for path in paths:
            tree.add(path, ["GET"], path)

        assert tree.find("/t/counts").targets == {"GET": "/t/counts"}  # type: ignore[union-attr]
        assert tree.find("/t/7").targets == {"GET": "/t/{id}"}  # type: ignore[union-attr]


def test_a_literal_that_leads_nowhere_gives_way_to_the_parameter() -> None:
    tree: RouteTree[str] = RouteTree()
    tree.add("/t/counts", ["GET"], "counts")
    tree.add("/t/{id}/comments", ["GET"], "comments")

    found = tree.find("/t/counts/comments")

    assert found is not None
    assert (found.targets, found.values) == ({"GET": "comments"}, ["counts"])


def test_methods_of_one_path_are_kept_apart_and_taken_once() -> None:
    tree: RouteTree[str] = RouteTree()
    tree.add("/t/{id}", ["GET"], "read")
    tree.add("/t/{other}", ["POST"], "write")

    assert tree.find("/t/1").targets == {"GET": "read", "POST": "write"}  # type: ignore[union-attr]
    with pytest.raises(ValueError, match=r"GET /t/\{again\} is taken already"):
        tree.add("/t/{again}", ["GET"], "again")


@pytest.mark.parametrize("path", ["/T/1", "/t/1/", "//t/1", "/t", "/t//1", "t/1", "", "*"])
def test_case_and_slashes_are_not_folded(path: str) -> None:
    tree: RouteTree[str] = RouteTree()
    tree.add("/t/{id}", ["GET"], "it")

    assert tree.find(path) is None


def test_an_escape_that_is_not_utf8_is_an_error() -> None:
    tree: RouteTree[str] = RouteTree()
    tree.add("/t/{id}", ["GET"], "it")

    with pytest.raises(UnicodeDecodeError):
        tree.find("/t/%ff")
