"""For all tests: no deadlines, the same signals however the run was started, and none left changed afterwards.

A shell that starts something in the background has it ignore Ctrl-C, and every process that the tests start inherits
that; tests that interrupt a run need it to listen.
"""

from __future__ import annotations

import gc
import importlib.util
import itertools
import signal
from collections.abc import Iterator

import pytest

# pytest also loads this file for `pytest --mqcheck`, which needs the kit and no test's packages.
if importlib.util.find_spec("hypothesis") is not None:
    from hypothesis import settings

    # No test depends on how fast the machine is.
    settings.register_profile("any machine", deadline=None)
    settings.load_profile("any machine")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def signals_as_before() -> Iterator[None]:
    """A test that changes what Ctrl-C or a termination does fails, instead of another test in the same process."""
    watched = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in watched]
    yield
    after = [signal.getsignal(number) for number in watched]
    for number, handler in zip(watched, before, strict=True):
        signal.signal(number, handler)
    assert after == before


def pytest_collection_finish() -> None:
    """Thousands of tests and all modules stay to the end: no search for garbage has to pass through them each time."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The test that takes minutes begins first; those that mostly wait stand evenly between modules that compute.

    With several workers there is then always something to compute while others wait, and nothing long at the end.
    """
    longest = [item for item in items if "sim/test_launcher.py" in item.nodeid]
    waiting = [item for item in items if item.get_closest_marker("e2e")]
    others = [item for item in items if item not in longest and not item.get_closest_marker("e2e")]
    mixed: list[pytest.Item] = []
    seen = placed = 0
    for _, module in itertools.groupby(others, lambda item: item.path):
        due = len(waiting) * (seen + 1) // (len(others) + 1)
        mixed += [*waiting[placed:due], *(tests := list(module))]
        seen, placed = seen + len(tests), due
    items[:] = [*longest, *mixed, *waiting[placed:]]
