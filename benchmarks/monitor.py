"""Which Redis commands which process sends, counted with MONITOR."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from pathlib import Path

from redis import Redis

WITHIN_SCRIPTS = "lua"


class Commands(threading.Thread):
    """Every command that the server runs, until it is told to stop: by client address, ``lua`` for those of scripts.

    ``seen`` counts them by client and name.
    """

    def __init__(self, redis: Redis) -> None:
        super().__init__(daemon=True)
        self._redis = redis
        self._until = float("inf")
        self._ready = threading.Event()
        self.seen: Counter[tuple[str, str]] = Counter()

    def begin(self) -> None:
        """Start; from now on nothing is missed."""
        self.start()
        self._ready.wait(10)

    def run(self) -> None:
        """Count."""
        with self._redis.monitor() as monitor:  # type: ignore[no-untyped-call]
            self._ready.set()
            for command in monitor.listen():
                if time.monotonic() > self._until:
                    return
                client = f"{command['client_address']}:{command['client_port']}"
                client = WITHIN_SCRIPTS if command["client_type"] == "lua" else client
                self.seen[client, command["command"].partition(" ")[0].upper()] += 1

    def stop(self) -> None:
        """The next command is the last one."""
        self._until = time.monotonic()
        self._redis.ping()
        self.join(10)

    def of(self, process: int) -> Counter[str]:
        """What this process has sent over the connections that it has now."""
        own = connections(process)
        found = Counter[str]()
        for (client, command), number in self.seen.items():
            if client in own:
                found[command] += number
        return found

    @property
    def within_scripts(self) -> Counter[str]:
        """What scripts have called."""
        return Counter({command: number for (client, command), number in self.seen.items() if client == WITHIN_SCRIPTS})


def connections(pid: int) -> set[str]:
    """Addresses on this machine of a process' connections."""
    inodes = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            inodes.add(os.readlink(descriptor))
        except OSError:
            continue
    found = set()
    for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if f"socket:[{fields[9]}]" in inodes:
            found.add(f"127.0.0.1:{int(fields[1].rpartition(':')[2], 16)}")
    return found
