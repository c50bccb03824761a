"""The entry of ``python -m reference_impl``; everything is in ``command_line``.

Holds what makes the start quick: no garbage is looked for while modules are imported (``command_line`` switches the
collector on again), and asyncio is kept from loading TLS, which nothing here speaks. Together a fifth of the start.
"""

from __future__ import annotations

import gc
import sys

gc.disable()
sys.modules["ssl"] = None  # type: ignore[assignment] # reads as "there is none", which asyncio knows how to live with

from reference_impl.command_line import main  # noqa: E402 - both are done before anything large is imported

del sys.modules["ssl"]

if __name__ == "__main__":
    sys.exit(main())
