"""Packages as they are read: both manifests, their rules and texts, and the samples."""

import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.registry.hostile_archives import TOO_LARGE

from kombuse_registry.archive import PLUGIN_JSON, read_archive
from kombuse_registry.errors import (
    ArchiveTooLarge,
    InvalidArchive,
    InvalidPackage,
    UnsafeArchiveEntry,
)
from kombuse_registry.lint import lint
from kombuse_registry.manifest import PackageMetadata, PluginManifest, from_pyproject
from kombuse_registry.package import build, read_package

SAMPLES = Path(__file__).parents[1] / "data" / "packages"
MANIFEST: dict[str, Any] = {
    "name": "kit",
    "version": "1.2.3",
    "kombuse": {"plugin_system_version": "kombuse-plugin-v1"},
}
Make = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path) -> Make:
    """`folder(files, plugin_json)` makes a package."""

    def make(
        files: dict[str, bytes | str] | None = None, plugin_json: dict[str, Any] | bytes = MANIFEST
    ) -> Path:
        if isinstance(plugin_json, dict):
            plugin_json = json.dumps(plugin_json).encode()
        for name, content in {PLUGIN_JSON: plugin_json, **(files or {})}.items():
            path = tmp_path / "package" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return tmp_path / "package"

    return make


def refusal(path: Path) -> str:
    with pytest.raises(InvalidPackage) as refused:
        lint(read_package(path))
    assert "code" not in refused.value.body()
    return refused.value.message


def changed(**changes: Any) -> dict[str, Any]:
    return MANIFEST | changes


def table(**changes: Any) -> dict[str, Any]:
    return MANIFEST | {"kombuse": MANIFEST["kombuse"] | changes}


@pytest.mark.parametrize(
    ("sample", "name", "version", "agents", "labels", "files", "warnings"),
    [
        ("01-hello-minimal", "hello-minimal", "0.1.0", 0, 0, 0, 0),
        ("02-triage-kit", "triage-kit", "1.0.0", 2, 3, 2, 0),
        ("03-triage-kit-upgrade", "triage-kit", "2.0.0", 2, 2, 2, 0),
        ("04-yaml-forms", "yaml-forms", "1.2.3-beta.1+build.7", 2, 1, 0, 0),
        ("05-nested-root", "nested-root", "1.0.0", 0, 1, 0, 0),
        ("05-nested-root.named-root", "nested-root", "1.0.0", 0, 1, 0, 0),
        ("06-files-only", "files-only", "1.0.0", 0, 0, 6, 0),
        ("09-bad-version", "bad-version", "1.0", 0, 0, 0, 1),
        ("10-name-mismatch", "something-else", "3.0.0", 0, 0, 0, 1),
    ],
)
def test_good_samples_hold_what_they_say(
    sample: str, name: str, version: str, agents: int, labels: int, files: int, warnings: int
) -> None:
    paths = [SAMPLES / sample, SAMPLES / f"{sample}.tar.gz"]

    for package in [read_package(path) for path in paths if path.exists()]:
        assert (package.manifest.name, package.manifest.version) == (name, version)
        assert len(package.agents) == agents
        assert len(package.content.manifest["kombuse"]["labels"]) == labels
        assert len([path for path in package.content.files if path.startswith("files/")]) == files
        assert len(package.warnings) == warnings


def test_a_sample_is_the_same_as_a_folder_and_as_an_archive() -> None:
    folders = [path for path in SAMPLES.iterdir() if path.is_dir() and path.name < "07"]

    assert len(folders) == 6
    for path in folders:
        package, archived = read_package(path), read_package(Path(f"{path}.tar.gz"))
        assert dict(package.content.files) == dict(archived.content.files)
        assert list(package.content.files) == list(archived.content.files)
        assert (package.checksum, package.archive) == (None, None)
        assert archived.archive is not None
        assert archived.checksum == archived.archive.checksum


def test_files_come_in_byte_order() -> None:
    files = read_package(SAMPLES / "06-files-only.tar.gz").content.files

    assert [path.removeprefix("files/") for path in files if path.startswith("files/")] == [
        *("B.md", "a.md", "deep/er/c.txt", "empty.md", "presets/generic.json"),
        "\u00fcn\u00efcode name.md",
    ]


@pytest.mark.parametrize("ending", ["", ".tar.gz"])
def test_samples_without_plugin_json_or_with_a_bad_agent_are_refused(ending: str) -> None:
    nothing = SAMPLES / f"07-missing-plugin-json{ending}"

    assert refusal(nothing) == f"No plugin.json found at {nothing}/.kombuse-plugin/plugin.json"
    assert refusal(SAMPLES / f"08-bad-second-agent{ending}").startswith(
        "Invalid agent file agents/b-bad.md: "
    )


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("11-*")), ids=lambda path: path.name)
def test_hostile_samples_are_refused(path: Path) -> None:
    with pytest.raises(UnsafeArchiveEntry) as refused:
        read_package(path)

    assert refused.value.body()["code"] == "UNSAFE_ARCHIVE_ENTRY"
    assert refused.value.message.startswith("Invalid archive: ")


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("12-*")), ids=lambda path: path.name)
def test_broken_samples_are_refused(path: Path) -> None:
    with pytest.raises(InvalidArchive) as refused:
        read_package(path)

    assert refused.value.body()["code"] == "INVALID_ARCHIVE"
    assert refused.value.message.startswith("Invalid archive: ")


def test_the_sample_of_a_bomb_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bomb").write_bytes(TOO_LARGE["64 MiB of zeros in one file"]())

    with pytest.raises(ArchiveTooLarge) as refused:
        read_package(tmp_path / "bomb")

    assert refused.value.message.startswith("Archive too large: ")


def test_defaults_are_filled_in_and_unknown_keys_kept(folder: Make) -> None:
    given = {
        "name": "kit",
        "description": None,
        "homemade": {"x": [1]},
        "kombuse": {
            "plugin_system_version": "kombuse-plugin-v1",
            "labels": [{"name": "\u65e5\u672c", "extra": 1}],
            "other": 2,
        },
    }

    manifest = read_package(folder(plugin_json=given)).content.manifest

    assert manifest["version"] == "1.0.0"
    assert "description" not in manifest
    assert manifest["homemade"] == {"x": [1]}
    assert manifest["kombuse"]["other"] == 2
    assert manifest["kombuse"]["exported_at"].endswith("Z")
    assert manifest["kombuse"]["labels"] == [
        {"name": "\u65e5\u672c", "color": "#808080", "description": None, "extra": 1}
    ]


def test_a_byte_order_mark_is_tolerated(folder: Make) -> None:
    path = folder(plugin_json=b"\xef\xbb\xbf" + json.dumps(MANIFEST).encode())

    assert read_package(path).manifest.name == "kit"


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"{", b"null", b"[]", b'"x"', b"\xff", b"{'name': 1}", b'{"name": NaN}'),
        *(b'{"name": "\\ud800"}', b'{"a":1e999}', b'{"n": ' + b"9" * 5000 + b"}", b"[" * 100_000),
    ],
    ids=lambda content: repr(content[:20]),
)
def test_what_is_no_json_object_is_refused_with_the_words_of_the_parser(
    folder: Make, content: bytes
) -> None:
    assert refusal(folder(plugin_json=content)).startswith("Failed to parse plugin.json: ")


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"kombuse": {}}, "Manifest missing required field: name"),
        (changed(name=""), "Manifest missing required field: name"),
        (changed(name=None), "Manifest missing required field: name"),
        ({"name": "x"}, "Manifest missing required field: kombuse.plugin_system_version"),
        (changed(kombuse=[]), "Manifest missing required field: kombuse.plugin_system_version"),
        (
            table(plugin_system_version=""),
            "Manifest missing required field: kombuse.plugin_system_version",
        ),
        (table(plugin_system_version="v9"), "Unsupported plugin_system_version: v9"),
        (changed(name="../Weird Name"), "Invalid plugin.json: name: Expected lower-case words"),
        (changed(name=5), "Invalid plugin.json: name: "),
        (changed(name="con"), "Invalid plugin.json: name: "),
        (changed(name="a" * 101), "Invalid plugin.json: name: "),
        (changed(version=1.0), "Invalid plugin.json: version: "),
        (changed(version="../1"), "Invalid plugin.json: version: Expected a version"),
        (changed(author=5), "Invalid plugin.json: author: "),
        (changed(description=5), "Invalid plugin.json: description: "),
        (table(labels={}), "Invalid plugin.json: kombuse.labels: "),
        (table(labels=[{}]), "Invalid plugin.json: kombuse.labels.0.name: Required"),
        (table(labels=[{"name": ""}]), "Invalid plugin.json: kombuse.labels.0.name: "),
        (
            table(labels=[{"name": "a"}, {"name": "b", "color": "red"}]),
            "Invalid plugin.json: kombuse.labels.1.color: ",
        ),
        (changed(capabilities=["everything"]), "Invalid plugin.json: capabilities.0: Expected one"),
        (changed(entry_point="os; x"), "Invalid plugin.json: entry_point: "),
        (changed(entry_point="../x"), "Invalid plugin.json: entry_point: "),
        (changed(entry_point="kit"), "Invalid plugin.json: entry_point: there is no python/kit.py"),
    ],
)
def test_a_wrong_manifest_is_refused(folder: Make, given: dict[str, Any], text: str) -> None:
    assert refusal(folder(plugin_json=given)).startswith(text)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ('{"type": "theme"}', 'Package type "theme" is not installable as a plugin'),
        ('{"type": "app"}', 'Package type "app" is not installable as a plugin'),
        ('{"type": "plugin"}', None),
        ('{"type": "module"}', None),
        ('{"type": "commonjs"}', None),
        ('{"type": ""}', None),
        ('{"type": 5}', None),
        ("{}", None),
        ("[]", None),
        ("{", None),
    ],
)
def test_package_json_may_name_another_kind_of_package(
    folder: Make, content: str, text: str | None
) -> None:
    path = folder({"package.json": content})

    if text is None:
        assert read_package(path).warnings == ()
    else:
        assert refusal(path) == text


def test_texts_are_utf8_and_of_bounded_size(folder: Make) -> None:
    path = folder({"files/a.md": b"\xff"})
    assert refusal(path) == "Invalid package: files/a.md is no UTF-8 text"

    (path / "files/a.md").write_bytes(b"a" * 1024 * 1024)
    assert read_package(path).content.files["files/a.md"] == b"a" * 1024 * 1024
    (path / "files/a.md").write_bytes(b"a" * (1024 * 1024 + 1))
    assert refusal(path) == "Invalid package: files/a.md has more than 1048576 bytes"

    (path / "files/a.md").unlink()
    for number in range(21):
        (path / f"files/{number}.md").write_bytes(b"a" * 1024 * 1024)
    assert refusal(path) == "Invalid package: files/ has more than 20971520 bytes"


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"autoApprovedTools": ["Read"]}',
        '{"autoApprovedTools": "Read", "autoApprovedBashCommands": []}',
        '{"autoApprovedTools": [5], "autoApprovedBashCommands": []}',
        '{"autoApprovedTools": [], "autoApprovedBashCommands": [], "permissionMode": "bypass"}',
    ],
)
def test_a_wrong_preset_is_refused(folder: Make, content: str) -> None:
    path = folder({"files/presets/coder.json": content})

    assert refusal(path).startswith("Invalid preset files/presets/coder.json: ")


def test_only_presets_are_held_to_the_form_of_presets(folder: Make) -> None:
    good = (
        '{"autoApprovedTools": ["Read"], "autoApprovedBashCommands": [], "permissionMode": "plan"}'
    )

    path = folder(
        {
            "files/presets/coder.json": good,
            "files/presets/deeper/x.json": "x",
            "files/presets/x.md": "x",
            "files/x.json": "x",
        }
    )

    assert read_package(path).warnings == ()


def test_differences_between_the_manifests_are_one_warning(folder: Make) -> None:
    other = '{"name": "kit", "version": "1.2.4", "type": "plugin"}'

    assert read_package(folder({"manifest.json": other})).warnings == (
        "manifest.json says kit 1.2.4, plugin.json says kit 1.2.3",
    )


def test_a_broken_manifest_json_does_not_hinder_an_installation(folder: Make) -> None:
    package = read_package(folder({"manifest.json": '{"name": "kit", "version": "1.2.3"}'}))

    assert package.metadata is None
    assert package.warnings == ("Invalid manifest.json: type: Required",)


def test_an_author_under_whom_nothing_can_be_published_is_a_warning(folder: Make) -> None:
    (warning,) = read_package(folder(plugin_json=changed(author="Ann Example"))).warnings

    assert "Ann Example" in warning


def test_python_is_known_by_its_entry_point_and_every_byte(folder: Make) -> None:
    files: dict[str, bytes | str] = {"python/kit/__init__.py": "", "python/kit/x.py": "1"}
    manifest = changed(entry_point="kit", capabilities=["routes", "network"])
    path = folder(files, manifest)

    code = read_package(path).code
    assert code is not None
    assert (code.entry_point, code.capabilities) == ("kit", ("routes", "network"))

    digests = {code.digest}
    for name, content in [("kit/x.py", "2"), ("kit/y.py", ""), ("data.bin", "x")]:
        (path / "python" / name).write_text(content, encoding="utf-8")
        changed_code = read_package(path).code
        assert changed_code is not None
        digests.add(changed_code.digest)
    assert len(digests) == 4


def test_a_module_in_a_package_is_an_entry_point_too(folder: Make) -> None:
    package = read_package(folder({"python/kit/hooks.py": ""}, changed(entry_point="kit.hooks")))

    assert package.code is not None
    assert package.code.capabilities == ()


def test_python_without_an_entry_point_is_a_warning(folder: Make) -> None:
    package = read_package(folder({"python/kit.py": ""}))

    assert package.code is None
    assert package.warnings == (
        "The Python in python/ is not used: plugin.json has no entry_point",
    )


def test_a_folder_may_describe_itself_in_pyproject_toml(folder: Make, tmp_path: Path) -> None:
    text = """
    [project]
    name = "ignored"
    version = "0.9.0"
    description = "From the project"

    [tool.kombuse]
    name = "kit"
    author = "acme"
    channel = "beta"
    entry_point = "kit"
    capabilities = ["jobs"]
    keywords = ["triage"]
    labels = [{ name = "Bug", color = "#ff0000" }]
    """
    path = folder({"pyproject.toml": text, "python/kit.py": ""})
    (path / PLUGIN_JSON).unlink()

    package = read_package(path)

    assert (package.manifest.name, package.manifest.version) == ("kit", "0.9.0")
    assert package.metadata is not None
    assert (package.metadata.channel, package.metadata.keywords) == ("beta", ["triage"])
    assert package.content.manifest["kombuse"]["labels"][0]["name"] == "Bug"
    assert package.warnings == ()
    archived = read_package(build(path, tmp_path / "kit.tar.gz").path)
    assert archived.manifest.name == "kit"
    assert archived.metadata == package.metadata
    assert archived.code == package.code


def test_pyproject_toml_is_of_no_weight_beside_plugin_json(folder: Make) -> None:
    path = folder({"pyproject.toml": "[tool.kombuse]\nname = 'other'"})

    assert read_package(path).manifest.name == "kit"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[tool.kombuse]\nname = 'Kit'", "Invalid pyproject.toml: tool.kombuse.name: "),
        ("[tool.kombuse]\nname = 'k'\nlabel = []", "Invalid pyproject.toml: tool.kombuse.label: "),
        ("[tool", "Failed to parse pyproject.toml: "),
        ("[tool.other]", "No plugin.json found at "),
        ("tool = 5", "No plugin.json found at "),
        ("[tool]\nkombuse = 5", "Invalid pyproject.toml: "),
        ("project = 5\n[tool.kombuse]\nversion = '1'", "Invalid pyproject.toml: tool.kombuse.name"),
    ],
)
def test_a_wrong_pyproject_toml_is_refused(folder: Make, text: str, expected: str) -> None:
    path = folder({"pyproject.toml": text})
    (path / PLUGIN_JSON).unlink()

    assert refusal(path).startswith(expected)


def test_metadata_is_known_with_all_of_its_issues() -> None:
    with pytest.raises(InvalidPackage) as refused:
        PackageMetadata.from_json(b'{"name": "A", "type": "theme", "homepage": "javascript:1"}')

    assert {issue["path"][0] for issue in refused.value.issues} == {
        *("name", "version", "type", "homepage"),
    }
    assert PackageMetadata.from_json(
        b'{"name": "a", "version": "1", "type": "app", "minRuntimeVersion": "2", "x": 1}'
    ).model_dump(by_alias=True, exclude_unset=True) == {
        "name": "a",
        "version": "1",
        "type": "app",
        "minRuntimeVersion": "2",
        "x": 1,
    }


@given(
    st.recursive(
        st.none() | st.booleans() | st.text(max_size=5) | st.integers(),
        lambda s: (
            st.lists(s, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["name", "version", "kombuse", "labels", "plugin_system_version", "author"]
                ),
                s,
                max_size=4,
            )
        ),
    )
)
def test_any_json_is_a_manifest_or_refused(value: Any) -> None:
    data = json.dumps(value).encode()
    for model in (PluginManifest, PackageMetadata):
        with pytest.raises(InvalidPackage):
            model.from_json(data)
            raise InvalidPackage("it was taken")


def test_a_pyproject_toml_without_the_table_describes_nothing() -> None:
    assert from_pyproject(b"[project]\nname = 'x'") is None


def test_a_folder_is_built_the_same_every_time(folder: Make, tmp_path: Path) -> None:
    path = folder({"files/a.md": "a", "agents/x.md": "---\nname: X\n---\nGo.\n"})
    (tmp_path / "out").mkdir()

    first = build(path, tmp_path / "out")
    (path / "files/a.md").touch()
    second = build(path, path / "kit-1.2.3.tar.gz")
    third = build(path, path / "kit-1.2.3.tar.gz")

    assert first.path == tmp_path / "out" / "kit-1.2.3.tar.gz"
    assert first.checksum == second.checksum == third.checksum
    files = read_archive(first.path).files
    assert list(files) == [PLUGIN_JSON, "agents/x.md", "files/a.md", "manifest.json"]
    assert json.loads(files["manifest.json"]) == {
        "name": "kit",
        "version": "1.2.3",
        "type": "plugin",
    }


def test_nothing_is_built_from_a_wrong_package_or_an_archive(folder: Make, tmp_path: Path) -> None:
    path = folder({"agents/x.md": "no agent"})

    with pytest.raises(Exception, match=r"Invalid agent file agents/x\.md"):
        build(path, tmp_path / "a.tar.gz")
    with pytest.raises(InvalidPackage, match="is no folder"):
        build(SAMPLES / "01-hello-minimal.tar.gz", tmp_path / "a.tar.gz")

    assert not (tmp_path / "a.tar.gz").exists()


def test_when_a_package_was_exported_is_the_time_of_its_files(folder: Make, tmp_path: Path) -> None:
    times = {"2026-01-02T03:04:05.000Z": 1767323045, "yesterday": 0}
    for text, expected in times.items():
        info = build(folder(plugin_json=table(exported_at=text)), tmp_path / "a.tar.gz")
        with tarfile.open(info.path) as tar:
            assert {member.mtime for member in tar} == {expected}


@pytest.mark.parametrize("name", ["none", "a" * 300, "a\0b", "x/" * 3000])
def test_where_there_is_no_package_none_is_found(tmp_path: Path, name: str) -> None:
    assert refusal(tmp_path / name).startswith(f"No plugin.json found at {tmp_path}/{name[:1]}")


def test_a_folder_that_is_reached_through_a_link_is_read(folder: Make, tmp_path: Path) -> None:
    folder({"files/a.md": "a"})
    (tmp_path / "link").symlink_to("package", target_is_directory=True)

    assert list(read_package(tmp_path / "link").content.files) == [PLUGIN_JSON, "files/a.md"]


def test_a_folder_with_a_link_instead_of_plugin_json_is_refused(tmp_path: Path) -> None:
    (tmp_path / "package/.kombuse-plugin").mkdir(parents=True)
    (tmp_path / "secret.json").write_text(json.dumps(MANIFEST), encoding="utf-8")
    (tmp_path / "package" / PLUGIN_JSON).symlink_to(tmp_path / "secret.json")

    with pytest.raises(UnsafeArchiveEntry, match="is a link"):
        read_package(tmp_path / "package")
