"""/api/plugins, /api/plugin-sources. What installs and asks feeds is imported when it is needed."""

from typing import Annotated, Any

from fastapi import Query

from kombuse_plugins.packages import code, package_files, service
from kombuse_plugins.packages.remote_schemas import (
    Available,
    AvailableFilter,
    FeedAnswer,
    PublishBody,
    Published,
    PullBody,
    RemoteInstall,
    UpdateCheck,
)
from kombuse_plugins.packages.schemas import (
    CodeStatus,
    ExportBody,
    Exported,
    FileFilter,
    FileUpdate,
    Install,
    InstallResult,
    ListedFile,
    Plugin,
    PluginFile,
    PluginFilter,
    PluginUpdate,
    Uninstall,
)
from kombuse_plugins.packages.source_schemas import SourceFilter, Sources, SourcesUpdate
from kombuse_sdk.http import App, PathParam, Read, Router, Write

router = Router()
PluginId = Annotated[str, PathParam(service.require)]
_FILE = "/plugins/{plugin_id}/files/{file_id}"


@router.get("/plugins", response_model=list[Plugin])
def list_plugins(tx: Read, query: Annotated[PluginFilter, Query()]) -> Any:
    return service.page(tx, query)


@router.post("/plugins/install", status_code=201, response_model=InstallResult)
async def install_plugin(kernel: App, body: Install) -> Any:
    from kombuse_plugins.packages import installation

    return await installation.run(kernel, body)


@router.post("/plugins/export", response_model=Exported)
async def export_plugin(kernel: App, body: ExportBody) -> Any:
    from kombuse_plugins.packages import export

    return await export.run(kernel, body)


@router.post("/plugins/install-remote", status_code=201, response_model=InstallResult)
async def install_from_feed(kernel: App, body: RemoteInstall) -> Any:
    from kombuse_plugins.packages import remote

    return await remote.install(kernel, body)


@router.post("/plugins/publish", status_code=201, response_model=Published)
async def publish_plugin(kernel: App, body: PublishBody) -> Any:
    from kombuse_plugins.packages import publishing

    return await publishing.run(kernel, body)


@router.get("/plugins/available", response_model=list[Available])
async def list_available(kernel: App, query: Annotated[AvailableFilter, Query()]) -> Any:
    from kombuse_plugins.packages import remote

    return await remote.available(kernel, query)


@router.get("/plugins/feeds", response_model=list[FeedAnswer])
async def list_feeds(kernel: App, query: Annotated[SourceFilter, Query()]) -> Any:
    from kombuse_plugins.packages import remote

    return await remote.feed_answers(kernel, query.project_id)


@router.get("/plugin-sources", response_model=Sources)
async def get_sources(kernel: App, query: Annotated[SourceFilter, Query()]) -> Any:
    from kombuse_plugins.packages import sources

    return await sources.shown(kernel, query.project_id)


@router.put("/plugin-sources", response_model=Sources)
async def put_sources(kernel: App, body: SourcesUpdate) -> Any:
    from kombuse_plugins.packages import sources

    return await sources.update(kernel, body)


@router.post("/plugins/{plugin_id}/pull", response_model=InstallResult)
async def pull_plugin(kernel: App, plugin_id: str, body: PullBody | None = None) -> Any:
    from kombuse_plugins.packages import remote

    return await remote.pull(kernel, plugin_id, body or PullBody())


@router.get("/plugins/{plugin_id}/check-updates", response_model=UpdateCheck)
async def check_updates(kernel: App, plugin_id: str) -> Any:
    from kombuse_plugins.packages import remote

    return await remote.check_updates(kernel, plugin_id)


@router.get("/plugins/{plugin_id}", response_model=Plugin)
def get_plugin(tx: Read, plugin_id: str) -> Any:
    return service.get(tx, plugin_id)


@router.patch("/plugins/{plugin_id}", response_model=Plugin)
def update_plugin(tx: Write, plugin_id: str, body: PluginUpdate) -> Any:
    return service.update(tx, plugin_id, body)


@router.delete("/plugins/{plugin_id}", status_code=204)
def uninstall_plugin(tx: Write, plugin_id: str, query: Annotated[Uninstall, Query()]) -> None:
    service.uninstall(tx, plugin_id, query.mode)


@router.get("/plugins/{plugin_id}/code", response_model=CodeStatus)
def get_code(tx: Read, plugin_id: str) -> Any:
    """What became of the Python of the package."""
    return code.status(tx, plugin_id)


@router.post("/plugins/{plugin_id}/code/accept-tools", response_model=CodeStatus)
def accept_tools(tx: Write, plugin_id: str) -> Any:
    """Offer MCP tools that are others than those that were allowed."""
    return code.accept_tools(tx, plugin_id)


@router.get("/plugins/{plugin_id}/files", response_model=list[ListedFile])
def list_files(tx: Read, plugin_id: PluginId, query: Annotated[FileFilter, Query()]) -> Any:
    return package_files.page(tx, plugin_id, query)


@router.get(_FILE, response_model=PluginFile)
def get_file(tx: Read, plugin_id: PluginId, file_id: str) -> Any:
    return package_files.get(tx, plugin_id, file_id)


@router.patch(_FILE, response_model=PluginFile)
def update_file(tx: Write, plugin_id: PluginId, file_id: str, body: FileUpdate) -> Any:
    return package_files.update(tx, plugin_id, file_id, body)


@router.post(f"{_FILE}/reset", response_model=PluginFile)
def reset_file(tx: Write, plugin_id: PluginId, file_id: str) -> Any:
    return package_files.reset(tx, plugin_id, file_id)
