"""Seeded text that reads like a tracker's: few frequent words, many rare ones."""

from itertools import accumulate
from random import Random

RARE_WORD = "obsidian"
COMMON_WORD = "server"
VERY_COMMON_WORD = "the"
TWO_WORDS = "login timeout"

# Most frequent first: the n-th word is used in proportion to 1/n.
_FREQUENT = str.split("""
the to a in is and of on when after it not server for with page user this that from data error
request list by be are at should no only does again ticket two has see as file button first until
session database value label name open window click browser message response default search filter
login settings column comment cache missing slow empty project update wrong test version failing
timeout token import crash queue field migration attachment milestone index upload before dialog
sync profile agent report release export memory network header keyboard sidebar scroll avatar theme
tooltip locale pagination cursor webhook archive restore duplicate retry parser editor shortcut
""")
_VERBS = str.split("""
parse render fetch store merge split encode decode flush build load save sort match bind mount
resolve cancel resume verify rename publish collect attach detach convert
""")
_NOUNS = str.split("""
Header Row Query Branch Payload Frame Socket Buffer Schema Route Widget Panel Thread Digest Stream
Policy Badge Marker Anchor Cookie Report Folder Record Signal Target Budget Packet Region Outline
Snippet Draft Layer Gauge Chart Lease Quota Patch Stamp Toggle Banner
""")
_IDENTIFIERS = [verb + noun for noun in _NOUNS for verb in _VERBS]
_VOCABULARY = _FREQUENT + _IDENTIFIERS
_WEIGHTS = list(accumulate(1 / rank for rank in range(1, len(_VOCABULARY) + 1)))

_TITLES = (
    "{verb} the {a} {b} before the {c} is empty",
    "{a} {b} fails after {identifier}",
    "{identifier} returns a wrong {a}",
    "No {a} in the {b} when {c} is missing",
    "Slow {a} with many {b} entries",
    "{verb} {a} and {b} in one request",
    "Crash in {identifier} on an empty {a}",
    "Allow a {a} per {b}",
)


class Writer:
    """Titles and paragraphs, the same for the same seed."""

    def __init__(self, seed: str) -> None:
        self._random = Random(seed)

    def title(self) -> str:
        a, b, c = self._random.sample(_FREQUENT[30:], 3)
        text = self._random.choice(_TITLES).format(
            a=a,
            b=b,
            c=c,
            verb=self._random.choice(_VERBS).capitalize(),
            identifier=self._random.choice(_IDENTIFIERS),
        )
        return _capitalized(text)

    def paragraph(self, fewest: int, most: int) -> str:
        """Between so many and so many sentences."""
        count = self._random.randint(fewest, most)
        return " ".join(self._sentence() for _ in range(count))

    def _sentence(self) -> str:
        length = self._random.randint(8, 16)
        words = self._random.choices(_VOCABULARY, cum_weights=_WEIGHTS, k=length)
        return _capitalized(" ".join(words)) + "."


def _capitalized(text: str) -> str:
    """With an upper-case first letter and the others as they are."""
    return text[0].upper() + text[1:]
