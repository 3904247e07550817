"""The server of these tests asks no registry: no request leaves the machine."""

import pytest

from kombuse_sdk.processes import ServerProcess


@pytest.fixture(scope="module")
def server(quiet_server: ServerProcess) -> ServerProcess:
    return quiet_server
