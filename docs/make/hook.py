"""What MkDocs calls: adds the pages that `pages` makes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from pages import pages


def on_files(files: Any, config: Any, **_: Any) -> Any:
    """https://www.mkdocs.org/dev-guide/plugins/#on_files"""
    from mkdocs.structure.files import File

    for path, text in pages().items():
        files.append(File.generated(config, path, content=text))
    return files
