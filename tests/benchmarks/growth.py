"""First-page latency of every list in a small and in a large project, side by side."""

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from itertools import cycle, islice
from pathlib import Path

from endpoints import VERY_COMMON_SEARCH, first_pages
from fill import BUSY_NUMBER, Workspace, add_tickets, create_workspace

from api import Api
from load import LoadError, encode_request, run
from server_process import Server, open_server
from table import between, number, print_table

_PAGE_SECONDS = 2.0
_WARM_UP_REQUESTS = 3
_SEARCH_TARGET_MS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One list at one size: how many rows its first page has and how long an answer takes."""

    rows: int
    p50_ms: float


Pages = dict[str, Page]


def main() -> int:
    options = _parse_arguments()
    small, large = sorted(options.sizes)
    try:
        with open_server(options.url) as server:
            before, after = _measure_both(server, small, large, options)
    except LoadError as error:
        print(f"aborted: {error}", file=sys.stderr)
        return 1
    _print_comparison(before, after, small, large)
    if options.json:
        pages = {
            name: {str(small): asdict(before[name]), str(large): asdict(after[name])}
            for name in before
        }
        options.json.write_text(json.dumps(pages, indent=2) + "\n", encoding="utf-8")
    return 0


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    size = between(100, 200_000)
    parser.add_argument("--sizes", type=size, nargs=2, default=(3000, 50_000), metavar="TICKETS")
    parser.add_argument("--samples", type=between(1, 10_000), default=100, help="per list")
    parser.add_argument("--connections", type=between(1, 64), default=8, help="of the fill")
    parser.add_argument("--url", help="measure the server that runs at http://127.0.0.1:PORT")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the pages as JSON")
    options = parser.parse_args()
    if options.sizes[0] == options.sizes[1]:
        parser.error("the two sizes are equal")
    return options


def _measure_both(
    server: Server, small: int, large: int, options: argparse.Namespace
) -> tuple[Pages, Pages]:
    """Measure the project, let it grow and measure it again."""
    with Api(server.port) as api:
        workspace = create_workspace(api)
    before = _measure(server, workspace, range(1, small + 1), options)
    return before, _measure(server, workspace, range(small + 1, large + 1), options)


def _measure(
    server: Server, workspace: Workspace, numbers: range, options: argparse.Namespace
) -> Pages:
    _report(f"creating tickets {numbers[0]:,} to {numbers[-1]:,}")
    fill = add_tickets(server.port, workspace, numbers, connections=options.connections)
    _report(f"{fill.tickets.per_second:,.0f} tickets/s, {fill.comments.per_second:,.0f} comments/s")
    with Api(server.port) as api:
        busy_ticket_id = api.get(workspace.ticket_path(BUSY_NUMBER))["id"]
        return {
            name: _measure_page(api, path, options.samples)
            for name, path in first_pages(workspace, busy_ticket_id).items()
        }


def _measure_page(api: Api, path: str, samples: int) -> Page:
    answer = api.get(path)
    rows = len(answer if isinstance(answer, list) else answer.get("items", [answer]))
    request = cycle([encode_request(api.port, "GET", path)])
    run(api.port, islice(request, _WARM_UP_REQUESTS), seconds=_PAGE_SECONDS)
    result = run(api.port, islice(request, samples), seconds=_PAGE_SECONDS)
    return Page(rows=rows, p50_ms=result.percentile_ms(50))


def _print_comparison(before: Pages, after: Pages, small: int, large: int) -> None:
    headings = ("first page", "rows", f"ms at {small:,}", f"ms at {large:,}", "ratio")
    print_table(headings, [_cells(name, before[name], after[name]) for name in before])
    measured = after[VERY_COMMON_SEARCH].p50_ms
    print(
        f"\n{VERY_COMMON_SEARCH}, at {large:,} tickets: {measured:.2f} ms,"
        f" target {_SEARCH_TARGET_MS:.0f} ms, factor {_SEARCH_TARGET_MS / measured:.2f}"
    )


def _cells(name: str, before: Page, after: Page) -> list[str]:
    same = before.rows == after.rows
    rows = str(after.rows) if same else f"{before.rows} > {after.rows}"
    times = (number(before.p50_ms, 2), number(after.p50_ms, 2))
    return [name, rows, *times, number(after.p50_ms / before.p50_ms, 2)]


def _report(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
