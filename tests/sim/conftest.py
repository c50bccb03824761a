"""The simulation needs Python ≥ 3.12 and simloop; elsewhere ``test_launcher.py`` runs this folder in such a Python."""

from __future__ import annotations

import importlib.util
import sys

CAN_SIMULATE = sys.version_info >= (3, 12) and importlib.util.find_spec("simloop") is not None

collect_ignore_glob = ["test_launcher.py"] if CAN_SIMULATE else ["test_sim_*.py"]
