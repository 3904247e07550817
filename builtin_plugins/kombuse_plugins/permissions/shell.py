"""Command lines as a shell takes them apart: the simple commands that would run, or None.

A reader of the part of the language that can be understood without running anything: words,
quotes, escapes, patterns, `&&`, `||`, `;`, `|`, line ends, whole-line comments, and redirections
that touch no file. Everything else (expansions, substitutions, files, background, groups, compound
commands, assignments, here-documents, braces, unusual characters) is not understood, nor is what
bash, dash and zsh read differently. It takes one pass and never raises. No library is used: a
parser of the whole language has more to get wrong, and every refusal here only means that a person
is asked.
"""

import re
import unicodedata
from dataclasses import dataclass

__all__ = ["Command", "Word", "parse"]

MAX_LENGTH = 10_000
_BLANKS = " \t"
_ENDS = " \t\n;|&"
_REFUSED = "$`(){}<>"
_PATTERN = "*?["
_WORD_END = r"(?=[ \t\n;|&]|\Z)"
_HARMLESS_REDIRECTION = re.compile(rf"(?:[12]?>&[12]|(?:[12]?>>?|0?<)[ \t]*/dev/null){_WORD_END}")
# Where comments are off (an interactive zsh) this is a command `#` that does not exist.
_COMMENT = re.compile(r"#[\w ,.:/-]*(?=\n|\Z)", re.ASCII)
_OPERATOR = re.compile(r"&&|\|\||\|(?!&)|;(?![;&|])|\n")
_LITERAL_DOLLAR = re.compile(r"\$(?=[\" |])")
_RESERVED = frozenset(
    (
        *("!", "case", "coproc", "do", "done", "elif", "else", "end", "esac", "fi", "for"),
        *("foreach", "function", "if", "in", "nocorrect", "noglob", "repeat", "select", "then"),
        *("time", "until", "while"),
    )
)


@dataclass(frozen=True, slots=True)
class Word:
    """A word without its quotes.

    `pattern_at` is where its first unquoted pattern character is, `is_plain` that nothing in it was
    quoted.
    """

    text: str
    is_plain: bool = True
    pattern_at: int | None = None


Command = tuple[Word, ...]


def parse(text: str) -> list[Command] | None:
    """The simple commands of a command line in order; None for what is not fully understood."""
    if len(text) > MAX_LENGTH or not all(map(_is_usual, text)):
        return None
    try:
        return _Parser(text).commands()
    except _NotUnderstood:
        return None


class _NotUnderstood(Exception):
    pass


def _is_usual(character: str) -> bool:
    """No control characters, no spaces but those of ASCII, nothing that is not seen."""
    if character.isascii():
        return character.isprintable() or character in "\n\t"
    return unicodedata.category(character)[0] not in "CZ"


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def commands(self) -> list[Command]:
        found: list[Command] = []
        is_expected = False
        while True:
            self._skip_lines()
            if self._is_end():
                break
            found.append(self._command())
            is_expected = False
            if self._is_end():
                break
            is_expected = self._take(_OPERATOR) not in ("\n", ";")
        if is_expected:
            raise _NotUnderstood
        return found

    def _command(self) -> Command:
        words: list[Word] = []
        while True:
            self._skip_blanks()
            here = self._here()
            if here == "" or here in "\n;|" or self._text.startswith("&&", self._at):
                break
            redirection = _HARMLESS_REDIRECTION.match(self._text, self._at)
            if redirection:
                self._at = redirection.end()
            elif here in "#&":
                raise _NotUnderstood
            else:
                words.append(self._word())
        if not words or not _is_name(words[0]):
            raise _NotUnderstood
        return tuple(words)

    def _word(self) -> Word:
        parts: list[str] = []
        is_plain = True
        pattern_at: int | None = None
        while (here := self._here()) and here not in _ENDS:
            if here in _REFUSED:
                raise _NotUnderstood
            if self._text.startswith("\\\n", self._at):
                self._at += 2
                continue
            if here in "'\"\\":
                is_plain = False
                parts.append(self._quoted(here))
                continue
            # In an extended pattern of zsh a leading ^ means all other names.
            if pattern_at is None and (here in _PATTERN or (here == "^" and not any(parts))):
                pattern_at = sum(map(len, parts))
            parts.append(here)
            self._at += 1
        return Word("".join(parts), is_plain, pattern_at)

    def _quoted(self, quote: str) -> str:
        self._at += 1
        if quote == "'":
            return self._until_single_quote()
        if quote == '"':
            return self._until_double_quote()
        escaped = self._here()
        if not escaped:
            raise _NotUnderstood
        self._at += 1
        return escaped

    def _until_single_quote(self) -> str:
        end = self._text.find("'", self._at)
        if end < 0:
            raise _NotUnderstood
        inside = self._text[self._at : end]
        self._at = end + 1
        return inside

    def _until_double_quote(self) -> str:
        parts: list[str] = []
        while (here := self._here()) != '"':
            following = self._text[self._at + 1 : self._at + 2]
            if here in ("", "`"):
                raise _NotUnderstood
            if here == "$" and not _LITERAL_DOLLAR.match(self._text, self._at):
                raise _NotUnderstood
            if here == "\\" and following and following in '$`"\\\n':
                parts.append("" if following == "\n" else following)
                self._at += 2
                continue
            parts.append(here)
            self._at += 1
        self._at += 1
        return "".join(parts)

    def _skip_lines(self) -> None:
        while not self._is_end():
            self._skip_blanks()
            if self._here() == "#":
                self._take(_COMMENT)
            elif self._here() == "\n":
                self._at += 1
            else:
                return

    def _skip_blanks(self) -> None:
        while True:
            if self._text.startswith("\\\n", self._at):
                self._at += 2
            elif (here := self._here()) and here in _BLANKS:
                self._at += 1
            else:
                return

    def _take(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._text, self._at)
        if found is None:
            raise _NotUnderstood
        self._at = found.end()
        return found[0]

    def _here(self) -> str:
        return self._text[self._at : self._at + 1]

    def _is_end(self) -> bool:
        return self._at >= len(self._text)


def _is_name(word: Word) -> bool:
    """Whether the first word names a command, and nothing else that may stand there."""
    text = word.text
    if not text or word.pattern_at is not None or "=" in text or text[0] in "~%-":
        return False
    return not (word.is_plain and text in _RESERVED)
