"""Effects are data: they cannot be changed once a core has given them out."""

from __future__ import annotations

import dataclasses

import pytest

from reference_impl import effects

KINDS = [kind for kind in vars(effects).values() if dataclasses.is_dataclass(kind)]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_an_effect_is_frozen_and_slotted(kind: type) -> None:
    fields = dataclasses.fields(kind)
    effect = kind(*range(len(fields)))
    assert not hasattr(effect, "__dict__")
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(effect, fields[0].name, None)


def test_there_are_five_ways_out_of_a_core() -> None:
    assert {kind.__name__ for kind in KINDS} == {"Reply", "Push", "Close", "Call", "NeedFlush"}
