"""Placeholders: what is filled, what is refused."""

from __future__ import annotations

import pytest

from mqcheck.errors import SettingsError
from mqcheck.targets.placeholders import check, fill


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("-p {port}", "-p 10911"),
        ("{port}{port}", "1091110911"),
        ('{{"port": {port}}}', '{"port": 10911}'),
        ("${{user.home}}", "${user.home}"),
        ("", ""),
    ],
)
def test_placeholders_are_filled_and_doubled_braces_are_braces(text: str, filled: str) -> None:
    assert fill(text, {"port": "10911"}) == filled


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{prot}", r"unknown placeholder \{prot\}; did you mean \{port\}\?"),
        ("{elsewhere}", r"unknown placeholder \{elsewhere\}; there are folder, port"),
        ("a { b", r"a lone '\{' in 'a \{ b': write it twice"),
        ("{Port}", r"a lone '\{'"),
    ],
)
def test_anything_else_in_braces_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(SettingsError, match=complaint):
        check(text, {"port", "folder"})
