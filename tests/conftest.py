"""For all tests: no deadlines, the same signals however the run was started, and none left changed afterwards.

A shell that starts something in the background has it ignore Ctrl-C, and every process that the tests start inherits
that; tests that interrupt a run need it to listen.
"""

from __future__ import annotations

import gc
import importlib.util
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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The one test that takes minutes begins first: at the end every worker would wait for it."""
    items.sort(key=lambda item: "sim/test_launcher.py" not in item.nodeid)
