"""One request to the console: who asks, for what, and the answers that pages give."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import HTMLResponse, RedirectResponse, Response

from config.operators import Operator
from config.settings import Settings
from worker.cli.session import Session as Opened
from worker.domain.conversation import Conversation
from worker.pipeline.operator_acts import OperatorActs
from worker.store import Store
from worker.web.console.conditions import Conditions
from worker.web.console.rendering import render
from worker.web.console.sealed import Sealed

MENU = (
    ("/", "Overview"),
    ("/conversations", "Conversations"),
    ("/dead", "Dead letters"),
    ("/follow-ups", "Follow-ups"),
    ("/personas", "Personas"),
    ("/audit", "Audit"),
)
_PLACE = "conversation"
# What the last act came to, for the page that is shown next.
TOLD = "told"


class Refusal(Exception):
    """An answer that is a page of its own. ``status``: of HTTP."""

    def __init__(self, status: int, title: str, sentence: str) -> None:
        super().__init__(title)
        self.status, self.title, self.sentence = status, title, sentence


@dataclass(frozen=True, slots=True)
class Visit:
    """A request by an operator. ``form``: the fields of a form, ``query``: those of the address. ``told``: what the act
    before came to. ``path``: with its query, for links back."""

    settings: Settings
    store: Store
    sealed: Sealed
    conditions: Conditions
    operator: Operator
    token: str
    path: str
    told: str = ""
    names: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str] = field(default_factory=dict, repr=False)

    menu: Sequence[tuple[str, str]] = MENU

    @property
    def opened(self) -> Opened:
        """What functions of the command take."""
        return Opened(self.settings, self.store)

    @property
    def acts(self) -> OperatorActs:
        """What this operator does."""
        return OperatorActs(self.store, self.operator.name, _call_in(self.form))

    @property
    def conversation(self) -> Conversation:
        """The conversation that the address names. Raises ``Refusal``."""
        found = self.sealed.open(_PLACE, self.names["place"])
        if found is None:
            raise Refusal(404, "No such page", "This address names no conversation. Look for it in Conversations.")
        return Conversation(*found)

    def place_of(self, conversation: Conversation) -> str:
        """The address of a conversation's page, which does not name it."""
        return f"/c/{self.sealed.seal(_PLACE, list(conversation))}"

    def page(self, template: str, *, status: int = 200, **values: Any) -> Response:
        """A page. ``fresh`` names the act that a form is for: the same form again is the same act."""
        shared = {"visit": self, "operator": self.operator, "token": self.token, "told": self.told}
        return HTMLResponse(render(template, fresh=uuid.uuid4().hex, **shared, **values), status)

    def go(self, address: str, told: str = "") -> Response:
        """Show another page, and say there what was done."""
        response = RedirectResponse(address, 303)
        if told:
            response.headers["Parley-Told"] = self.sealed.seal(TOLD, told)
        return response


def _call_in(form: Mapping[str, str]) -> str:
    # What a page of ours put there; anything else is as good as nothing.
    given = form.get("id", "")
    return given if re.fullmatch("[0-9a-f]{32}", given) else ""
