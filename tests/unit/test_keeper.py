"""The kept files: whole or absent, for their owner alone, neither too old nor too many."""

import asyncio
import hashlib
import multiprocessing
import os
import resource
import stat
from datetime import timedelta

import pytest

from bot import direct
from bot.keeper import Keeper, Shelf, original_name
from tests.build import NOW

MIB = 1024 * 1024


class HandMoved:
    """A clock that is set by hand."""

    def __init__(self, now=NOW):
        self.now = now

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return HandMoved()


def keeper(folder, clock=NOW, **changes):
    at = clock if callable(clock) else HandMoved(clock)
    return Keeper(**{"folder": folder / "kept", "days": 30, "megabytes": 10, "clock": at} | changes)


def files(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


async def test_what_is_kept_is_read_back(tmp_path):
    kept = keeper(tmp_path)
    assert await kept.keep_original("a" * 16, b"one")
    digest = await kept.keep_reference(b"two")
    assert digest == hashlib.sha256(b"two").hexdigest()
    another = keeper(tmp_path)  # another process on the same folder
    assert await another.original("a" * 16) == b"one"
    assert await another.reference(digest) == b"two"
    assert await another.has_reference(digest)
    assert await another.original("b" * 16) is None
    assert not await another.has_reference("0" * 64)


@pytest.mark.parametrize("size", [0, 1, 4095, 4096, MIB, MIB + 1, 3 * MIB - 4097])
@pytest.mark.parametrize(
    ("flag", "block"),
    [
        pytest.param(direct.DIRECT, direct.BLOCK, id="direct"),
        pytest.param(0, direct.BLOCK, id="through the cache"),
        # Linux answers EINVAL to both: to the flag when opening, to the size when writing.
        pytest.param(getattr(os, "O_TMPFILE", 0), direct.BLOCK, id="no such flag"),
        pytest.param(direct.DIRECT, 256, id="other blocks"),
    ],
)
async def test_a_file_of_any_size_is_kept_as_it_is(tmp_path, monkeypatch, size, flag, block):
    monkeypatch.setattr(direct, "DIRECT", flag)
    monkeypatch.setattr(direct, "BLOCK", block)
    data = os.urandom(size)
    kept = keeper(tmp_path)
    assert await kept.keep_original("a" * 16, data)
    assert await kept.original("a" * 16) == data
    assert [path.suffix for path in files(tmp_path)] == [""]


async def test_files_written_at_once_do_not_mix(tmp_path):
    kept = keeper(tmp_path, megabytes=100)
    made = {f"{number:016}": os.urandom(MIB + number) for number in range(20)}
    assert all(await asyncio.gather(*(kept.keep_original(*each) for each in made.items())))
    for job_id, data in made.items():
        assert await kept.original(job_id) == data


async def test_only_the_owner_may_look(tmp_path):
    kept = keeper(tmp_path)
    old = os.umask(0)
    try:
        await kept.keep_original("a" * 16, b"one")
    finally:
        os.umask(old)
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in tmp_path.rglob("*")}
    assert modes == {"kept": 0o700, "originals": 0o700, original_name("a" * 16): 0o600}


async def test_no_name_tells_the_id_of_a_job(tmp_path):
    await keeper(tmp_path).keep_original("abcdefgh" * 2, b"one")
    assert "abcdefgh" not in str(files(tmp_path))


async def test_nothing_is_kept_for_no_days(tmp_path):
    kept = keeper(tmp_path, days=0)
    assert not kept.keeps
    assert not await kept.keep_original("a" * 16, b"one")
    assert await kept.keep_reference(b"two") is None
    assert await kept.original("a" * 16) is None
    assert list(tmp_path.iterdir()) == []


async def test_the_last_days_end_what_was_kept_before(tmp_path):
    await keeper(tmp_path).keep_original("a" * 16, b"one")
    off = keeper(tmp_path, days=0)
    assert await off.original("a" * 16) is None
    assert await off.step() == 1
    assert files(tmp_path) == []


async def test_a_file_ends_with_its_day_whether_or_not_it_is_removed_yet(tmp_path, clock):
    kept = keeper(tmp_path, clock)
    digest = await kept.keep_reference(b"two")
    clock.now += timedelta(days=30, seconds=-1)
    assert await kept.reference(digest) == b"two"
    assert await kept.step() == 0
    clock.now += timedelta(seconds=1)
    assert await kept.reference(digest) is None
    assert not await kept.has_reference(digest)
    assert files(tmp_path)
    assert await kept.step() == 1
    assert files(tmp_path) == []
    assert await kept.step() == 0


async def test_what_is_handed_in_again_is_new_again_and_stands_once(tmp_path, clock):
    kept = keeper(tmp_path, clock)
    digest = await kept.keep_reference(b"two")
    clock.now += timedelta(days=20)
    assert await kept.keep_reference(b"two") == digest
    clock.now += timedelta(days=20)
    assert await kept.reference(digest) == b"two"
    assert len(files(tmp_path)) == 1


async def test_the_oldest_go_when_there_is_too_much(tmp_path, clock):
    kept = keeper(tmp_path, clock, megabytes=3)
    for number in range(5):
        clock.now += timedelta(minutes=1)
        assert await kept.keep_original(f"{number:016}", bytes(MIB))
    assert sum(path.stat().st_size for path in files(tmp_path)) <= 3 * MIB
    assert await kept.original(f"{4:016}") is not None
    assert await kept.original(f"{0:016}") is None


async def test_what_another_process_wrote_counts_at_the_next_round(tmp_path, clock):
    mine, theirs = (keeper(tmp_path, clock, megabytes=3) for _ in range(2))
    await mine.keep_original("m" * 16, bytes(MIB))
    clock.now += timedelta(minutes=1)
    for number in range(2):
        await theirs.keep_original(f"{number:016}", bytes(MIB))
    await mine.keep_original("n" * 16, bytes(MIB))
    assert len(files(tmp_path)) == 4
    assert await mine.step() >= 1
    assert sum(path.stat().st_size for path in files(tmp_path)) <= 3 * MIB
    assert await mine.original("m" * 16) is None


async def test_a_file_larger_than_the_whole_room_is_not_kept(tmp_path):
    kept = keeper(tmp_path, megabytes=1)
    await kept.keep_original("a" * 16, b"one")
    assert not await kept.keep_original("b" * 16, bytes(MIB + 1))
    assert await kept.original("a" * 16) == b"one"


async def test_damaged_bytes_are_not_given_for_a_digest(tmp_path):
    kept = keeper(tmp_path)
    digest = await kept.keep_reference(b"two")
    [path] = files(tmp_path)
    path.write_bytes(b"tw")
    assert await kept.reference(digest) is None


async def test_a_folder_that_cannot_be_used_keeps_nothing_and_harms_nothing(tmp_path):
    (tmp_path / "kept").write_text("in the way")
    kept = keeper(tmp_path)
    assert not await kept.keep_original("a" * 16, b"one")
    assert await kept.keep_reference(b"two") is None
    assert await kept.original("a" * 16) is None
    assert not await kept.has(Shelf.ORIGINALS, original_name("a" * 16))
    assert await kept.step() == 0


def _write_on_a_full_disk(folder, said):
    """In a process of its own: what it may write ends in the middle of the file."""
    import signal

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 * 1024, 64 * 1024))
    kept = keeper(folder)
    large = asyncio.run(kept.keep_original("a" * 16, bytes(MIB)))
    small = asyncio.run(kept.keep_original("b" * 16, b"one"))
    said.put((large, small))


async def test_a_full_disk_leaves_no_half_a_file(tmp_path):
    context = multiprocessing.get_context("spawn")
    said = context.Queue()
    process = context.Process(target=_write_on_a_full_disk, args=(tmp_path, said))
    process.start()
    assert await asyncio.to_thread(said.get, timeout=60) == (False, True)
    process.join(60)
    assert [path.name for path in files(tmp_path)] == [original_name("b" * 16)]
    assert await keeper(tmp_path).original("a" * 16) is None


async def test_many_who_keep_the_same_at_once(tmp_path):
    data = os.urandom(MIB)
    keepers = [keeper(tmp_path) for _ in range(8)]
    digests = await asyncio.gather(*(each.keep_reference(data) for each in keepers))
    assert len(set(digests)) == 1
    assert len(files(tmp_path)) == 1
    assert await keepers[0].reference(digests[0]) == data


async def test_reading_while_it_is_written_gives_all_or_nothing(tmp_path):
    data = os.urandom(4 * MIB)
    kept = keeper(tmp_path)
    writing = asyncio.create_task(kept.keep_original("a" * 16, data))
    seen = set()
    while not writing.done():
        read = await kept.original("a" * 16)
        seen.add(None if read is None else read == data)
    assert seen <= {None, True}
    assert await writing
    assert await kept.original("a" * 16) == data


async def test_what_a_dead_process_left_half_written_goes(tmp_path, clock):
    kept = keeper(tmp_path, clock)
    await kept.keep_original("a" * 16, b"one")
    half = files(tmp_path)[0].with_name("0123456789abcdef.part")
    half.write_bytes(b"hal")
    at = clock().timestamp()
    os.utime(half, (at, at))
    assert await kept.step() == 0
    clock.now += timedelta(hours=1, seconds=1)
    assert await kept.step() == 1
    assert await kept.original("a" * 16) == b"one"


async def test_what_is_to_be_forgotten_is_gone_at_once(tmp_path):
    kept = keeper(tmp_path)
    for job_id in ("a" * 16, "b" * 16):
        await kept.keep_original(job_id, b"one")
    digest = await kept.keep_reference(b"two")
    assert await kept.forget(["a" * 16, "c" * 16], digests=[digest]) == 2
    assert await kept.original("a" * 16) is None
    assert await kept.reference(digest) is None
    assert await kept.original("b" * 16) == b"one"
