"""The VIP port's one rule."""

from __future__ import annotations

import pytest

from reference_impl.frame import Command
from reference_impl.vip import refuse_on_vip


def test_a_pull_is_refused() -> None:
    answer = refuse_on_vip(Command(11, opaque=9))
    assert answer is not None
    assert (answer.code, answer.opaque, answer.remark) == (3, 9, " request type 11 not supported")


@pytest.mark.parametrize("command", [Command(310), Command(11, flag=1), Command(34)])
def test_everything_else_is_the_cores(command: Command) -> None:
    assert refuse_on_vip(command) is None
