"""Durable bytes on a real folder: loaded, used, saved as a tree again."""

from __future__ import annotations

import random
from pathlib import Path

from mqcheck.disks.backing import OBJECTS, TREE, FolderBacking, load_volume, save_tree


def tree_of(root: Path) -> dict[str, bytes]:
    tree = root / TREE
    return {path.relative_to(tree).as_posix(): path.read_bytes() for path in tree.rglob("*") if path.is_file()}


def test_a_tree_is_loaded_changed_and_saved(tmp_path: Path) -> None:
    (tmp_path / TREE / "config").mkdir(parents=True)
    (tmp_path / TREE / "config" / "topics.json").write_bytes(b"{}")
    (tmp_path / TREE / "untouched").write_bytes(b"as it was")
    volume, backing = load_volume(tmp_path, "ext4-like", 0)
    assert volume.read(volume.file("/config/topics.json"), 0, 10) == b"{}"
    volume.write(volume.file("/config/topics.json"), 1, b'"a":1}', 1)
    volume.fsync(volume.file("/config/topics.json"))
    volume.mkdir("/log", 0o755, 1)
    volume.create("/log/0", 0o644, 1)
    volume.link("/untouched", "/again")
    volume.sync_all()
    volume.write(volume.file("/log/0"), 0, b"held", 1)
    volume.cut(random.Random(1), torn=False)
    backing.close()
    save_tree(volume, tmp_path)
    assert tree_of(tmp_path) == {
        "config/topics.json": b'{"a":1}',
        "log/0": b"",
        "untouched": b"as it was",
        "again": b"as it was",
    }
    assert (tmp_path / TREE / "again").stat().st_ino == (tmp_path / TREE / "untouched").stat().st_ino
    assert not (tmp_path / OBJECTS).exists()


def test_holes_stay_holes(tmp_path: Path) -> None:
    backing = FolderBacking(tmp_path)
    backing.truncate(1, 1 << 30)
    backing.write(1, 1 << 29, b"x")
    assert backing.read(1, (1 << 29) - 1, 3) == b"\0x\0"
    backing.close()
    assert (tmp_path / "1").stat().st_blocks * 512 < 1 << 20
