"""What report.html carries inside itself: data as JSON that no text can break out of, styles, and the script.

The script is the parts of ``page/`` in one function, after uPlot (``page/vendor``, MIT, built file of the npm package).
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mqcheck.timeline.budget import PAGE_BYTES_MAX, encoded, fitted

if TYPE_CHECKING:
    from markupsafe import Markup

PARTS: Final = ("base", "theme", "filters", "charts", "lanes", "life", "orders", "timeline", "main")
"""Files of the script, each after those it uses."""
FOLDER: Final = Path(__file__).parent
SHARE_BYTES_MIN: Final = 12_000
"""What a scenario's timeline may have in any case; ours: curves and lanes without a message."""
_ESCAPES: Final = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
_DANGEROUS: Final = re.compile("[<>&\u2028\u2029\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Script:
    """The one script of the page."""

    text: Markup
    sha256: str
    """As a content security policy names it: nothing else runs on the page."""


def as_json(data: object) -> Markup:
    """JSON that can stand in a script element, whatever its texts are: ``</script>``, ``<!--``, lone surrogates."""
    return safe(encoded(data))


def safe(text: str) -> Markup:
    """JSON text for a script element."""
    from markupsafe import Markup

    return Markup(_DANGEROUS.sub(lambda found: _ESCAPES.get(found[0], f"\\u{ord(found[0]):04x}"), text))  # noqa: S704


@cache
def script() -> Script:
    """uPlot and the page's own parts as one script."""
    from markupsafe import Markup

    parts = "\n".join((FOLDER / "page" / f"{name}.js").read_text(encoding="utf-8") for name in PARTS)
    library = (FOLDER / "page" / "vendor" / "uPlot.iife.min.js").read_text(encoding="utf-8")
    text = f'\n{library}\n(() => {{\n"use strict";\n{parts}}})();\n'
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return Script(Markup(text), f"sha256-{digest}")  # noqa: S704


@cache
def styles() -> Markup:
    """The page's style sheets."""
    from markupsafe import Markup

    files = (FOLDER / "page.css", FOLDER / "page" / "vendor" / "uPlot.min.css", FOLDER / "page" / "report.css")
    return Markup("\n".join(path.read_text(encoding="utf-8").strip() for path in files))  # noqa: S704


def within(timelines: Mapping[int, Mapping[str, Any]], bytes_taken: int) -> dict[int, Markup]:
    """Timelines by number as JSON, cut so that a page of which ``bytes_taken`` are used stays within its limit.

    Small ones keep everything; what they do not need goes to the others.
    """
    texts = {number: encoded(timeline) for number, timeline in timelines.items()}
    sizes = {number: len(text.encode()) for number, text in texts.items()}
    share = _share(sorted(sizes.values()), PAGE_BYTES_MAX - bytes_taken)
    found = {}
    for number, timeline in timelines.items():
        text = texts[number] if sizes[number] <= share else encoded(fitted(timeline, share))
        found[number] = safe(text)
    return found


def _share(sizes: list[int], room: int) -> int:
    """The largest size that each may have so that all together have room; ``sizes`` ascend."""
    for place, size in enumerate(sizes):
        left = len(sizes) - place
        if size * left > room:
            return max(SHARE_BYTES_MIN, room // left)
        room -= size
    return max(sizes, default=SHARE_BYTES_MIN)
