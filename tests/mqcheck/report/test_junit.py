"""Properties of a test case."""

from __future__ import annotations

import pytest

from mqcheck.report.junit import PROPERTIES, with_property


def test_a_rerun_replaces_a_value_and_leaves_others() -> None:
    properties = with_property([("other", 1), ("level", "MUST")], "level", "SHOULD")
    assert properties == [("other", 1), ("level", "SHOULD")]
    assert PROPERTIES == ("level", "guarantee", "scenario", "verdict", "reproduced", "known")
    with pytest.raises(ValueError, match="'colour' is none of the properties"):
        with_property([], "colour", "red")
