"""From a history and ``specs/`` to verdicts with evidence."""
