"""The error tree: what the docstring draws is what the code has."""

from __future__ import annotations

import inspect
import re

from reference_impl import errors


def test_the_drawing_is_the_code() -> None:
    drawn = set(re.findall(r"^[\s│├└─]*([A-Z]\w+)", errors.__doc__ or "", re.MULTILINE))
    classes = {
        name
        for name, value in inspect.getmembers(errors, inspect.isclass)
        if value.__module__ == errors.__name__ and issubclass(value, Exception)
    }
    assert classes <= drawn
    for name in classes - {"ReferenceError_"}:
        assert issubclass(getattr(errors, name), errors.ReferenceError_), name


def test_a_frame_error_keeps_what_was_good() -> None:
    error = errors.FrameError("bad")
    assert (str(error), error.decoded) == ("bad", ())
    assert isinstance(error, errors.WireError)
