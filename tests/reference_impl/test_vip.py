"""The VIP port's one rule."""

from __future__ import annotations

import pytest

from reference_impl.frame import Command
from reference_impl.vip import refuse_on_vip


@pytest.mark.parametrize("code", [11, 361])
def test_a_pull_is_refused(code: int) -> None:
    answer = refuse_on_vip(Command(code, opaque=9))
    assert answer is not None
    assert (answer.code, answer.opaque, answer.remark) == (3, 9, f" request type {code} not supported")


@pytest.mark.parametrize("command", [Command(310), Command(11, flag=1), Command(34)])
def test_everything_else_is_the_cores(command: Command) -> None:
    assert refuse_on_vip(command) is None
