"""Packages: agents, labels, triggers and files that are installed, exchanged and removed as one."""

from collections.abc import Iterable
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING, Any

from kombuse_sdk import Command, EventType, Job, PluginInfo, Service, hookimpl

if TYPE_CHECKING:
    from fastapi import APIRouter

    from kombuse_sdk.packages import PackageSection
    from kombuse_sdk.types import Config, Kernel, PluginSource

_PLUGIN = ("plugin_id", "plugin_name")


@hookimpl
def kombuse_plugin() -> PluginInfo:
    return PluginInfo(name="packages", title="Packages", requires=("projects",))


@hookimpl
def kombuse_migrations() -> Traversable:
    return files(__name__) / "migrations"


@hookimpl
def kombuse_plugin_sources(config: "Config") -> "Iterable[PluginSource]":
    from kombuse_plugins.packages import code_sources

    return code_sources.allowed(config)


@hookimpl
def kombuse_services() -> Iterable[Service[object]]:
    from kombuse_plugins.packages import package_files
    from kombuse_sdk.contracts import PackageFiles

    return [Service(PackageFiles, package_files)]


@hookimpl
def kombuse_routes() -> "APIRouter":
    from kombuse_plugins.packages.routes import router

    return router


@hookimpl
def kombuse_commands() -> Iterable[Command]:
    """`plugin` adds to the kernel's group of that name."""
    target = "kombuse_registry.cli:app"
    return [
        Command(
            name="init",
            target="kombuse_plugins.packages.cli_init:app",
            help="Make a folder a project, with agents.",
        ),
        Command(name="plugin", target="kombuse_plugins.packages.cli:app", help="Packages."),
        Command(name="registry", target=target, help="A registry of packages of your own."),
    ]


@hookimpl
def kombuse_package_sections() -> "Iterable[PackageSection[Any]]":
    from kombuse_plugins.packages.package_section import FileSection

    return [FileSection()]


@hookimpl
def kombuse_package() -> Traversable:
    """kombuse-dev: in the distribution beside this file, in a checkout among the examples."""
    installed = files(__name__) / "kombuse_dev"
    return installed if installed.is_dir() else files(__name__) / "../../../examples/kombuse_dev"


@hookimpl
def kombuse_event_types() -> Iterable[EventType]:
    return [
        EventType(
            name="plugin.installed",
            description="A package was installed",
            payload=(*_PLUGIN, "version"),
        ),
        EventType(
            name="plugin.updated",
            description="Another version of a package took the place of the installed one",
            payload=(*_PLUGIN, "version", "from_version"),
        ),
        EventType(
            name="plugin.uninstalled", description="A plugin is gone", payload=(*_PLUGIN, "mode")
        ),
        EventType(name="plugin.enabled", description="A plugin was enabled", payload=_PLUGIN),
        EventType(name="plugin.disabled", description="A plugin was disabled", payload=_PLUGIN),
    ]


@hookimpl
def kombuse_jobs() -> Iterable[Job]:
    from kombuse_plugins.packages import cache

    return [Job(name="packages.cache", every=3600, run=cache.prune)]


@hookimpl
def kombuse_startup(kernel: "Kernel") -> None:
    from kombuse_plugins.packages import cache, code

    cache.tidy(kernel)
    code.remember_tools(kernel)
