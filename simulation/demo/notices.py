"""The notices of the demo, pulled at the ingress as a CRM would: one for each fate, in order for each lead."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from simulation.demo.findings import Finding
from simulation.ingress_client import IngressClient
from worker.domain.vocabulary import FATES
from worker.store.views.books import Account

Notice = dict[str, Any]

_EVENT = "parley.event."


class NoticeStream:
    """All notices that were pulled so far. ``shown``: the target whose notices are kept to be shown."""

    def __init__(self, ingress: IngressClient, shown: str) -> None:
        self._ingress = ingress
        self._cursor = ""
        self._target = shown
        self._fates: Counter[str] = Counter()
        self._last: dict[tuple[str, str], int] = {}
        self._gaps = 0
        self._dropped = 0
        self.shown: list[Notice] = []

    def pull(self) -> None:
        """Pull until there are no more. Raises ``IngressFailed``."""
        while True:
            page = self._ingress.notices(self._cursor)
            self._cursor = page.cursor
            self._dropped += page.dropped
            self._read(page.notices)
            if not page.notices:
                return

    def findings(self, accounts: Iterable[Account]) -> list[Finding]:
        """Whether they tell what the books tell."""
        books = Counter({fate: sum(getattr(account, fate) for account in accounts) for fate in FATES})
        ends, told, missing = books.total(), self._fates.total(), self._gaps + self._dropped
        return [
            Finding(
                +books == +self._fates, "notices", "one for each fate, as in the books", f"{told} for {ends} fates"
            ),
            Finding(missing == 0, "gaps", "in the sequence of a lead's notices, or dropped", str(missing)),
        ]

    def _read(self, notices: Sequence[Notice]) -> None:
        for notice in notices:
            lead = (notice["persona"], notice["target"] or "")
            before = self._last.get(lead)
            self._gaps += before is not None and notice["sequence"] != before + 1
            self._last[lead] = notice["sequence"]
            if notice["type"].removeprefix(_EVENT) in FATES:
                self._fates[notice["fate"]] += 1
            if notice["target"] == self._target:
                self.shown.append(notice)


class Row(NamedTuple):
    """One notice as the summary shows it."""

    type: str
    kind: str
    cause: str
    calls: str


def row_of(notice: Notice) -> Row:
    """What a spectator reads of a notice."""
    attempts = notice["attempts"]
    calls = f"asked {attempts['asked']}, sent {attempts['sent']}" if attempts else ""
    return Row(notice["type"], notice["kind"] or "", notice["cause"] or "", calls)
