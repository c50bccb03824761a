"""Effects are data: they cannot be changed once a core has given them out."""

from __future__ import annotations

from typing import get_args

import pytest
from msgspec import Struct

from reference_impl.effects import Effect

KINDS: tuple[type[Struct], ...] = get_args(Effect)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_an_effect_is_frozen_and_slotted(kind: type[Struct]) -> None:
    names = kind.__struct_fields__
    effect = kind(*range(len(names)))
    assert not hasattr(effect, "__dict__")
    with pytest.raises(AttributeError):
        setattr(effect, names[0], None)


def test_there_are_nine_ways_out_of_a_core() -> None:
    ways = {"Reply", "Push", "Close", "Call", "NeedFlush", "Report", "StreamOpen", "StreamSend", "StreamClose"}
    assert {kind.__name__ for kind in KINDS} == ways
