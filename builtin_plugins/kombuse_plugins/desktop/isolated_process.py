"""Runs a server for as long as whoever started this reads on, then removes its home."""

import shutil
import subprocess
import sys
import threading

__all__ = ["main"]


def main(home: str) -> int:
    """The parent holds our standard input: when it ends, however it does, the input ends."""
    command = [sys.executable, "-m", "kombuse_kernel.cli", "serve", "--port", "0", "--home", home]
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def follow() -> None:
        sys.stdin.buffer.read()
        server.terminate()

    threading.Thread(target=follow, daemon=True).start()
    code = server.wait()
    shutil.rmtree(home, ignore_errors=True)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
