"""The simulation needs Python ≥ 3.12 and simloop; elsewhere ``test_launcher.py`` runs this folder in such a Python."""

from __future__ import annotations

import functools
import gc
import importlib.util
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

CAN_SIMULATE = sys.version_info >= (3, 12) and importlib.util.find_spec("simloop") is not None

collect_ignore_glob = ["test_launcher.py"] if CAN_SIMULATE else ["test_sim_*.py"]


class Judged:
    """One simulated scenario and its verdicts."""

    def __init__(self, folder: Path, simulated: Any) -> None:
        self.folder = folder
        self.simulated = simulated
        self.plan: dict[str, Any] = json.loads((folder / "plan.json").read_text(encoding="utf-8"))

    @functools.cached_property
    def verdicts(self) -> dict[str, Any]:
        """Every guarantee's verdict; judged outside the loop, when first asked for."""
        from mqcheck.judge.engine import judge_history
        from mqcheck.specs import load_specs

        return {verdict.guarantee: verdict for verdict in judge_history(self.folder, load_specs())}

    def verdict(self, guarantee: str) -> Any:
        """One guarantee's, without judging the others."""
        from mqcheck.judge.engine import judge_history
        from mqcheck.specs import Specs, load_specs

        specs = load_specs()
        (verdict,) = judge_history(self.folder, Specs((specs.get(guarantee),), specs.folders))
        return verdict

    def all_held(self) -> bool:
        """Every aimed-at pair held, nothing was violated, and the kit did not fail."""
        assert self.plan["harness_error"] is None, self.plan["harness_error"]
        wrong = {
            name: (verdict.verdict, verdict.reason)
            for name, verdict in self.verdicts.items()
            if (verdict.aimed and verdict.verdict != "held") or verdict.verdict == "violated"
        }
        assert not wrong, wrong
        return True

    def rows(self, table: str) -> list[dict[str, Any]]:
        """A table's entries, put together from their lines, in order of their ids."""
        found: dict[int, dict[str, Any]] = {}
        for stream in sorted((self.folder / "events").iterdir()):
            for line in stream.read_text(encoding="utf-8").splitlines():
                data = json.loads(line)
                if data["e"] == table:
                    found.setdefault(data["op"], {}).update(data)
        return [found[op] for op in sorted(found)]


@pytest.fixture(autouse=True)
def nothing_old_is_searched() -> Iterator[None]:
    """A simulation looks for garbage twice as it ends: among its own things, not among all that is there already."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def play(tmp_path: Path) -> Callable[..., Judged]:
    """Runs a scenario, by name or given, in the simulation."""
    from mqcheck.profile import QUICK
    from mqcheck.scenarios.base import Scenario, all_scenarios
    from mqcheck.simulation import simulate

    def run(scenario: str | Scenario, profile: Any = QUICK, seed: int = 1, **options: Any) -> Judged:
        chosen = all_scenarios()[scenario] if isinstance(scenario, str) else scenario
        folder = tmp_path / f"{chosen.name}-{seed}-{len(list(tmp_path.iterdir()))}"
        return Judged(folder, simulate(chosen, profile, seed, folder, **options))

    return run
