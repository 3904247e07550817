"""One JSON request a line in, one JSON answer a line out."""

import json
import signal
import sqlite3
import sys

from .session import Refused, Session, Unavailable

_MEMORY_BYTES = 64 << 20
_FILE_BYTES = 1 << 20  # what SQLite needs to create the shared-memory file of a WAL database


def confine() -> None:
    """Give way to the server, and let the system bound memory and written files."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the server decides when to end
    if sys.platform != "win32":
        import os
        import resource

        os.nice(10)
        resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY_BYTES, _MEMORY_BYTES))
        resource.setrlimit(resource.RLIMIT_FSIZE, (_FILE_BYTES, _FILE_BYTES))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def serve(uri: str, denied_columns: frozenset[tuple[str, str]]) -> None:
    session: Session | None = None
    for line in sys.stdin.buffer:
        try:
            session = session or Session(uri, denied_columns)
            answer = '{"rows": [' + ",".join(session.query(**json.loads(line))) + "]}"
        except Refused as error:
            answer = json.dumps({"refused": str(error)})
        except (Unavailable, sqlite3.Error) as error:
            answer = json.dumps({"unavailable": str(error)})
        sys.stdout.buffer.write(answer.encode() + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    confine()
    serve(
        sys.argv[1],
        frozenset((table.lower(), column.lower()) for table, column in json.loads(sys.argv[2])),
    )
