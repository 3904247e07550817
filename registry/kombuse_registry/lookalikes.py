"""Names that people take for one another, as those do who publish under them (typosquatting)."""

import re
from collections.abc import Iterable

from kombuse_registry.names import split_name

__all__ = ["near_misses"]

_SHORTEST = 5
_ALIKE = str.maketrans("013458", "oleasb")


def near_misses(name: str, known: Iterable[str]) -> list[str]:
    """The known names that are not this one but nearly: a letter more, less, swapped or alike."""
    return [other for other in known if other != name and _is_near(name, other)]


def _is_near(a: str, b: str) -> bool:
    (author, package), (other_author, other_package) = split_name(a), split_name(b)
    return _is_alike(author or "", other_author or "") and _is_alike(package, other_package)


def _is_alike(a: str, b: str) -> bool:
    first, second = _skeleton(a), _skeleton(b)
    return first == second or any(
        min(len(x), len(y)) >= _SHORTEST and _is_one_edit(x, y)
        for x, y in ((a, b), (first, second))
    )


def _skeleton(name: str) -> str:
    """What is left of a name when separators, repetitions and look-alike characters are gone."""
    plain = re.sub(r"[-_.]", "", name.lower()).replace("rn", "m").replace("vv", "w")
    return re.sub(r"(.)\1+", r"\1", plain.translate(_ALIKE))


def _is_one_edit(a: str, b: str) -> bool:
    """Whether one letter was added, left out, replaced, or swapped with its neighbour."""
    start = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), None)
    if start is None:
        return abs(len(a) - len(b)) <= 1
    rest_a, rest_b = a[start:], b[start:]
    return (
        rest_a[1:] == rest_b[1:]
        or rest_a[1:] == rest_b
        or rest_a == rest_b[1:]
        or (rest_a[:2] == rest_b[1::-1] and rest_a[2:] == rest_b[2:])
    )
