"""A text by which versions sort as semantic versioning orders them, for indexes of the database."""

from kombuse_registry.versions import Version

__all__ = ["sort_key"]


def sort_key(version: Version) -> str:
    """Numbers in fixed width; of a pre-release each part with its kind, ended by a blank.

    A blank comes before every character of an identifier, so that `rc` is before `rc-1`.
    """
    major, minor, patch, is_release, identifiers = version.precedence
    numbers = f"{major:016d}{minor:016d}{patch:016d}"
    if is_release:
        return f"{numbers}~"
    return numbers + "-" + "".join(_part(*identifier) for identifier in identifiers)


def _part(is_word: bool, number: int, word: str) -> str:
    if is_word:
        return f"2{word} "
    digits = str(number)
    return f"1{len(digits):03d}{digits} "
