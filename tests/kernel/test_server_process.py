from kombuse_sdk.processes import ServerProcess


def test_a_server_answers(server: ServerProcess) -> None:
    assert server.http.get("/health").json() == {"status": "ok"}
