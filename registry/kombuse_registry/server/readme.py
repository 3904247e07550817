"""READMEs as HTML that can do nothing: no scripts, no pictures, no addresses but of the web."""

from functools import lru_cache

__all__ = ["render"]

_TAGS = frozenset(
    {
        "a",
        "blockquote",
        "br",
        "code",
        "del",
        "em",
        "hr",
        "li",
        "ol",
        "p",
        "pre",
        "s",
        "strong",
        "ul",
    }
    | {"table", "tbody", "td", "th", "thead", "tr"}
    | {f"h{level}" for level in range(1, 7)}
)
_KEPT = 64
_LONGEST = 100_000


@lru_cache(maxsize=_KEPT)
def render(markdown: str) -> str:
    """HTML in Markdown is shown as text; what the renderer makes is cleaned once more."""
    import nh3
    from markdown_it import MarkdownIt

    renderer = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    return nh3.clean(
        renderer.render(markdown[:_LONGEST]),
        tags=set(_TAGS),
        attributes={"a": {"href", "title"}, "ol": {"start"}},
        url_schemes={"http", "https", "mailto"},
        link_rel="nofollow noopener noreferrer",
    )
