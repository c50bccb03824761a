"""From a history and ``specs/`` to verdicts with evidence."""

from __future__ import annotations

from mqcheck.judge.verdicts import Verdict, worst

__all__ = ["Verdict", "worst"]
