"""The model against a naive one that copies whole files, and against what each model's table says. No mount."""

from __future__ import annotations

import errno
import random
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mqcheck.disks.model import COMMIT_MS, MODELS, PAGE_BYTES, SECTOR_BYTES, File, Model, Volume, walk


class Memory:
    """Durable bytes in a dictionary."""

    def __init__(self) -> None:
        self.files: dict[int, bytearray] = {}

    def read(self, number: int, at: int, size: int) -> bytes:
        return bytes(self.files.setdefault(number, bytearray())[at : at + size])

    def write(self, number: int, at: int, data: bytes) -> None:
        file = self.files.setdefault(number, bytearray())
        file.extend(bytes(max(0, at + len(data) - len(file))))
        file[at : at + len(data)] = data

    def truncate(self, number: int, size: int) -> None:
        file = self.files.setdefault(number, bytearray())
        del file[size:]
        file.extend(bytes(size - len(file)))


def volume(model: Model = "ext4-like") -> tuple[Volume, Memory]:
    memory = Memory()
    return Volume(memory, model), memory


def put(disk: Volume, path: str, data: bytes, *, sync: bool = False) -> File:
    """A new file, closed."""
    file = disk.create(path, 0o644, 1)
    disk.open(file)
    disk.write(file, 0, data, 2)
    if sync:
        disk.fsync(file)
    disk.close(file)
    return file


def left(disk: Volume, memory: Memory, *, torn: random.Random | None = None) -> dict[str, bytes]:
    """What a cut leaves."""
    disk.cut(torn or random.Random(1), torn=torn is not None)
    return {
        path: bytes(memory.files[entry.number][: entry.durable_size])
        for path, entry in walk(disk.root, durable=True)
        if isinstance(entry, File)
    }


# --- the naive model ------------------------------------------------------------------------------------------------


@dataclass
class Naive:
    """One file of a naive ext4-like disk: whole copies of both versions."""

    live: bytearray = field(default_factory=bytearray)
    durable: bytearray = field(default_factory=bytearray)
    lowest: int = 0
    """Smallest size since the durable version: bytes beyond it are not those any more."""
    set_size: int | None = None

    def truncate(self, size: int) -> None:
        del self.live[size:]
        self.live.extend(bytes(size - len(self.live)))
        self.lowest, self.set_size = min(self.lowest, size), size

    def write(self, at: int, data: bytes) -> None:
        self.live.extend(bytes(max(0, at + len(data) - len(self.live))))
        self.live[at : at + len(data)] = data

    def fsync(self) -> None:
        self.durable = bytearray(self.live)
        self.lowest, self.set_size = len(self.live), None

    def commit(self) -> None:
        if self.set_size is not None:
            del self.durable[self.lowest :]
            del self.durable[self.set_size :]
            self.durable.extend(bytes(self.set_size - len(self.durable)))
            self.lowest, self.set_size = len(self.durable), None


PLACES = st.integers(0, 3 * PAGE_BYTES)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(0, 1), PLACES, st.integers(1, 2 * PAGE_BYTES)),
        st.tuples(st.just("truncate"), st.integers(0, 1), PLACES, st.just(0)),
        st.tuples(st.just("fsync"), st.integers(0, 1), st.just(0), st.just(0)),
        st.tuples(st.just("read"), st.integers(0, 1), PLACES, st.integers(1, 3 * PAGE_BYTES)),
        st.tuples(st.just("tick"), st.just(0), st.just(0), st.just(0)),
    ),
    max_size=25,
)


@settings(max_examples=150, deadline=None)
@given(steps=STEPS)
def test_bytes_are_those_of_a_naive_disk(steps: list[tuple[str, int, int, int]]) -> None:
    disk, memory = volume()
    files = [disk.create(f"/{number}", 0o600, 0) for number in range(2)]
    naive = [Naive(), Naive()]
    disk.fsync_folder(disk.root)
    for file in files:
        disk.open(file)
    now = 0
    for number, (verb, which, at, size) in enumerate(steps):
        file, plain = files[which], naive[which]
        if verb == "write":
            data = bytes([1 + number]) * size
            disk.write(file, at, data, number)
            plain.write(at, data)
        elif verb == "truncate":
            disk.truncate(file, at, number)
            plain.truncate(at)
        elif verb == "fsync":
            disk.fsync(file)
            plain.fsync()
            for other in naive:
                other.commit()
        elif verb == "read":
            assert disk.read(file, at, size) == plain.live[at : at + size]
        else:
            now += COMMIT_MS
            disk.advance(now)
            for other in naive:
                other.commit()
        assert file.size == len(plain.live)
    assert [disk.read(file, 0, 10 * PAGE_BYTES) for file in files] == [plain.live for plain in naive]
    assert left(disk, memory) == {f"/{number}": plain.durable for number, plain in enumerate(naive)}


@settings(max_examples=100, deadline=None)
@given(
    synced=st.integers(0, 3 * PAGE_BYTES),
    held=st.integers(0, 3 * PAGE_BYTES),
    seed=st.integers(0, 1000),
    model=st.sampled_from(MODELS),
)
def test_a_torn_write_is_a_prefix_of_what_was_held(synced: int, held: int, seed: int, model: Model) -> None:
    disk, memory = volume(model)
    file = disk.create("/log", 0o600, 0)
    whole = random.Random(seed).randbytes(synced + held)
    disk.write(file, 0, whole[:synced], 1)
    disk.fsync(file)
    disk.fsync_folder(disk.root)
    disk.write(file, synced, whole[synced:], 2)
    losses = disk.cut(random.Random(seed), torn=True)
    found = bytes(memory.files[file.number][: file.durable_size])
    assert whole.startswith(found)
    assert len(found) >= synced
    assert len(found) in (synced, len(whole)) or len(found) % PAGE_BYTES == 0
    assert losses.bytes_torn >= len(found) - synced
    assert losses.bytes_dropped >= len(whole) - len(found)


@pytest.mark.parametrize("mapped", [False, True])
def test_a_file_grows_by_whole_pages_and_a_mapped_one_is_torn_at_sectors(mapped: bool) -> None:
    sizes = set()
    for seed in range(60):
        disk, memory = volume()
        file = disk.create("/log", 0o600, 0)
        if mapped:
            disk.truncate(file, 4 * PAGE_BYTES, 1)
        disk.fsync_folder(disk.root)
        disk.write(file, 0, b"x" * 3 * PAGE_BYTES, 2)
        sizes.add(len(left(disk, memory, torn=random.Random(seed))["/log"].rstrip(b"\0")))
    pages = {0, PAGE_BYTES}
    assert (sizes > pages and all(size % SECTOR_BYTES == 0 for size in sizes)) if mapped else sizes == pages


# --- what each model's table says -----------------------------------------------------------------------------------


def test_ext4_like_names_go_with_any_fsync_and_their_bytes_do_not() -> None:
    disk, memory = volume()
    put(disk, "/topics.json", b"{}")
    put(disk, "/log", b"record", sync=True)
    put(disk, "/later", b"never")
    assert left(disk, memory) == {"/topics.json": b"", "/log": b"record"}


@pytest.mark.parametrize(("now_ms", "names"), [(COMMIT_MS - 1, set()), (COMMIT_MS, {"/a"})])
def test_ext4_like_commits_names_and_set_sizes_every_five_seconds(now_ms: int, names: set[str]) -> None:
    disk, memory = volume()
    file = put(disk, "/a", b"abc")
    disk.truncate(file, 10, 1)
    disk.advance(now_ms)
    put(disk, "/b", b"")
    found = left(disk, memory)
    assert set(found) == names
    assert all(data == bytes(10) for data in found.values())


def test_ext4_like_a_file_that_replaces_another_is_written_before() -> None:
    disk, memory = volume()
    put(disk, "/a.json", b"old", sync=True)
    put(disk, "/a.tmp", b"new")
    disk.rename("/a.tmp", "/a.json")
    disk.advance(COMMIT_MS)
    assert left(disk, memory) == {"/a.json": b"new"}


def test_ext4_like_a_replacement_that_is_not_committed_gives_the_earlier_file() -> None:
    disk, memory = volume()
    put(disk, "/a.json", b"old", sync=True)
    put(disk, "/a.tmp", b"new")
    disk.rename("/a.tmp", "/a.json")
    losses = disk.cut(random.Random(1), torn=False)
    assert (losses.files_restored, losses.files_removed) == (1, 0)
    assert [path for path, _ in walk(disk.root, durable=True)] == ["/", "/a.json"]
    assert bytes(memory.files[disk.root.durable["/a.json"[1:]].number]) == b"old"


def test_ext4_like_writing_tmp_deleting_and_renaming_leaves_nothing_in_the_file() -> None:
    """As RocketMQ 4.9.7 writes its tables: no rename over an existing name, so nothing is written before."""
    disk, memory = volume()
    put(disk, "/topics.json", b"old", sync=True)
    put(disk, "/topics.json.tmp", b"new")
    disk.unlink("/topics.json")
    disk.rename("/topics.json.tmp", "/topics.json")
    disk.advance(COMMIT_MS)
    assert left(disk, memory) == {"/topics.json": b""}


def test_ext4_like_a_file_that_was_emptied_and_filled_is_written_when_it_is_closed() -> None:
    disk, memory = volume()
    file = put(disk, "/a", b"old", sync=True)
    disk.open(file)
    disk.truncate(file, 0, 1)
    disk.write(file, 0, b"new!", 2)
    disk.close(file)
    assert left(disk, memory) == {"/a": b"new!"}


def test_strict_size_names_are_there_at_once_and_sizes_are_not() -> None:
    disk, memory = volume("strict-size")
    put(disk, "/log", b"record", sync=True)
    file = put(disk, "/next", b"")
    disk.truncate(file, 1 << 26, 1)
    put(disk, "/a.tmp", b"new")
    disk.rename("/a.tmp", "/log")
    disk.advance(10 * COMMIT_MS)
    assert left(disk, memory) == {"/next": b"", "/log": b""}


def test_strict_posix_names_need_an_fsync_of_their_folder() -> None:
    disk, memory = volume("strict-posix")
    disk.mkdir("/store", 0o755, 1)
    disk.fsync_folder(disk.root)
    put(disk, "/store/a", b"a", sync=True)
    disk.fsync_folder(disk.folder("/store"))
    put(disk, "/store/b", b"b", sync=True)
    disk.unlink("/store/a")
    disk.advance(10 * COMMIT_MS)
    assert left(disk, memory) == {"/store/a": b"a"}


def test_two_names_of_one_file_share_its_bytes() -> None:
    disk, memory = volume()
    put(disk, "/a", b"x")
    disk.link("/a", "/b")
    disk.fsync(disk.file("/b"))
    disk.unlink("/a")
    disk.advance(COMMIT_MS)
    assert left(disk, memory) == {"/b": b"x"}


def test_everything_is_durable_after_sync_all() -> None:
    for model in MODELS:
        disk, memory = volume(model)
        disk.mkdir("/d", 0o755, 1)
        put(disk, "/d/a", b"x")
        disk.sync_all()
        assert left(disk, memory) == {"/d/a": b"x"}


def test_a_hole_costs_nothing() -> None:
    disk, memory = volume()
    file = put(disk, "/index", b"")
    disk.truncate(file, 420_000_040, 1)
    disk.write(file, 400_000_000, b"x", 2)
    assert disk.read(file, 399_999_999, 3) == b"\0x\0"
    assert len(file.pages) == 1
    assert memory.files[file.number] == b""


def test_what_nobody_can_reach_is_not_held() -> None:
    disk, _ = volume()
    file = put(disk, "/a", b"x" * PAGE_BYTES)
    disk.open(file)
    disk.unlink("/a")
    assert file.pages
    disk.close(file)
    assert not file.pages


@pytest.mark.parametrize(
    ("act", "wanted"),
    [
        (lambda d: d.find("/none"), errno.ENOENT),
        (lambda d: d.find("/file/x"), errno.ENOTDIR),
        (lambda d: d.folder("/file"), errno.ENOTDIR),
        (lambda d: d.file("/full"), errno.EISDIR),
        (lambda d: d.create("/file", 0, 0), errno.EEXIST),
        (lambda d: d.mkdir("/" + "x" * 256, 0, 0), errno.ENAMETOOLONG),
        (lambda d: d.rmdir("/full"), errno.ENOTEMPTY),
        (lambda d: d.unlink("/full"), errno.EISDIR),
        (lambda d: d.rename("/file", "/full"), errno.EISDIR),
        (lambda d: d.rename("/full", "/file"), errno.ENOTDIR),
        (lambda d: d.rename("/empty", "/full"), errno.ENOTEMPTY),
        (lambda d: d.rename("/full", "/full/inner"), errno.EINVAL),
    ],
)
def test_errors_are_those_of_the_system_calls(act: object, wanted: int) -> None:
    disk, _ = volume()
    put(disk, "/file", b"")
    disk.mkdir("/empty", 0o755, 1)
    disk.mkdir("/full", 0o755, 1)
    put(disk, "/full/inside", b"")
    with pytest.raises(OSError) as caught:  # noqa: PT011 - the number is what counts
        act(disk)  # type: ignore[operator]
    assert caught.value.errno == wanted
