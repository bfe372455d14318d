"""The length check: no module over the wall. Run by ``make check``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

WALL = 500


def main() -> int:
    """Print each module over the wall; 1 when there is one."""
    listed = subprocess.run(["git", "ls-files", "*.py", "*.lua"], capture_output=True, text=True, check=True)
    lengths = {name: len(Path(name).read_text(encoding="utf-8").splitlines()) for name in listed.stdout.split()}
    too_long = {name: lines for name, lines in lengths.items() if lines > WALL}
    for name, lines in too_long.items():
        print(f"{name} has {lines} lines; the wall is {WALL}: split it by nouns")
    longest = max(lengths, key=lengths.__getitem__)
    print(f"{len(lengths)} modules, the longest is {longest} with {lengths[longest]} lines")
    return 1 if too_long else 0


if __name__ == "__main__":
    sys.exit(main())
