"""Retention: whole files of the commit log go, the oldest first, by age or because the disk is full.

A file goes by age once its last message is older than ``fileReservedTime``: at an hour of ``deleteWhen``, when
more than ``diskMaxUsedSpaceRatio`` of the disk is used, or when an administrator asks (329). Above
``diskSpaceCleanForciblyRatio`` files go whatever their age; above ``diskSpaceWarningLevelRatio`` sends are refused (14)
and reads go on. Nobody asks whether the messages were consumed: consumers find the new beginning of the queue (21). The
file that is written to stays. Clauses: sto-retention, sto-diskfull, sto-min-offset. Source: rocketmq
DefaultMessageStore.CleanCommitLogService.

A disk counts as used beyond a ratio only while less than ``reference.diskSpareBytes`` of it is free: a tenth of a
large disk that other people fill is plenty for a reference.
"""

from __future__ import annotations

from typing import Final

from reference_impl.broker.request import Request
from reference_impl.broker.state import BrokerState, Handler
from reference_impl.commands import RequestCode
from reference_impl.effects import Effect

FILES_MAX: Final = 10
"""Files removed in one pass [deleteFilesBatchMax]."""
_HOUR_MS: Final = 3_600_000


def clean(state: BrokerState, now_ms: int) -> list[Effect]:
    """One pass, every ``cleanResourceInterval``: see whether the disk is full, remove what is to go."""
    settings = state.settings
    if 0 <= now_ms - state.started_ms < settings.first_clean_ms:
        return []
    used = _used_percent(state)
    state.disk_full = used > settings.diskSpaceWarningLevelRatio
    if used > settings.diskSpaceCleanForciblyRatio and settings.cleanFileForciblyEnable:
        _remove(state, now_ms, age_ms=0)
    elif used > settings.diskMaxUsedSpaceRatio or _hour(now_ms) in _hours(settings.deleteWhen):
        _remove(state, now_ms, settings.fileReservedTime * _HOUR_MS)
    return []


def delete_expired(state: BrokerState, request: Request) -> list[Effect]:
    """329: remove what is older than ``fileReservedTime`` now, whatever the hour. Code 0."""
    # DECODE, CHECK: nothing asked for, nothing to refuse
    # APPLY
    _remove(state, request.now_ms, state.settings.fileReservedTime * _HOUR_MS)
    # REPLY
    return request.reply()


def _remove(state: BrokerState, now_ms: int, age_ms: int) -> None:
    """Remove files whose last message is older than ``age_ms``; what the disk refuses is left for the next pass."""
    try:
        removed = state.store.remove_older(now_ms - age_ms, FILES_MAX)
    except OSError:
        return
    if removed and state.slave is None:
        # Waiting messages may be gone, and the levels' progress with them.
        state.schedule.resume(state.store, now_ms)


def _used_percent(state: BrokerState) -> float:
    space = state.disk.space()
    return 0 if space.usable >= state.settings.disk_spare_bytes else space.ratio * 100


def _hour(now_ms: int) -> int:
    """Of the day, UTC."""
    return now_ms // _HOUR_MS % 24


def _hours(text: str) -> set[int]:
    """Hours of ``deleteWhen``, as in ``04`` or ``04;16``."""
    return {int(word) for word in text.split(";") if word.strip().isdecimal()}


HANDLERS: Final[dict[int, Handler]] = {
    RequestCode.DELETE_EXPIRED_COMMITLOG: delete_expired,
}
"""What this module serves, by code."""
