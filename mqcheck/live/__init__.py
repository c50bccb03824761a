"""The run as it happens: what `mqcheck run` shows besides pytest's own output."""
