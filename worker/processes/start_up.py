"""What a worker checks when it starts: that the store keeps what it accepts."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from config.celery import ACCEPT, OUTREACH, SCHEDULE, TURNS
from config.settings import Settings
from worker.domain.unexpected import UnexpectedErrors
from worker.observability import checks
from worker.observability.checks import Finding
from worker.store import Store, StoreError
from worker.store.redis import server_facts
from worker.store.redis.troubles import Saying, trouble_of
from worker.store.redis.writes import memory

_log = logging.getLogger("parley.check")

_LOG_LEVELS = {"ok": logging.DEBUG, "warning": logging.WARNING, "failure": logging.ERROR}


def examine(settings: Settings, store: Store) -> tuple[list[Finding], bool]:
    """All findings, and whether the store answered."""
    address = settings.store_address
    known = [*checks.of_settings(settings), *_of_broker(settings, store)]
    try:
        facts = {name: server_facts.facts(one) for name, one in server_facts.servers(store.redis).items()}
        layout = checks.of_layout(store.layout.look())
        apis = checks.of_apis(store.apis.changes())
        encryption = checks.of_encryption(store.content.writes_with, store.rotation.sample())
        lying = store.queues.look()
        used, refusal = memory(store.redis), store.refusal()
        notices = _of_notices(store)
    except StoreError as error:
        trouble = trouble_of(error)
        found = checks.refusing(address, trouble) if trouble.answered else checks.unreachable(address, trouble.code)
        return [*known, found], False
    queues = checks.of_queues(lying.unread, complete=lying.complete)
    writes = checks.of_writes(refusal), checks.of_memory(used)
    return [*known, *checks.of_store(address, facts), *writes, layout, *apis, encryption, queues, *notices], True


def _of_notices(store: Store) -> list[Finding]:
    try:
        return checks.of_notices(store.notices.refused())
    except StoreError as error:
        # What a server answers instead, such as one node of a cluster, is another finding.
        if trouble_of(error).answered:
            return []
        raise


def _of_broker(settings: Settings, store: Store) -> list[Finding]:
    if store.broker is None:
        return []
    return [checks.of_broker(settings.broker_address, store.broker.trouble((TURNS, OUTREACH, SCHEDULE, ACCEPT)))]


def examine_layout(_: Settings, store: Store) -> tuple[list[Finding], bool]:
    """What a scheduler has to know before it uses a store, and whether the store answered."""
    try:
        return [checks.of_layout(store.layout.look())], True
    except StoreError:
        return [], False


def _reason_to_refuse(found: list[Finding], settings: Settings) -> str:
    forbidden = [finding for finding in found if finding.forbids_work]
    if forbidden:
        return "; ".join(f"{finding.means}; to do: {finding.remedy}" for finding in forbidden)
    fatal = [finding for finding in found if finding.loses_data]
    if not fatal or not settings.worker.require_durable_store:
        return ""
    reasons = "; ".join(f"{finding.check} {finding.means}" for finding in fatal)
    return f"{reasons}. PARLEY_WORKER__REQUIRE_DURABLE_STORE=false lets it work all the same"


class StartUpCheck:
    """Examines the store once, as soon as it answers.

    ``refuse`` is called with the reason when the store was made with another number of shards, when events wait under
    the names of an API that their persona has no more, or when accepted events will be lost and
    ``worker.require_durable_store`` is on. If the store answers at once, it is called before ``begin``
    returns, else later from a thread of its own. Until then the worker waits for the store as usual. A check
    that ends with an unexpected error is not passed: the error is logged, and the check is repeated.
    ``only``: a smaller check in place of ``examine``.
    """

    def __init__(
        self,
        settings: Settings,
        refuse: Callable[[str], None],
        again_seconds: float = 2.0,
        only: Callable[[Settings, Store], tuple[list[Finding], bool]] | None = None,
    ) -> None:
        self._settings = settings
        self._only = only
        self._refuse = refuse
        self._again_seconds = again_seconds
        self._stopped = threading.Event()
        self._passed = False
        self._unexpected = UnexpectedErrors(_log, "start-up check")
        self._saying = Saying()

    def passed(self) -> bool:
        """Whether the store has answered and may be used."""
        return self._passed

    def begin(self) -> None:
        """Check now, and if the store does not answer, again in the background until it does."""
        if not self._try(first=True):
            threading.Thread(target=self._run, name="parley-check", daemon=True).start()

    def stop(self) -> None:
        """Stop checking."""
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.wait(self._again_seconds):
            if self._try(first=False):
                return

    def _try(self, *, first: bool) -> bool:
        try:
            return self._look(first=first)
        except StoreError as error:
            trouble = trouble_of(error)
            if self._saying.now(trouble):
                means = trouble.told("the start-up check is repeated until it can be made")
                _log.warning("store not checked yet: it %s", means)
            return False
        except Exception as error:
            self._unexpected.note(error)
            return False

    def _look(self, *, first: bool) -> bool:
        store = Store(self._settings, connections=1)
        try:
            found, answered = (self._only or examine)(self._settings, store)
            reason = _reason_to_refuse(found, self._settings)
            if answered and not reason and not self._only:
                store.apis.note()
                store.notices.keep()
        finally:
            store.close()
        if answered or first:
            for finding in found:
                remedy = f"; to do: {finding.remedy}" if finding.remedy else ""
                _log.log(_LOG_LEVELS[finding.level], "%s: %s%s", finding.check, finding.means, remedy)
        self._passed = answered and not reason
        if reason:
            self._refuse(reason)
        return answered
