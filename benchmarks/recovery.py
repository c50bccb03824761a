"""A million messages, and how soon the store is back: after a clean stop, and after a kill. In bounded memory.

Usage: ``python benchmarks/recovery.py [--messages N] [--body BYTES]``. Prints seconds, memory, and the ratio to reading
the log's bytes alone.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

from systems import end_on_signals, folder

OPEN = """
import resource, sys, time
from pathlib import Path
from reference_impl.disk import RealDisk
from reference_impl.store import Store
began = time.perf_counter()
store = Store.open(RealDisk(Path(sys.argv[1])))
seconds = time.perf_counter() - began
count = sum(store.max_offset(*queue) - store.min_offset(*queue) for queue in store.queues())
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
rss = int(open("/proc/self/statm").read().split()[1]) * 4096 // 1024
print(seconds, count, peak, rss, len(store.by_key("T3", "key-7", 64, 0, 1 << 60)))
"""
FILL = """
import resource, sys
from pathlib import Path
from reference_impl.disk import RealDisk
from reference_impl.message import Message
from reference_impl.store import Store
store = Store.open(RealDisk(Path(sys.argv[1])))
body = bytes(int(sys.argv[3]))
for number in range(int(sys.argv[2])):
    properties = {"UNIQ_KEY": f"7F0000010001AAAABBBBCCCC{number:08X}", "KEYS": f"key-{number % 100000}", "TAGS": "A"}
    message = Message(f"T{number % 4}", number % 8, body, properties, 0, 0, number, ("127.0.0.1", 4000))
    store.append(message, number, ("127.0.0.1", 10911))
    if number % 20000 == 0:
        store.sync()
store.sync()
if sys.argv[4] == "clean":
    store.save()
store.close()
rss = int(open("/proc/self/statm").read().split()[1]) * 4096 // 1024
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, rss)
"""


def child(code: str, *arguments: str) -> list[float]:
    """Run in a process of its own; the numbers it prints."""
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    return [float(word) for word in done.stdout.split()]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--body", type=int, default=256, help="bytes of each body")
    options = parser.parse_args()
    end_on_signals()
    for how in ("clean", "killed"):
        with folder("mqcheck-recovery-") as home:
            peak, rss = child(FILL, str(home), str(options.messages), str(options.body), how)
            began = time.perf_counter()
            size = 0
            for file in sorted(home.rglob("commitlog/*")):
                with file.open("rb", buffering=0) as opened:
                    while chunk := opened.read(8 << 20):
                        size += len(chunk)
            plain = time.perf_counter() - began
            seconds, count, peak_open, rss_open, found = child(OPEN, str(home))
        if count != options.messages:
            raise SystemExit(f"{how}: {count:.0f} of {options.messages} messages are back")
        print(f"{how}: open {seconds:.2f} s for {count:.0f} messages of {size >> 20} MiB")
        print(f"  {seconds / plain:.1f} times as long as reading the files alone")
        print(f"  writer: peak {peak / 1024:.0f} MiB, at the end {rss / 1024:.0f} MiB")
        print(f"  opened: peak {peak_open / 1024:.0f} MiB, then {rss_open / 1024:.0f} MiB; {found:.0f} found by a key")


if __name__ == "__main__":
    os.environ.setdefault("PYTHONPATH", str(Path(__file__).parent.parent))
    main()
