"""report.json and matrix.json as text, and the JSON Schemas that describe them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

SURROGATES: Final = re.compile("[\ud800-\udfff]")
"""What UTF-8 cannot hold: undecodable bytes of evidence stay as escapes."""


def dump(report: Mapping[str, Any]) -> str:
    """The report as indented JSON, one order of keys, with a line end."""
    text = json.dumps(report, indent=1, ensure_ascii=False, default=str)
    return SURROGATES.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n"


def schema(name: str = "report") -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of report.json, or of matrix.json, shipped in the package."""
    text = (Path(__file__).parent / f"{name}.schema.json").read_text(encoding="utf-8")
    data: dict[str, Any] = json.loads(text)
    return data
