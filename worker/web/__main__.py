"""``python -m worker.web``: the web process, with the settings of the environment and ``.env``."""

from __future__ import annotations

import sys

from config.settings import SettingsError, load
from worker.observability import logs


def main() -> int:
    """Serve until a signal. Returns the exit status."""
    try:
        settings = load(role="web")
        logs.configure(settings.worker, settings.privacy)
        try:
            from worker.web.server import serve
        except ModuleNotFoundError as error:
            print(f"{error.name} is not installed: pip install 'parley-worker[web]'", file=sys.stderr)
            return 2
        serve(settings)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        # The server has ended as it should, and repeats the signal.
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
