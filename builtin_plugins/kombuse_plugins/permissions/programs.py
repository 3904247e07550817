"""What is known of programs: options that do more than their prefix says, and what to remember.

A prefix such as `git log` stands for reading. The options named here write files, run other
programs or delete, so that a command with one of them is no longer what the prefix says.
"""

import re
from collections.abc import Callable, Sequence

from kombuse_plugins.permissions import shell
from kombuse_plugins.permissions.shell import Command

__all__ = ["is_harmless_move", "is_within", "narrowest_prefix"]

_Words = Sequence[str]


def _set(names: str) -> frozenset[str]:
    return frozenset(names.split())


# They run what their arguments say, or have a language of their own that does.
_WRAPPERS = _set(
    ". ash awk bash builtin busybox chroot command csh dash doas emacs enable env eval exec expect"
    " fish flock gawk gdb ionice ksh less ltrace man mawk more nano nawk nice nohup nsenter"
    " osascript parallel pkexec powershell pwsh script sed setsid sh source ssh stdbuf strace su"
    " sudo systemd-run tar tcsh time timeout toybox trap unshare vi vim watch xargs zsh"
)
_READERS = _set(
    "basename cat cmp column comm cut date df diff dirname du echo fd file find grep head jq ls nl"
    " paste printf ps pwd readlink realpath rg sort stat strings tail tr tree type uname uniq wc"
    " which"
)
_CHANGERS = _set(
    "chgrp chmod chown cp crontab curl dd halt install kill killall ln mkfs mount mv nc ncat pkill"
    " poweroff reboot rm rmdir rsync scp sftp shred shutdown systemctl tee telnet touch truncate"
    " umount unlink wget"
)
_INTERPRETERS = _set(
    "bunx deno java lua node npx perl php pipx pnpx python python3 ruby ts-node tsx uvx"
)
_WITH_SUBCOMMANDS = _set(
    "aws brew bun bundle cargo docker gcloud gh git go helm hatch kubectl nix npm pdm pip pnpm"
    " podman poetry terraform uv yarn"
)
_CONTAINERS = frozenset({"docker", "kubectl", "podman"})
_RUN = frozenset({"dlx", "exec", "run", "x"})
_SAYABLE = re.compile(r"[\w./:@+,-]+", re.ASCII)
_SUBCOMMAND = re.compile(r"[a-z][a-z0-9:_-]*")

_GIT_OPTIONS = (
    *("--config", "--config-env", "--exec", "--exec-path", "--ext-diff", "--extcmd", "--help"),
    *("--open-files-in-pager", "--output", "--receive-pack", "--template", "--textconv", "--tool"),
    *("--upload-pack", "--output-directory"),
)
_GIT_GLOBAL = frozenset({"--no-optional-locks", "--no-pager", "--version", "-P"})
# Of these a prefix that names no subcommand says nothing.
_GIT_RUNNERS = _set(
    "bisect citool config credential daemon difftool fast-import filter-branch gui hook instaweb"
    " maintenance mergetool p4 rebase remote-ext send-email send-pack submodule svn"
    " upload-pack"
)
_GIT_SHORT = {"clone": "cu", "grep": "O", "archive": "o", "format-patch": "o", "ls-remote": "u"}
_GIT_LISTING = _set(
    "--abbrev --all --color --column --contains --format --ignore-case --list --merged --no-abbrev"
    " --no-color --no-column --no-contains --no-merged --omit-empty --points-at --quiet --remotes"
    " --show-current --sort --verbose"
)


def is_harmless_move(command: Command) -> bool:
    """`cd <path>`: it changes where the following commands look, and nothing else."""
    return (
        len(command) == 2
        and command[0].text == "cd"
        and command[1].pattern_at is None
        and not command[1].text.startswith("-")
    )


def is_within(command: Command, prefix: Sequence[str]) -> bool:
    """Whether a command begins with the words of a prefix, and does what the prefix says."""
    words = [word.text for word in command]
    if not prefix or words[: len(prefix)] != list(prefix):
        return False
    if any(word.pattern_at is not None for word in command[: len(prefix)]):
        return False
    if words[0] in _WRAPPERS:
        return len(words) == len(prefix)
    check = _CHECKS.get(words[0])
    return check is None or (not _may_become_option(command) and check(words, len(prefix)))


def narrowest_prefix(command_line: str) -> str:
    """The prefix to approve from now on after a command was approved, `git status` for example.

    Raises ValueError, with the reason for the person, where a prefix would approve too much.
    """
    commands = shell.parse(command_line)
    if commands is None:
        raise ValueError("the command is more than a plain command")
    rest = [command for command in commands if not is_harmless_move(command)]
    if len(rest) != 1:
        raise ValueError("the command is made of several commands")
    words = [word.text for word in rest[0]]
    prefix = words[: _length(words)]
    if any(word.pattern_at is not None for word in rest[0][: len(prefix)]):
        raise ValueError("it is not plain what the command is")
    if not all(map(_SAYABLE.fullmatch, prefix)):
        raise ValueError("the command has unusual characters")
    if not is_within(rest[0], prefix):
        raise ValueError(f"{words[0]} is used in a way that is to be looked at each time")
    return " ".join(prefix)


def _length(words: _Words) -> int:
    name, second, third = (*words, "", "")[:3]
    if name in _WRAPPERS:
        raise ValueError(f"{name} runs other commands")
    if name in _CHANGERS:
        raise ValueError(f"what {name} does depends on its arguments")
    if name in _READERS:
        return 1
    if name in _INTERPRETERS:
        return _length_of_program(name, second, third)
    if name == "git" and second in _GIT_RUNNERS:
        raise ValueError(f"git {second} may run other programs")
    if second in _RUN:
        is_open = name in _CONTAINERS or third in _WRAPPERS | _INTERPRETERS
        if is_open or not third or third.startswith("-"):
            raise ValueError(f"{name} {second} may run anything")
        return 3
    if name in _WITH_SUBCOMMANDS and not _SUBCOMMAND.fullmatch(second):
        raise ValueError(f"{name} without a subcommand in front may do anything")
    return 2 if second and not second.startswith("-") else 1


def _length_of_program(name: str, second: str, third: str) -> int:
    if second == "-m" and third:
        return 3
    if not second or second.startswith("-"):
        raise ValueError(f"{name} {second}".rstrip() + " may do anything")
    return 2


def _may_become_option(command: Command) -> bool:
    """A pattern may stand for the name of a file that is made to look like an option."""
    return any(
        word.pattern_at is not None and (word.pattern_at == 0 or word.text.startswith("-"))
        for word in command[1:]
    )


def _git(words: _Words, prefix_length: int) -> bool:
    options, rest = _split(words[1:])
    if not _GIT_GLOBAL.issuperset(options):
        return False
    if not rest:
        return True
    name, arguments = rest[0], rest[1:]
    if not _SUBCOMMAND.fullmatch(name):
        return False
    if name in _GIT_RUNNERS and prefix_length == 1:
        return False
    if name == "branch" and not all(map(_lists_branches, arguments)):
        return False
    risky = _GIT_SHORT.get(name, "")
    return not any(
        _abbreviates(word, _GIT_OPTIONS)
        or word.startswith(("-O", "ext::"))
        or _has_short(word, risky)
        for word in arguments
    )


def _lists_branches(word: str) -> bool:
    """All but what deletes, renames, copies, overwrites or configures branches."""
    if word.startswith("--"):
        return word.split("=")[0] in _GIT_LISTING
    return not word.startswith("-") or set(word[1:]) <= set("arvqli")


def _find(words: _Words, _: int) -> bool:
    risky = ("-delete", "-exec", "-fls", "-fprint", "-ok")
    return not any(word.startswith(risky) for word in words)


def _without(long: Sequence[str] = (), short: str = "") -> Callable[[_Words, int], bool]:
    def check(words: _Words, _: int) -> bool:
        return not any(_abbreviates(w, long) or _has_short(w, short) for w in words[1:])

    return check


def _uniq(words: _Words, _: int) -> bool:
    """A second file is written."""
    return sum(not word.startswith("-") for word in words[1:]) < 2


_CHECKS: dict[str, Callable[[_Words, int], bool]] = {
    "date": _without(("--set",), "s"),
    "fd": _without(("--exec", "--exec-batch"), "xX"),
    "file": _without(("--compile",), "C"),
    "find": _find,
    "git": _git,
    "rg": _without(("--hostname-bin", "--pre")),
    "sort": _without(("--compress-program", "--output"), "o"),
    "tree": _without(("--output",), "oR"),
    "uniq": _uniq,
}


def _split(words: _Words) -> tuple[_Words, _Words]:
    """Options up to the first word that is none, and the rest."""
    for at, word in enumerate(words):
        if not word.startswith("-"):
            return words[:at], words[at:]
    return words, []


def _abbreviates(word: str, options: Sequence[str]) -> bool:
    """Whether it is one of the long options, or cut short as many programs allow."""
    name = word.split("=")[0]
    return len(name) > 2 and name.startswith("--") and any(o.startswith(name) for o in options)


def _has_short(word: str, letters: str) -> bool:
    """Whether one of the letters may be an option in a run of short ones."""
    return word.startswith("-") and word[1:2] not in ("", "-") and not set(letters).isdisjoint(word)
