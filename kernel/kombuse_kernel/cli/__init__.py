"""The command line. Nothing is imported before it is needed, for `--help` must be quick."""

__all__ = ["main"]


def main() -> None:
    from kombuse_kernel.cli.root import run

    run()
