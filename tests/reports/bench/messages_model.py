"""What messages cost without a browser: library and chat on CPython, from the socket to the published state.

    python -m tests.reports.bench.messages_model            1,000 messages, then 10,000
    python -m tests.reports.bench.messages_model 5000       so many

The cost for each message should not depend on how many came before: the last column compares it with the first line's.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import time
from collections.abc import Sequence

from tests.chat.session_harness import SessionHarness, message

COUNTS = (1_000, 10_000)
#: Messages that arrive together, and are handled in slices before the event loop has its turn. So many fill a slice.
TURN = 200


async def seconds_for(count: int) -> float:
    """Return the seconds until a shown room has received so many messages of another person."""
    harness = SessionHarness()
    await harness.join()
    harness.unsubscribe()  # or the test would keep every state
    frames = [message(seq) for seq in range(1, count + 1)]
    gc.collect()
    begun = time.perf_counter()
    for first in range(0, count, TURN):
        harness.platform.holds_soon = True
        for frame in frames[first : first + TURN]:
            harness.socket.receive(frame)
        harness.platform.holds_soon = False
        harness.platform.run_soon()
        await asyncio.sleep(0)
    taken = time.perf_counter() - begun
    assert len(harness.state.timeline) == count
    harness.session.leave()
    await harness.platform.settle()
    return taken


def report(counts: Sequence[int], taken: Sequence[float]) -> str:
    """Return the table."""
    lines = ["| messages | seconds | µs for each | compared |", "|---:|---:|---:|---:|"]
    each = [seconds / count * 1e6 for count, seconds in zip(counts, taken, strict=True)]
    for count, seconds, cost in zip(counts, taken, each, strict=True):
        lines.append(f"| {count:,} | {seconds:.2f} | {cost:.0f} | {cost / each[0]:.2f} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("counts", nargs="*", type=int, default=COUNTS, help="numbers of messages")
    counts = parser.parse_args(arguments).counts
    print(report(counts, [asyncio.run(seconds_for(count)) for count in counts]))


if __name__ == "__main__":
    main()
