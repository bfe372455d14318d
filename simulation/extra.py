"""What simulated servers need beside a plain worker."""

from __future__ import annotations

import sys
from importlib.util import find_spec

_SERVERS = ("uvicorn", "uvloop", "starlette", "python_multipart")


def need(program: str, *further: str) -> None:
    """End the process with a sentence when the extra ``simulation`` is not installed. ``further``: modules beside those
    of the servers."""
    missing = [name for name in (*_SERVERS, *further) if find_spec(name) is None]
    if missing:
        sys.stderr.write(
            f"{program} needs {', '.join(missing)}, which a plain worker does not: "
            "pip install 'parley-worker[simulation]' (in the project's folder: make demo installs all)\n"
        )
        raise SystemExit(2)
