"""The entry of ``python -m reference_impl``; everything is in ``command_line``.

Holds one thing: no garbage is looked for while modules are imported, which saves a tenth of the time until ready.
``command_line`` switches the collector on again.
"""

from __future__ import annotations

import gc

gc.disable()

import sys  # noqa: E402 - the collector is off before anything large is imported

from reference_impl.command_line import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
