"""The switches of a disk: which files they concern, what they count."""

from __future__ import annotations

import errno

import pytest

from mqcheck.disks.switches import Switches


def test_a_healthy_disk_counts_nothing_but_fsyncs() -> None:
    switches = Switches("/commitlog")
    assert switches.before_fsync("/commitlog/0") == 0
    switches.check_fsync("/commitlog/0")
    switches.check_write("/commitlog/0")
    assert switches.counts.fsyncs == 1
    assert set(switches.counts.told().values()) == {0}


@pytest.mark.parametrize("path", ["/commitlog/0", "/config/topics.json"])
def test_faults_concern_the_log_alone(path: str) -> None:
    switches = Switches("/commitlog", fsync_delay_ms=7, fsync_error=True, disk_full=True)
    hit = path.startswith("/commitlog")
    assert switches.before_fsync(path) == (7 if hit else 0)
    for check, wanted in ((switches.check_fsync, errno.EIO), (switches.check_write, errno.ENOSPC)):
        if hit:
            with pytest.raises(OSError, match="fault injected") as caught:
                check(path)
            assert caught.value.errno == wanted
        else:
            check(path)
    counted = {name for name, count in switches.counts.told().items() if count == 1}
    assert counted == ({"delayed_fsyncs", "failed_fsyncs", "refused_writes"} if hit else set())


@pytest.mark.parametrize("path", ["/commitlog/0", "/config/topics.json"])
def test_writes_can_be_slow_and_fail(path: str) -> None:
    switches = Switches("/commitlog", write_delay_ms=7, write_error=True)
    hit = path.startswith("/commitlog")
    assert switches.before_write(path) == (7 if hit else 0)
    if hit:
        with pytest.raises(OSError, match="write failed") as caught:
            switches.check_write(path)
        assert caught.value.errno == errno.EIO
    else:
        switches.check_write(path)
    counted = {name for name, count in switches.counts.told().items() if count == 1}
    assert counted == ({"delayed_writes", "failed_writes"} if hit else set())


def test_free_blocks_are_told_only_where_they_are_not_true() -> None:
    switches = Switches()
    assert switches.free(1000) == {}
    nearly_full = switches.told(used_percent=97)
    assert nearly_full.free(1000) == {"f_bfree": 30, "f_bavail": 30}
    assert nearly_full.counts.looks == 1


def test_switches_left_out_are_healthy_and_counts_stay() -> None:
    switches = Switches("/commitlog", fsync_delay_ms=7, fsync_error=True)
    switches.before_fsync("/commitlog/0")
    changed = switches.told(disk_full=True)
    assert (changed.prefix, changed.fsync_delay_ms, changed.fsync_error, changed.disk_full) == (
        "/commitlog",
        0,
        False,
        True,
    )
    assert changed.counts.told()["delayed_fsyncs"] == 1
    with pytest.raises(TypeError):
        switches.told(nonsense=1)
