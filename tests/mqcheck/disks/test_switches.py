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
    assert set(switches.counts.told().values()) == {1 if hit else 0}
