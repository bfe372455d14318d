"""Other leads who go on writing while a test waits."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from worker.domain.events import InboundChat
from worker.pipeline.producer import Producer


@contextmanager
def others_writing(producer: Producer, chat: Callable[[str], InboundChat]) -> Iterator[None]:
    """Let a lead write five times a second. Failures end an event only while other calls succeed."""
    stopped = threading.Event()

    def write() -> None:
        while not stopped.wait(0.2):
            producer.enqueue(chat("@other"))

    writing = threading.Thread(target=write)
    writing.start()
    try:
        yield
    finally:
        stopped.set()
        writing.join()
