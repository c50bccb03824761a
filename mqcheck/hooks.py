"""Hook specifications: how other plugins and conftests add targets, faults and report sections.

Each docstring says who calls the hook, when, with what, and what it expects back, and holds a complete example that
``tests/mqcheck/test_hooks.py`` cuts out and runs. Nothing here is called without ``--mqcheck``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from mqcheck.faults.base import Fault
    from mqcheck.report.sections import Section
    from mqcheck.targets.base import Target


@pytest.hookspec
def pytest_mqcheck_targets(config: pytest.Config) -> Mapping[str, Target]:
    """Add targets that ``--mqcheck-target`` can name.

    Called by the plugin once in each process, before the first scenario is chosen.

    - ``config``: pytest's configuration, to read options and ini values.
    - Result: targets by name. A target is any object with the members of ``mqcheck.targets.base.Target``; making it
      must start nothing, its ``open`` does. A name of mqcheck's own, or of another plugin, is a usage error.
    - Conftest: yes, in the root folder's conftest.py.

    A broker of one's own, built from the reference's description under another name::

        # conftest.py
        from mqcheck.targets.reference import ReferenceTarget


        class HouseBroker(ReferenceTarget):
            name = "house"
            version = "2026.11"


        def pytest_mqcheck_targets(config):
            return {"house": HouseBroker()}
    """
    raise NotImplementedError


@pytest.hookspec
def pytest_mqcheck_faults(config: pytest.Config) -> Sequence[type[Fault]]:
    """Add kinds of fault beside mqcheck's own.

    Called by the plugin once in each process, after the targets; their kinds are printed in pytest's header.

    - ``config``: pytest's configuration.
    - Result: subclasses of ``mqcheck.faults.base.Fault``, each with a ``kind`` that nobody else uses (a usage error
      otherwise), so that a history's table ``faults`` has one meaning for each kind.
    - Conftest: yes, in the root folder's conftest.py.

    A fault that moves a node's clock by a command of the house::

        # conftest.py
        from mqcheck.faults.base import Fault


        class ClockStep(Fault):
            \"\"\"Sets a node's clock forward; an expiry that reads the wall clock comes early.\"\"\"

            kind = "clock-step"
            needs = "clock"

            def __init__(self, node):
                self._node = node

            @property
            def node(self):
                return self._node

            async def inject(self, ground):
                return {"steps": 1}

            async def heal(self, ground):
                return {}


        def pytest_mqcheck_faults(config):
            return [ClockStep]
    """
    raise NotImplementedError


@pytest.hookspec
def pytest_mqcheck_report_sections(config: pytest.Config, folder: Path) -> Sequence[Section]:
    """Add sections at the end of report.html.

    Called by the plugin once, in the process that writes the report (xdist: the controller), when every scenario has
    been judged.

    - ``config``: pytest's configuration.
    - ``folder``: the run's folder; ``history/`` is complete in it, the reports are not written yet.
    - Result: ``mqcheck.report.sections.Section`` objects, shown in the order given. Texts are escaped. An exception
      ends pytest with an internal error: catch what you expect.
    - Conftest: yes, in the root folder's conftest.py.

    A section that says which build was judged::

        # conftest.py
        from mqcheck.report.sections import Section


        def pytest_mqcheck_report_sections(config, folder):
            scenarios = sorted(path.name for path in (folder / "history").iterdir())
            return [Section("House", "Build 4711", rows=[{"scenario": name} for name in scenarios])]
    """
    raise NotImplementedError
