"""From a history and ``specs/`` to verdicts with evidence."""

from __future__ import annotations

from mqcheck.judge.engine import judge_history
from mqcheck.judge.process import JudgeProcess
from mqcheck.judge.verdicts import Verdict, worst

__all__ = ["JudgeProcess", "Verdict", "judge_history", "worst"]
