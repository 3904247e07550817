"""T20: a rule approves what it says, and nothing that a shell would make of the rest."""

import shlex
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from kombuse_plugins.permissions import shell
from kombuse_plugins.permissions.rules import Rules, approves_command

KOMBUSE = (
    *("git status", "git diff", "git log", "git show", "git branch", "git rev-parse"),
    *("ls", "cat", "find", "grep", "head", "tail", "wc"),
)
GIT = ("git",)

ALLOWED = [
    "git status",
    "git  status\t-s",
    "  git status  ",
    "git status;",
    "git status\n",
    "git status && git log -1",
    "git status || git log -1",
    "git status; git log -1",
    "git status\ngit log -1",
    "git status &&\n  git log -1",
    "git log | head -5",
    "git log |\n  head",
    "git log --oneline | grep fix | wc -l",
    "cd src && git status",
    "cd src; git status",
    'cd "my folder" && git status',
    "cd 'my folder' && cd sub && ls",
    "cd src",
    "cd ~/project && ls -la",
    "git log \\\n  --oneline",
    "g'i't status",
    '"git" "status"',
    "git status 2>&1",
    "git status >/dev/null",
    "git status > /dev/null 2>&1",
    "git log 2>/dev/null | head",
    "cat < /dev/null",
    "git status 1>&2",
    "grep -rn 'a; rm -rf /' src",
    "grep -rn '$(rm x)' src",
    "grep -rn '`rm x`' .",
    'grep -rn "a && b" .',
    'grep -E "foo$" file',
    "grep 'a > b' file",
    'grep "it\'s" file',
    'grep "a \\"quoted\\" \\$x" file',
    "grep \\$HOME file",
    "grep -- -x file",
    "grep naïve file",
    "grep 日本語 file",
    "ls *.py",
    "ls src/*.[ch]",
    "cat *",
    "cat a b c",
    "head -n 5 file",
    "tail -f log",
    "wc -l *.py",
    "find . -name '*.py' -type f",
    "find . -name \\*.py",
    "find src -maxdepth 2",
    "find . \\( -name a -o -name b \\) -print",
    "git diff HEAD~1 HEAD",
    "git diff --cached --stat",
    "git diff -- --file",
    "git log --format='%h %s' -n 3",
    "git log --grep='a;b'",
    "git show HEAD:src/file.py",
    "git show HEAD^",
    "git branch",
    "git branch -a",
    "git branch -vv",
    "git branch --list 'feature/*'",
    "git branch --show-current",
    "git branch new-feature",
    "git rev-parse --abbrev-ref HEAD",
    "# what is there\ngit status",
    "git status\n# and then\ngit log",
    "cat a#b",
    "cat file=x",
    "ls ~",
    "ls -- -rf",
    "cat ''",
]

ASKED = [
    "",
    " ",
    "\n",
    "# only a comment",
    "rm -rf x",
    "gitstatus",
    "git",
    "git statusx",
    "git stat",
    "git push",
    "git -C /tmp status",
    "git --no-pager status",
    "Git status",
    "/usr/bin/git status",
    "./git status",
    "ls; rm x",
    "ls;rm x",
    "ls && rm x",
    "ls&&rm x",
    "ls || rm x",
    "ls | sh",
    "ls | xargs rm",
    "ls |& cat",
    "ls\nrm x",
    "ls\r\nrm x",
    "ls\rrm x",
    "ls & rm x",
    "ls &",
    "ls&",
    "ls &>/dev/null",
    "ls & >/dev/null",
    "ls &! rm",
    "ls &| rm",
    "ls;;",
    "; ls",
    "ls ; ; ls",
    "&& ls",
    "ls &&",
    "ls |",
    "ls || | cat",
    "ls \\",
    "cd x && git status; rm -rf y",
    "cd x & git status",
    "cd -P x && ls",
    "cd x y && ls",
    "cd $(rm x) && ls",
    "cd `rm x`",
    "cd $HOME && ls",
    "cat $(rm x)",
    "cat `rm x`",
    'cat "$(rm x)"',
    'cat "`rm x`"',
    "cat $HOME/x",
    'cat "$HOME/x"',
    "cat ${x}",
    "cat ${x:=$(rm y)}",
    "cat $((1+1))",
    "cat $[1+1]",
    "cat $'a\\nb'",
    'cat $"x"',
    "cat <(rm x)",
    "cat >(rm x)",
    "cat =(rm x)",
    "cat < file",
    "cat << EOF\nx\nEOF",
    "cat <<< x",
    "cat <> file",
    "cat file > out",
    "cat file>out",
    "cat file >> out",
    "cat file >| out",
    "cat file 2> err",
    "cat file >&out",
    "cat file >&2x",
    "cat file > /dev/nullx",
    "cat file > /dev/null/../tcp",
    "cat file > /dev/tcp/host/1",
    "cat file &> out",
    "cat file 12>/dev/null",
    "cat file {fd}>out",
    "(ls; rm x)",
    "(ls)",
    "{ ls; }",
    "! ls",
    "if ls; then rm x; fi",
    "for x in a; do ls; done",
    "while ls; do rm x; done",
    "case x in x) ls;; esac",
    "function ls { rm x; }",
    "ls() { rm x; }; ls",
    "time ls",
    "coproc ls",
    "[[ -f x ]]",
    "[ -f x ]",
    "FOO=1 git status",
    "FOO= git status",
    "PATH=/tmp git status",
    "GIT_PAGER='rm x' git log",
    "FOO+=1 ls",
    "a[0]=1 ls",
    "FOO=1",
    "env git status",
    "env FOO=1 git status",
    "sudo git status",
    "nice ls",
    "nohup ls",
    "timeout 5 ls",
    "xargs ls",
    "eval ls",
    "eval 'ls; rm x'",
    "exec ls",
    "command ls",
    "builtin cd x",
    "bash -c 'ls'",
    "sh -c ls",
    "bash -lc 'git status'",
    "ssh host ls",
    "watch ls",
    "alias ls='rm x'",
    ". ./x",
    "source x",
    "trap 'rm x' EXIT",
    "find . -exec rm {} \\;",
    "find . -exec rm {} +",
    "find . -execdir rm x \\;",
    "find . -ok rm x \\;",
    "find . -okdir rm x \\;",
    "find . -delete",
    "find . '-delete'",
    "find . \\-delete",
    "find . -fprint out",
    "find . -fprintf out x",
    "find . -fprint0 out",
    "find . -fls out",
    "find . {-delete,}",
    "find *",
    "find . -dele*",
    "find . [-]delete",
    "find . -name x -o -exec rm x \\;",
    "git -c core.pager='rm x' log",
    "git -ccore.pager=x log",
    "git --config-env=core.pager=X log",
    "git --exec-path=/tmp log",
    "git diff --output=x",
    "git diff --output x",
    "git diff --outp=x",
    "git diff --ext-diff",
    "git diff --ext",
    "git diff --textconv",
    "git diff *",
    "git diff -O/tmp/order",
    "git diff --out*",
    "git log --output=x",
    "git show --ext-diff",
    "git show --help",
    "git branch -D main",
    "git branch -d main",
    "git branch --delete main",
    "git branch --del main",
    "git branch -vD main",
    "git branch -m a b",
    "git branch -M a b",
    "git branch -c a b",
    "git branch -f main HEAD~5",
    "git branch --force main",
    "git branch -u origin/main",
    "git branch --edit-description",
    "git branch --set-upstream-to=x",
    "cat 'unfinished",
    'cat "unfinished',
    "ls\u00a0-la",
    "ls\u2003rm",
    "ls\u200b;rm",
    "ls \u202egnp",
    "ls\u2028rm x",
    "ls\x0brm",
    "ls\x0crm",
    "ls\x00rm",
    "ls\x1b[2K",
    "ls \ud800",
    "git status # rm -rf",
    "# $(rm x)\ngit status",
    "# 'x\ngit status",
    "i\\\nf ls",
    "ls $",
    "ls a{b,c}",
    "ls !(x)",
    "ls @(x)",
    "noglob ls",
    "- ls",
    "*",
    "?it status",
    "l[s]",
    "~/ls",
    "%1",
    "ls " + "x" * 10_000,
]

BROAD = [
    (GIT, "git status", True),
    (GIT, "git push origin main", True),
    (GIT, "git --no-pager log", True),
    (GIT, "git commit -m 'a; b'", True),
    (GIT, "git -c core.pager='sh -c x' log", False),
    (GIT, "git -c alias.x='!rm y' x", False),
    (GIT, "git -C /tmp status", False),
    (GIT, "git --git-dir=/tmp/x status", False),
    (GIT, "git --exec-path=/tmp status", False),
    (GIT, "git --config-env=a=b status", False),
    (GIT, "git -p log", False),
    (GIT, "git config core.pager x", False),
    (GIT, "git rebase -x 'rm y' main", False),
    (GIT, "git bisect run rm x", False),
    (GIT, "git submodule foreach rm x", False),
    (GIT, "git difftool -x rm", False),
    (GIT, "git grep -O less x", False),
    (GIT, "git grep -nO x", False),
    (GIT, "git grep --open-files-in-pager=rm x", False),
    (GIT, "git clone ext::rm x", False),
    (GIT, "git clone -c core.sshCommand=rm x", False),
    (GIT, "git clone -u rm x", False),
    (GIT, "git fetch --upload-pack=rm x", False),
    (GIT, "git fetch --upl=rm x", False),
    (GIT, "git ls-remote --upload-pack rm x", False),
    (GIT, "git push --receive-pack=rm x", False),
    (GIT, "git push --exec=rm x", False),
    (GIT, "git archive --exec=rm x", False),
    (GIT, "git init --template=/tmp/x", False),
    (GIT, "git st*", False),
    (("git config",), "git config user.name", True),
    (("git commit",), "git commit -m x", True),
    (("npm",), "npm test", True),
    (("npm",), "npm test && rm x", False),
    (("npm",), "npmx test", False),
    (("bun run test",), "bun run test --watch", True),
    (("bun run test",), "bun run tests", False),
    (("npm test",), "npm  test", True),
    (("sudo",), "sudo rm x", False),
    (("env",), "env rm x", False),
    (("bash",), "bash -c 'rm x'", False),
    (("bash -c",), "bash -c 'rm x'", False),
    (("xargs",), "xargs rm", False),
    (("time",), "time rm x", False),
    (("bash run.sh",), "bash run.sh", True),
    (("bash run.sh",), "bash run.sh x", False),
    (("rg",), "rg --pre 'rm x' y", False),
    (("rg",), "rg pattern", True),
    (("sort",), "sort -o out x", False),
    (("sort",), "sort --outp=out x", False),
    (("sort",), "sort -n x", True),
    (("fd",), "fd -Hx rm", False),
    (("uniq",), "uniq a b", False),
    (("",), "ls", False),
    (("*",), "ls", False),
    ((), "ls", False),
    ((), "cd x", False),
    (("ls -la",), "ls -la x", True),
    (("ls -la",), "ls -al x", False),
    (("ls",), "ls -la", True),
    (("git st*",), "git st*", False),
]


@pytest.mark.parametrize("command", ALLOWED)
def test_what_the_preset_says_needs_no_question(command: str) -> None:
    assert approves_command(command, KOMBUSE)


@pytest.mark.parametrize("command", ASKED)
def test_anything_else_is_asked(command: str) -> None:
    assert not approves_command(command, KOMBUSE)


@pytest.mark.parametrize(("prefixes", "command", "is_approved"), BROAD)
def test_a_broad_rule_does_not_cover_what_runs_other_programs(
    prefixes: tuple[str, ...], command: str, is_approved: bool
) -> None:
    assert approves_command(command, prefixes) is is_approved


@pytest.mark.parametrize(
    "extra", [{"run_in_background": True}, {"dangerouslyDisableSandbox": True}, {"command": ["ls"]}]
)
def test_a_plain_command_is_asked_when_it_is_run_in_an_unusual_way(
    extra: dict[str, object],
) -> None:
    rules = Rules(commands=frozenset(KOMBUSE))

    assert rules.approve("Bash", {"command": "ls"})
    assert not rules.approve("Bash", {"command": "ls"} | extra)
    assert not rules.approve("Shell", {"command": "ls"})


WORDS = st.sampled_from(
    [
        *("git", "status", "log", "diff", "branch", "ls", "cat", "find", "grep", "cd", "src"),
        *("-D", "-c", "-n", "--output=x", "-exec", "-delete", "HEAD~1", "x=1", "é", "~", "*"),
        *("'a b'", '"c d"', "'$(x)'", "''", "\\;", "\\\n", "\u00a0", "#", "rm", "sudo", "bash"),
        *("2>&1", ">/dev/null", ";", "&&", "||", "|", "&", "\n", " ", "<", ">"),
        *("$(", ")", "`", "{", "}", "'", '"', "$"),
    ]
)
TEXT = st.one_of(
    st.lists(WORDS, max_size=8).map(" ".join),
    st.lists(WORDS, max_size=8).map("".join),
    st.text(alphabet="gitlsca \t\n;&|<>$`'\"\\(){}*?[]#~!=-/0129é\u00a0", max_size=30),
)
SIMPLE = st.lists(
    st.sampled_from(
        ["git", "status", "ls", "rm", "-D", "'a b'", '"$x"', "$(x)", "x=1", ">f", "find", "-delete"]
    ),
    min_size=1,
    max_size=4,
).map(" ".join)
SEPARATORS = st.sampled_from(
    [" ; ", " && ", " || ", " | ", "\n", ";", " & ", " # ", " >x ", " |& "]
)


@given(TEXT)
def test_the_reader_never_raises(text: str) -> None:
    shell.parse(text)


@given(SIMPLE, SEPARATORS, TEXT)
@example("git -D", " ; ", "git status")
def test_more_text_never_makes_an_approved_command_of_one_that_is_asked(
    command: str, separator: str, more: str
) -> None:
    assume(not approves_command(command, KOMBUSE))

    assert not approves_command(f"{command}{separator}{more}", KOMBUSE)


@given(st.lists(st.text(alphabet="ab -$;|&'\"\\\n*#é", max_size=6), max_size=4))
def test_quoted_words_are_read_as_they_were_meant(words: list[str]) -> None:
    quoted = " ".join(["ls", *map(shlex.quote, words)])

    commands = shell.parse(quoted)

    assert commands is not None
    assert [word.text for word in commands[0]] == ["ls", *words]


STUB = """#!/bin/sh
call=$(printf '%s\\037' "${0##*/}" "$@")
printf '%s\\036' "$call" >>"$RECORD"
"""
NAMES = sorted({prefix.split()[0] for prefix in KOMBUSE})
SHELLS = [name for name in ("bash", "dash", "zsh") if shutil.which(name)]


@pytest.fixture(scope="module")
def stubs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of programs that only note how they were called."""
    folder = tmp_path_factory.mktemp("stubs")
    for name in NAMES:
        path = folder / name
        path.write_text(STUB, encoding="utf-8")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return folder


@pytest.mark.parametrize("name", SHELLS)
@settings(max_examples=60)
@given(text=st.one_of(TEXT, st.sampled_from(ALLOWED)))
def test_shells_run_what_was_understood_and_nothing_else(
    stubs: Path, tmp_path_factory: pytest.TempPathFactory, name: str, text: str
) -> None:
    assume(approves_command(text, KOMBUSE))
    folder = tmp_path_factory.mktemp("run")
    for path in ("src", "my folder/sub"):
        (folder / "work" / path).mkdir(parents=True)
    record = folder / "record"
    record.touch()
    understood = [[word.text for word in c] for c in shell.parse(text) or () if c[0].text != "cd"]

    subprocess.run(
        [str(shutil.which(name)), "-c", text],
        cwd=folder / "work",
        env={"PATH": str(stubs), "RECORD": str(record), "HOME": str(folder)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=10,
        check=False,
    )

    ran = [call.split("\x1f")[:-1] for call in record.read_text("utf-8").split("\x1e")[:-1]]
    assert {path.name for path in folder.iterdir()} == {"work", "record"}
    assert all(any(_is_same(call, command) for command in understood) for call in ran)


def _is_same(call: list[str], understood: list[str]) -> bool:
    """Patterns and the tilde are left to the shell."""
    return (
        len(call) >= 1
        and call[0] == understood[0]
        and (any(set("*?[~^") & set(word) for word in understood) or call == understood)
    )
