"""Pushes notices to all endpoints of the settings: each has threads of its own, so none waits for another one."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
import uuid
from datetime import UTC, datetime
from random import Random

from config.notice_endpoints import Endpoint
from config.settings import Settings, SettingsError
from worker.adapters.notice_calls import Called, NoticeCalls
from worker.domain.handles import Handles
from worker.domain.notices import Notice, NoticeType
from worker.domain.unexpected import UnexpectedErrors
from worker.store import Store, StoreError
from worker.store.endpoints import Held
from worker.store.redis.troubles import Saying, trouble_of
from worker.web.push.delivery import Delivery, Moved
from worker.web.push.reports import Reports
from worker.web.push.signing import Signer, envelope
from worker.web.push.stream import NoticeStream, Wanted

_log = logging.getLogger("parley.notices")

# So often a process asks for the right to send that another one has.
_TAKE_SECONDS = 1.0
_AWAY_SECONDS = 1.0
_TELL_SECONDS = 60.0


class Sender:
    """One endpoint: sends to it whenever this process has the right to."""

    def __init__(self, name: str, endpoint: Endpoint, settings: Settings, store: Store) -> None:
        self.name = name
        self._store = store
        self._handles = Handles(settings.privacy)
        self._signer = Signer([secret.get_secret_value() for secret in endpoint.secret])
        self._calls = _calls(name, endpoint)
        self._stream = NoticeStream(store, Wanted(endpoint.types, endpoint.personas))
        self._at_once = endpoint.at_once
        self._from_now_on = endpoint.from_now_on
        self._timeout_seconds = endpoint.timeout_seconds
        self._holder = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex}"
        self._reports = Reports(name)
        self._saying = Saying()
        self._stopping = threading.Event()
        self._stop_seconds = 0.0
        self._thread = threading.Thread(target=self._run, name=f"parley-notices-{name}", daemon=True)

    def start(self) -> None:
        """Begin, in a thread of its own."""
        self._thread.start()

    def stop(self, seconds: float) -> None:
        """Begin no further call; ``join`` waits for those under way, at most so long."""
        self._stop_seconds = seconds
        self._stopping.set()

    def join(self, seconds: float) -> None:
        """Wait for its end, at most so long."""
        self._thread.join(seconds)
        self._calls.close()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._round()
                self._answers()
            except StoreError as error:
                self._is_away(error)
            except SettingsError as error:
                self._reports.misfit(str(error))
                self._stopping.wait(_AWAY_SECONDS)
            except Exception as error:
                self._reports.unexpected(error)
                self._stopping.wait(_AWAY_SECONDS)

    def _is_away(self, error: StoreError) -> None:
        trouble = trouble_of(error)
        if self._saying.now(trouble):
            _log.warning("notices wait for the store, those to %s: it %s", self.name, trouble.told("none is lost"))
        self._stopping.wait(_AWAY_SECONDS)

    def _answers(self) -> None:
        seconds = self._saying.over()
        if seconds is not None:
            _log.warning("notices go on, those to %s: the store answers again after %.0f s", self.name, seconds)

    def _round(self) -> None:
        self._store.layout.ensure()
        held = self._store.endpoints.take(self.name, self._holder)
        if held is None or held.is_paused:
            self._stopping.wait(_TAKE_SECONDS)
            return
        self._deliver(held)

    def _deliver(self, held: Held) -> None:
        delivery = Delivery(
            self.name,
            self._holder,
            held,
            self._store.endpoints,
            self._stream,
            self._call,
            self._at_once,
            self._reports,
            Random(),
            from_now_on=self._from_now_on,
        )
        _log.info("this process sends notices to %s", self.name)
        try:
            while not self._stopping.is_set():
                try:
                    delivery.step()
                    self._answers()
                except StoreError as error:
                    # What is under way outlives an outage of the store.
                    self._is_away(error)
        except Moved:
            pass
        finally:
            delivery.end(self._stop_seconds if self._stopping.is_set() else self._timeout_seconds)

    def _call(self, notice: Notice) -> Called:
        body = envelope(notice.document(self._handles))
        return self._calls.post(body, self._signer.headers(notice.id, body, datetime.now(UTC)))


class _Telling:
    """Says at intervals that there are these endpoints: to those who look, and to workers that notices are kept."""

    def __init__(self, names: list[str], store: Store) -> None:
        self._names = names
        self._store = store
        self._stopping = threading.Event()
        self._unexpected = UnexpectedErrors(_log, "telling that notices are kept")
        self._thread = threading.Thread(target=self._run, name="parley-notices-kept", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._stopping.set()
        self._thread.join(_TELL_SECONDS)

    def _run(self) -> None:
        while True:
            seconds = _TELL_SECONDS
            try:
                for name in self._names:
                    self._store.endpoints.know(name)
                self._store.notices.keep()
            except StoreError:
                # The senders say that it is away.
                seconds = _AWAY_SECONDS
            except Exception as error:
                self._unexpected.note(error)
            if self._stopping.wait(seconds):
                return


class Pusher:
    """All of them. Raises ``SettingsError`` for an endpoint that cannot be as its settings say."""

    def __init__(self, settings: Settings, store: Store) -> None:
        for name, endpoint in settings.notices.endpoints.items():
            _check(name, endpoint, settings)
        self._senders = [Sender(name, each, settings, store) for name, each in settings.notices.endpoints.items()]
        self._telling = _Telling(self.names, store)

    @property
    def names(self) -> list[str]:
        """The names of the endpoints."""
        return [sender.name for sender in self._senders]

    def start(self) -> None:
        """Begin to push."""
        self._telling.start()
        for sender in self._senders:
            sender.start()

    def stop(self, seconds: float) -> None:
        """End: calls under way are waited for, at most so long."""
        if not self._senders:
            return
        until = time.monotonic() + seconds
        for sender in self._senders:
            sender.stop(seconds)
        self._telling.stop()
        for sender in self._senders:
            sender.join(max(0.0, until - time.monotonic()) + 1.0)


def _check(name: str, endpoint: Endpoint, settings: Settings) -> None:
    where = f"PARLEY_NOTICES__ENDPOINTS__{name.upper()}__"
    if unknown := sorted(set(endpoint.personas or ()) - set(settings.personas)):
        raise SettingsError(f"{where}PERSONAS: {unknown[0]} is no configured persona")
    for wanted in endpoint.types or ():
        if not any(_is_of(known.value, wanted) for known in NoticeType):
            raise SettingsError(f"{where}TYPES: there is no notice {wanted}: docs/notices.md lists them")


def _is_of(known: str, wanted: str) -> bool:
    return known.startswith(wanted.removesuffix("*")) if wanted.endswith("*") else known == wanted


def _calls(name: str, endpoint: Endpoint) -> NoticeCalls:
    try:
        return NoticeCalls(
            endpoint.url.get_secret_value(),
            timeout_seconds=endpoint.timeout_seconds,
            allow_private_addresses=endpoint.allow_private_addresses,
            ca_path=endpoint.ca_path,
            proxy=endpoint.proxy_url,
        )
    except ValueError as error:
        raise SettingsError(f"PARLEY_NOTICES__ENDPOINTS__{name.upper()}__URL: {error}") from None
