"""What counts as a mention in a text, and what merely looks like one."""

import re
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kombuse_plugins.comments.mentions import MOST, Mentions, parse

NOTHING = Mentions()
MEGABYTE = 1_000_000
words = st.from_regex(r"[a-z0-9]{1,8}", fullmatch=True)
marked = st.text(alphabet="@[]()#`~>\\*-1a._ \n\t:/é", max_size=300)


def profiles(*names: str) -> Mentions:
    return Mentions(names=names)


def targets(*found: str) -> Mentions:
    return Mentions(targets=found)


def tickets(*numbers: int) -> Mentions:
    return Mentions(numbers=numbers)


@pytest.mark.parametrize("text", ["@bob", "@bob.", "@bob,", "(@bob)", "@@bob", "\\@bob", "> @bob"])
def test_a_name_is_mentioned(text: str) -> None:
    assert parse(text) == profiles("bob")


@pytest.mark.parametrize(
    ("text", "name"), [("@bob_", "bob_"), ("@bob-x", "bob-x"), ("@Bob", "Bob"), ("@7", "7")]
)
def test_a_name_is_as_long_as_it_can_be(text: str, name: str) -> None:
    assert parse(text) == profiles(name)


@pytest.mark.parametrize("text", ["hi@bob", "a@bob.com", "7@bob", "_@bob", "@ bob", "@", "@é"])
def test_a_name_needs_its_sign_and_no_word_before_it(text: str) -> None:
    assert parse(text) == NOTHING


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("@[Bob](bob)", targets("bob")),
        ("@[two\nlines](bob)", targets("bob")),
        ("@[x]( bob )", targets(" bob ")),
        ("@[a @[b](c)", targets("c")),
        ("@[](bob)", NOTHING),
        ("@[a[b]](bob)", NOTHING),
        ("@[x]()", NOTHING),
        ("@[x] (bob)", NOTHING),
        ("@[x](bob", NOTHING),
        ("a@[x](bob)", NOTHING),
        ("@[a](b)@[c](d) @[e](b)", targets("b", "d")),
        ("@[x] @[y](bob)", targets("bob")),
    ],
)
def test_a_bracket_mention_has_a_label_and_a_target(text: str, found: Mentions) -> None:
    assert parse(text) == found


@pytest.mark.parametrize(
    "text",
    ["#2", "(#2)", "##2", "-#2", "/#2", "#2-3", "#2.", "#02", "1. #2", "#2 and #2", "日本#2"],
)
def test_a_ticket_is_mentioned(text: str) -> None:
    assert parse(text) == tickets(2)


@pytest.mark.parametrize(
    "text", ["a#2", ".#2", "#2a", "#2_", "# 2", "#0", "#00", "#", "&#39;", f"#{10**15}"]
)
def test_no_ticket_is_mentioned(text: str) -> None:
    assert parse(text) == NOTHING


def test_tickets_are_found_inside_labels_and_kinds_do_not_mix() -> None:
    assert parse("@[#2](bob)") == Mentions(targets=("bob",), numbers=(2,))
    assert parse("@x #3 @[l](y) @z #1") == Mentions(
        targets=("y",), names=("x", "z"), numbers=(3, 1)
    )
    assert parse("@[@inner](bob)") == targets("bob")


@pytest.mark.parametrize(
    "text",
    [
        "`@bob`",
        "``@a`@b``",
        "`two\nlines @bob`",
        "```\n@bob\n```",
        "```py\n@bob\n#2\n````",
        "~~~ a`b\n@bob\n```\n@bob\n~~~",
        "```\n@bob without an end",
        "- ```\n  @bob\n  ```",
        "1. - ```\n     @bob\n     ```",
        "> ```\n> @bob\n> ```",
        "text\n```\n@bob\n```",
        "```@bob```",
    ],
)
def test_nothing_is_mentioned_in_code(text: str) -> None:
    assert parse(text) == NOTHING


@pytest.mark.parametrize(
    "text",
    [
        "`a` @bob `b`",
        "`@bob",
        "``@bob`",
        "\\`@bob\\` `",
        "- it`s @bob\n- don`t",
        "one` @bob\n\nparagraph`",
        "# it`s @bob\n# don`t",
        "```\n@x\n```\n@bob",
        "````\n```\n@x\n````\n@bob",
        "> ```\n> @x\n\n@bob",
        "> ```\n> @x\n> ~~~\n> ```\n@bob",
        "``` x ``` @bob",
        "```\n@x\n```   \n@bob",
        "```\r\n@x\r\n```\r\n@bob",
        "one` @bob\r\n\r\nparagraph`",
    ],
)
def test_code_ends_where_markdown_ends_it(text: str) -> None:
    assert parse(text) == profiles("bob")


@pytest.mark.parametrize(
    "text",
    [
        "http://x/#2",
        "https://x.org/@bob",
        "see (https://x.org/a#2) there",
        "[t](https://x.org/@bob)",
        "<ftp://bob@x/#2>",
        "https://x.org/wiki/A_(b)#2",
        "www.x.org/@bob",
        "git+ssh://git@x/y#3",
    ],
)
def test_nothing_is_mentioned_in_addresses(text: str) -> None:
    assert parse(text) == NOTHING


def test_text_goes_on_after_an_address() -> None:
    assert parse("(http://x/#2) @bob #3") == Mentions(names=("bob",), numbers=(3,))
    assert parse("http://x/#2\n@bob") == profiles("bob")


def test_only_so_many_of_a_kind_count() -> None:
    text = " ".join(f"#{n} @p{n} @[x](t{n})" for n in range(1, MOST + 50))

    found = parse(text)

    assert found.numbers == tuple(range(1, MOST + 1))
    assert found.names[-1] == f"p{MOST}"
    assert found.targets[-1] == f"t{MOST}"


@given(st.text() | marked)
def test_any_text_can_be_parsed(text: str) -> None:
    found = parse(text)

    assert all(re.fullmatch("[A-Za-z0-9_-]+", name) for name in found.names)
    assert all(0 < number < 10**15 for number in found.numbers)
    assert all(target and ")" not in target for target in found.targets)


@given(marked)
def test_what_is_fenced_in_mentions_nothing(text: str) -> None:
    ticks = "`" * (3 + max(map(len, re.findall("`+", text)), default=0))

    assert parse(f"{ticks}\n{text}\n{ticks}") == NOTHING


@given(st.text(alphabet="@[]()#1a._ \\~é", min_size=1, max_size=80))
def test_what_is_in_a_code_span_mentions_nothing(text: str) -> None:
    assert parse(f"so `{text}` it is") == NOTHING


@given(words, st.lists(words, min_size=1, max_size=3), st.sampled_from(["", ".", ", ", "\n"]))
def test_an_e_mail_address_mentions_nothing(name: str, domain: list[str], after: str) -> None:
    assert parse(f"write to {name}@{'.'.join(domain)}{after}") == NOTHING


@given(
    st.sampled_from(["http", "https", "ftp", "vscode"]),
    words,
    st.text(alphabet="@#1ab/?=&.-_~:;,!", max_size=40),
)
def test_an_address_mentions_nothing(scheme: str, host: str, path: str) -> None:
    assert parse(f"see {scheme}://{host}/{path} there") == NOTHING


@given(st.text(alphabet="ab \n", max_size=40), st.text(alphabet="ab \n", max_size=40))
def test_plain_prose_hides_no_mention(before: str, after: str) -> None:
    found = parse(f"{before} @bob {after} #7 @[x](y)")

    assert found == Mentions(targets=("y",), names=("bob",), numbers=(7,))


@pytest.mark.parametrize("unit", ["@[", "[[[[", "@[*", "*", "`", "~", "@", "#", "\\"])
def test_a_megabyte_of_marks_takes_no_time(unit: str) -> None:
    """50 ms, with room for a busy machine."""
    text = "@" + unit * (MEGABYTE // len(unit))

    assert _seconds(lambda: parse(text)) < 0.05 * 4


@pytest.mark.parametrize(
    "unit",
    [
        "` ",
        "@[`",
        "\\`",
        "`\n",
        "- \n",
        "> ```\n",
        "```\n",
        "~~~\n~~~~\n",
        "> ```\n> ~~~\n",
        "- - ",
        "1. ",
        "@[]",
        "@[x](",
        "@[x](y",
        "@[x](y)",
        "@[x]",
        "@a ",
        "#1 ",
        "http://(",
        "a://",
        "www.",
        "&#1",
        " \t>",
    ],
)
def test_the_time_grows_with_the_length_alone(unit: str) -> None:
    """Ten times the text takes about ten times as long; a square would take a hundred."""
    small, large = ("@`~~~://" + unit * (size // len(unit)) for size in (50_000, 500_000))

    quick = _seconds(lambda: parse(small))

    assert _seconds(lambda: parse(large)) < 35 * quick + 0.02


def _seconds(work: Callable[[], object]) -> float:
    times = []
    for _ in range(3):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)
