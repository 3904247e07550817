"""What an author should know about a package that can be installed and still is not right."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from kombuse_registry.manifest import MANIFEST_JSON
from kombuse_registry.package import FILES, Package
from kombuse_registry.presets import parse_preset, preset_type
from kombuse_registry.secret_scan import find_secrets
from kombuse_sdk.agent_files import AgentFile
from kombuse_sdk.agent_schemas import ToolPermission
from kombuse_sdk.schemas import slugify

__all__ = ["lint"]

_READMES = ("readme.md", "readme", "readme.txt")
_LABEL_KEYS = ("label_name", "exclude_label_name")


def lint(package: Package) -> list[str]:
    """A sentence for each remark, none for a clean package; InvalidPackage for a wrong agent."""
    return [
        *package.warnings,
        *_publishing(package),
        *_labels(package),
        *_presets(package.content.files),
        *(
            f"{path}: {remark}"
            for path, agent in package.agents.items()
            for remark in (*_permissions(agent), *_triggers(package, agent))
        ),
        *(
            f"{path}: {remark}"
            for path, agent in package.agents.items()
            for remark in _template(agent.system_prompt, package.content.files)
        ),
        *(f"Looks like a secret: {secret}" for secret in find_secrets(package.content.files)),
    ]


def _publishing(package: Package) -> Iterator[str]:
    files = package.content.files
    if MANIFEST_JSON not in files:
        yield "There is no manifest.json, which registries and feeds need"
    if not package.manifest.description:
        yield "There is no description"
    if not any(path.lower() in _READMES for path in files):
        yield "There is no README.md"
    if package.manifest.capabilities and package.code is None:
        yield "Capabilities are declared, but there is no entry_point that could use them"


def _labels(package: Package) -> Iterator[str]:
    slugs = Counter(slugify(label.name) or label.name for label in package.manifest.kombuse.labels)
    for slug, number in slugs.items():
        if number > 1:
            yield f"{number} labels become one, since their names have the same slug {slug}"


def _presets(files: Mapping[str, bytes]) -> Iterator[str]:
    for path in files:
        place = path.removeprefix(FILES)
        if path == place or preset_type(place) is None:
            continue
        for tool in _wide(parse_preset(place, files[path]).tools):
            yield f"{path}: agents use the tool {tool} without asking"


def _permissions(agent: AgentFile) -> Iterator[str]:
    for permission in agent.permissions:
        if isinstance(permission, ToolPermission):
            for tool in _wide([permission.tool]):
                yield f"it may use the tool {tool}"
        elif permission.scope == "global" and permission.resource == "*":
            yield "it may do something to everything in all projects"
    for tool in _wide(agent.config.auto_approved_tools_override or ()):
        yield f"it uses the tool {tool} without asking"


def _wide(tools: Iterable[str]) -> list[str]:
    return [tool for tool in tools if tool == "*" or tool.partition("(")[0] == "Bash"]


def _triggers(package: Package, agent: AgentFile) -> Iterator[str]:
    known = {label.name for label in package.manifest.kombuse.labels}
    for number, trigger in enumerate(agent.triggers):
        shown = f"triggers.{number}"
        if trigger.project_id is not None:
            yield f"{shown}: its project_id is ignored"
        for name in _label_names(trigger.conditions or {}):
            if name not in known:
                yield f'{shown}: the package does not bring the label "{name}"'


def _label_names(conditions: Mapping[str, Any]) -> Iterator[str]:
    for key in _LABEL_KEYS:
        value = conditions.get(key)
        yield from filter(lambda name: isinstance(name, str), _listed(value))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _template(prompt: str, files: Mapping[str, bytes]) -> Iterator[str]:
    """Whether a prompt can be rendered: its syntax, and the files that it includes."""
    from jinja2 import Environment, TemplateSyntaxError, nodes

    try:
        tree = Environment(autoescape=False).parse(prompt)
    except TemplateSyntaxError as error:
        yield f"the prompt is no template: {error.message} (line {error.lineno} of it)"
        return
    except RecursionError:
        yield "the prompt is no template: it is nested too deep"
        return
    including: Any = (nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)
    for node in tree.find_all(including):
        name = getattr(node.template, "value", None)
        is_optional = getattr(node, "ignore_missing", False)
        if isinstance(name, str) and not is_optional and FILES + name not in files:
            yield f"the prompt includes {FILES}{name}, which is not in the package"
