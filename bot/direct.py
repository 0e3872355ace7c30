"""Files written to the disk past the system's cache, where the file system can do that.

It owns the one buffer through which they go; it never names a file and never removes one.

What is hardly ever read again costs four times as much where it fills the cache first. Such writes
must be of whole blocks, from memory at a block's border.
"""

import errno
import mmap
import os
import threading

DIRECT = getattr(os, "O_DIRECT", 0)
BINARY = getattr(os, "O_BINARY", 0)  # Windows would write two bytes for each newline
BLOCK = 4096
PIECE = 2 * 1024 * 1024


class DirectWriter:
    """Writes one file at a time; whoever comes meanwhile waits in their thread."""

    def __init__(self) -> None:
        self._piece = mmap.mmap(-1, PIECE)
        self._piecing = threading.Lock()

    def write(self, path: str, data: bytes, *, at: float) -> None:
        """Make a file of that age (seconds since 1970), its owner's alone.

        Raises OSError, and then half a file may stand there.
        """
        try:
            self._fill(path, data, at=at, direct=DIRECT)
        except OSError as error:
            if not DIRECT or error.errno != errno.EINVAL:
                raise
            self._fill(path, data, at=at, direct=0)  # the file system can do no other way

    def _fill(self, path: str, data: bytes, *, at: float, direct: int) -> None:
        # The system's own calls, without objects around them: each job writes a file.
        out = os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | BINARY | direct, 0o600)
        try:
            if direct:
                self._pieces(out, data)
            else:
                _all(out, memoryview(data))
        finally:
            os.close(out)
        os.utime(path, (at, at))

    def _pieces(self, out: int, data: bytes) -> None:
        whole = memoryview(data)
        with self._piecing, memoryview(self._piece) as piece:
            for begin in range(0, len(data), PIECE):
                size = min(PIECE, len(data) - begin)
                piece[:size] = whole[begin : begin + size]
                _all(out, piece[: -(-size // BLOCK) * BLOCK])
        os.truncate(out, len(data))


def _all(out: int, rest: memoryview) -> None:
    """Write to the end, however much of it the system takes at a time."""
    while rest:
        rest = rest[os.write(out, rest) :]
