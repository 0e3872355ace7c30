"""What the kernel says of a process: CPU time, memory now and at most.

It owns the reading of /proc; it never starts or ends a process.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
MB = 1024 * 1024
LOOK_EVERY = 0.1


def cpu_seconds(pid: int) -> float:
    """CPU time of a process and of its children that have ended."""
    text = Path(f"/proc/{pid}/stat").read_text()
    # The name may hold spaces and brackets; from the state on (field 3) there are only numbers.
    fields = text.rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / TICKS


def memory(pid: int) -> tuple[float, float]:
    """Resident megabytes: now, and the most there ever were."""
    found = dict(
        line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
    )
    now, most = (int(found[name].split()[0]) * 1024 / MB for name in ("VmRSS", "VmHWM"))
    return now, most


def load() -> str:
    """The machine's load of the last minute."""
    return Path("/proc/loadavg").read_text().split()[0]


@asynccontextmanager
async def sampled(pid: int) -> AsyncIterator[list[tuple[float, float]]]:
    """Within this, (time.monotonic(), resident megabytes) ten times a second."""
    samples: list[tuple[float, float]] = []

    async def sample() -> None:
        while True:
            samples.append((time.monotonic(), memory(pid)[0]))
            await asyncio.sleep(LOOK_EVERY)

    task = asyncio.create_task(sample())
    try:
        yield samples
    finally:
        task.cancel()
