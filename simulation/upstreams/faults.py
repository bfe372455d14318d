"""Faults on demand: rules that say which calls go wrong, and how."""

from __future__ import annotations

import json
import math
import random
import time
from email.utils import formatdate
from enum import StrEnum
from http.client import responses
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from simulation.upstreams.answer import Answer, Headers, detail
from simulation.upstreams.call_log import Call, Service


class FaultKind(StrEnum):
    """What goes wrong.

    - ``ANSWER``: another answer, with ``status``, ``body``, ``headers``, ``retry_after_seconds``.
    - ``DELAY``: the right answer, ``delay_seconds`` late.
    - ``DROP``: the connection is closed without acting and without an answer.
    - ``ACT_THEN_DROP``: the call takes effect, then the connection is closed without an answer.
    - ``HALF_ANSWER``: the call takes effect, half of the answer's body is sent, then the connection is closed.
    - ``HANG``: no answer until the client leaves, the hold is released, or ``delay_seconds`` are over; after a release
      or the delay the connection is closed.
    - ``NOT_JSON``: the call takes effect, the answer is 200 with a page of HTML.
    - ``EMPTY``: the call takes effect, the answer is 204 without a body.
    - ``HUGE``: the call takes effect, the answer is 200 with ``body_bytes`` of JSON.
    - ``REDIRECT``: ``status`` (307 unless given) to ``location``.
    """

    ANSWER = "answer"
    DELAY = "delay"
    DROP = "drop"
    ACT_THEN_DROP = "act_then_drop"
    HALF_ANSWER = "half_answer"
    HANG = "hang"
    NOT_JSON = "not_json"
    EMPTY = "empty"
    HUGE = "huge"
    REDIRECT = "redirect"


_ACTING = frozenset(
    {
        FaultKind.DELAY,
        FaultKind.ACT_THEN_DROP,
        FaultKind.HALF_ANSWER,
        FaultKind.NOT_JSON,
        FaultKind.EMPTY,
        FaultKind.HUGE,
    }
)
_HTML = b"<!doctype html><title>Please wait</title><p>The service will be back in a moment."
_HUGE_BYTES = 16 * 1024 * 1024


class FaultRule(BaseModel):
    """Which calls go wrong, and how. A rule matches a call if everything that is given matches.

    Which: ``service``, ``path``, ``action`` (OUTREACH, ENTRY_POINT, FOLLOW_UP), ``persona``, ``target`` (FluidTalk),
    ``session_id`` (Captivate); of the matching calls only the ``nth`` (from 1), or the ``first`` so many, or each with
    ``probability`` (drawn from a generator of its own, started with ``seed``, one draw for each matching call).

    How: see ``FaultKind``. ``acts`` overrides whether the call takes effect: an ``ANSWER`` 500 with ``acts=True`` is a
    server that did the work and then failed. ``delay_seconds`` postpones what the rule does, for any kind. ``body`` is
    sent as it is if it is a string, else as JSON; without it ``{"detail": <the status's name>}``.
    ``retry_after_seconds`` becomes a Retry-After header, as an HTTP date if ``retry_after_as_date``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: FaultKind

    service: Service | None = None
    path: str | None = None
    action: str | None = None
    persona: str | None = None
    target: str | None = None
    session_id: str | None = None
    nth: int | None = Field(default=None, ge=1)
    first: int | None = Field(default=None, ge=1)
    probability: float = Field(default=1.0, ge=0.0, le=1.0)
    seed: int = 0

    acts: bool | None = None
    delay_seconds: float = Field(default=0.0, ge=0.0)
    status: int | None = Field(default=None, ge=200, le=599)
    body: Any = None
    headers: dict[str, str] = Field(default_factory=dict)
    retry_after_seconds: float | None = Field(default=None, ge=0.0)
    retry_after_as_date: bool = False
    location: str | None = None
    body_bytes: int = Field(default=_HUGE_BYTES, ge=16)

    @property
    def takes_effect(self) -> bool:
        """Whether a call under this rule changes state."""
        return self.kind in _ACTING if self.acts is None else self.acts

    def matches(self, call: Call) -> bool:
        """Whether everything this rule asks of a call holds, chance and number aside."""
        return (
            self.service in (None, call.service)
            and self.path in (None, call.path)
            and self.action in (None, call.action)
            and self.persona in (None, call.persona)
            and self.target in (None, call.target)
            and self.session_id in (None, call.session_id)
        )

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if self.kind is FaultKind.ANSWER and self.status is None:
            raise ValueError("a fault of kind answer needs a status")
        if self.kind is FaultKind.REDIRECT and self.location is None:
            raise ValueError("a fault of kind redirect needs a location")
        if self.kind in (FaultKind.DELAY, FaultKind.HALF_ANSWER) and self.acts is False:
            raise ValueError(f"a fault of kind {self.kind} sends the right answer, so the call must take effect")
        if self.nth is not None and self.first is not None:
            raise ValueError("give nth or first, not both")
        return self


class FaultRules:
    """The rules in force. A call gets the first one that applies, in order of adding; later ones do not count it."""

    def __init__(self) -> None:
        self._rules: list[_CountedRule] = []

    def add(self, rule: FaultRule) -> None:
        """Put a rule behind those in force."""
        self._rules.append(_CountedRule(rule))

    def clear(self) -> None:
        """Remove all rules. Calls that already hang stay so."""
        self._rules.clear()

    def pick(self, call: Call) -> FaultRule | None:
        """The rule for this call, if any."""
        for counted in self._rules:
            if counted.rule.matches(call) and counted.applies():
                return counted.rule
        return None


class _CountedRule:
    def __init__(self, rule: FaultRule) -> None:
        self.rule = rule
        self._matched = 0
        self._random = random.Random(rule.seed)

    def applies(self) -> bool:
        rule = self.rule
        self._matched += 1
        if rule.nth is not None and self._matched != rule.nth:
            return False
        if rule.first is not None and self._matched > rule.first:
            return False
        return rule.probability >= 1.0 or self._random.random() < rule.probability


def faulty_answer(rule: FaultRule, right: Answer | None) -> Answer | None:
    """The answer that goes out under ``rule``; ``right`` is the one the double would have given, if it acted.

    None for the kinds that close the connection instead (``HALF_ANSWER``, too, is not whole).
    """
    match rule.kind:
        case FaultKind.ANSWER:
            return _given_answer(rule, rule.status or 500)
        case FaultKind.REDIRECT:
            return _given_answer(rule, rule.status or 307)
        case FaultKind.DELAY:
            return right
        case FaultKind.NOT_JSON:
            return Answer(200, _HTML, b"text/html; charset=utf-8")
        case FaultKind.EMPTY:
            return Answer(204)
        case FaultKind.HUGE:
            return Answer(200, b'{"filler":"' + b"x" * (rule.body_bytes - 13) + b'"}')
        case _:
            return None


def _given_answer(rule: FaultRule, status: int) -> Answer:
    headers = _headers(rule)
    if rule.body is None:
        plain = detail(status, responses.get(status, str(status)))
        return Answer(status, plain.body, plain.content_type, headers)
    if isinstance(rule.body, str):
        return Answer(status, rule.body.encode(), b"text/plain; charset=utf-8", headers)
    return Answer(status, json.dumps(rule.body).encode(), headers=headers)


def _headers(rule: FaultRule) -> Headers:
    headers = dict(rule.headers)
    if rule.retry_after_seconds is not None:
        headers["Retry-After"] = _retry_after(rule.retry_after_seconds, rule.retry_after_as_date)
    if rule.location is not None:
        headers["Location"] = rule.location
    return tuple((name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items())


def _retry_after(seconds: float, as_date: bool) -> str:
    # A date has whole seconds: rounded up, so that it is never earlier than asked for.
    return formatdate(math.ceil(time.time() + seconds), usegmt=True) if as_date else f"{seconds:.9g}"
