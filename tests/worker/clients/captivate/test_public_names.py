"""The package is one counter with a sorted list of names, and can be lifted out."""

from __future__ import annotations

import subprocess
import sys

import worker.clients.captivate as package


def test_names_are_sorted_and_exist() -> None:
    assert package.__all__ == sorted(package.__all__)
    assert all(hasattr(package, name) for name in package.__all__)


def test_the_documented_names_are_there() -> None:
    documented = {
        "ActionModel", "ButtonMessageModel", "Captivate", "CaptivateClient", "CaptivateError", "CaptivateResponseModel",
        "CardCollectionModel", "CardMessageModel", "ChannelMetadataModel", "ChatRequest", "FileCollectionModel",
        "FileModel", "HtmlMessageModel", "TableMessageModel", "TextMessageModel", "UserModel",
    }  # fmt: skip
    assert documented <= set(package.__all__)


def test_importing_opens_no_socket_and_starts_no_thread() -> None:
    code = (
        "import socket, threading\n"
        "def refuse(*a, **k): raise SystemExit('a socket was opened')\n"
        "socket.socket.connect = socket.getaddrinfo = refuse\n"
        "import worker.clients.captivate, worker.adapters.images\n"
        "raise SystemExit(threading.active_count() - 1)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
