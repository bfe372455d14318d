"""What the clients do, without doing it: each call is a flow of requests and pauses, which a client carries out.

So that both clients keep the same rules, and no rule knows how a request is sent.
"""

from __future__ import annotations

import random
import re
import time
import uuid
from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar
from urllib.parse import urlencode

from pydantic import BaseModel, ValidationError

from parley_client.answers import Page, Receipt, State
from parley_client.batches import Batch, Prepared, batches, prepared
from parley_client.credentials import Credentials
from parley_client.errors import BadAnswer, InvalidEvent, ParleyError, TooLarge, Unreachable, bad_answer, problem_of
from parley_client.messages import Answer, Lost, Pause, Request

# A request that got one of these is repeated: each event has its id, so nothing is accepted twice.
_COME_AGAIN = frozenset((408, 425, 429, 500, 502, 503, 504))
# Repeated as well, when the ingress says that later helps.
_IF_LATER_HELPS = frozenset((409,))
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0
_RECEIPT = re.compile(r"[A-Za-z0-9_-]{1,4096}")

Result = TypeVar("Result")
Step = Request | Pause
Flow = Generator[Step, Answer | Lost | None, Result]


@dataclass(frozen=True)
class Calls:
    """The calls of an ingress. ``retry_seconds``: no try begins later than that after the first one."""

    origin: str
    credentials: Credentials
    retry_seconds: float
    now: Callable[[], float] = time.monotonic

    def send(self, event: object) -> Flow[Receipt]:
        """Send one event. Raises ``ParleyError``."""
        ready = prepared(event)
        try:
            answer = yield from self._exchange("POST", "/v1/events", ready.body)
            return _read(Receipt, _object(answer), answer.status)
        except ParleyError as error:
            error.unsent = (ready.event,)
            raise

    def send_many(self, events: Iterable[object]) -> Flow[list[Receipt | ParleyError]]:
        """Send events, in as few requests as the limits of the ingress allow, one request after the other.

        Raises ``ParleyError`` with what was sent before, and what was not.
        """
        if isinstance(events, Mapping | BaseModel | str):
            raise TypeError("send_many takes several events, such as a list of them; send takes one")
        given = list(events)
        results: dict[int, Receipt | ParleyError] = {}
        ready: list[tuple[int, Prepared]] = []
        for at, event in enumerate(given):
            try:
                ready.append((at, prepared(event)))
            except InvalidEvent as error:
                results[at] = error
        open_ones = deque(batches(ready))
        while open_ones:
            batch = open_ones.popleft()
            try:
                answers = yield from self._batch(batch)
            except TooLarge as error:
                if len(batch) > 1:
                    middle = len(batch) // 2
                    open_ones.extendleft((batch[middle:], batch[:middle]))
                    continue
                answers = [error]
            except ParleyError as error:
                first = batch[0][0]
                known = dict(ready)
                error.results = [results[at] for at in range(first)]
                error.unsent = [known[at].event if at in known else given[at] for at in range(first, len(given))]
                raise
            results.update(zip((at for at, _ in batch), answers, strict=True))
        return [results[at] for at in range(len(given))]

    def status(self, receipt: Receipt | str) -> Flow[State]:
        """What became of an event. Raises ``ParleyError``; ``ValueError`` for what is no receipt."""
        name = receipt.receipt if isinstance(receipt, Receipt) else receipt
        if not isinstance(name, str) or not _RECEIPT.fullmatch(name):
            raise ValueError("receipt: give a Receipt of this client, or its member receipt")
        answer = yield from self._exchange("GET", f"/v1/receipts/{name}")
        return _read(State, _object(answer), answer.status)

    def notices(self, after: str | None, limit: int, wait: int) -> Flow[Page]:
        """The notices behind a cursor. Raises ``ParleyError``."""
        query = {"limit": str(limit), "wait": str(wait), **({} if after is None else {"after": after})}
        began_at = self.now()
        answer = yield from self._exchange("GET", f"/v1/notices?{urlencode(query)}", wait=wait)
        page = _read(Page, _object(answer), answer.status)
        if page.notices and page.cursor == after:
            raise bad_answer(answer.status, "a cursor that does not move on")
        early = began_at + min(wait, _FIRST_PAUSE * 5) - self.now()
        if not page.notices and early > 0:
            # It was to wait and did not: the next request must not follow at once.
            yield Pause(early)
        return page

    def _batch(self, batch: Batch) -> Flow[list[Receipt | ParleyError]]:
        body = b"[" + b",".join(ready.body for _, ready in batch) + b"]"
        answer = yield from self._exchange("POST", "/v1/events", body)
        results = _object(answer).get("results")
        if not isinstance(results, list) or len(results) != len(batch):
            raise bad_answer(answer.status, "without a result for each event")
        return [_result(each, answer.status) for each in results]

    def _exchange(self, method: str, path: str, body: bytes = b"", wait: float = 0) -> Flow[Answer]:
        """One request and its repetitions. Returns a good answer. Raises ``ParleyError``."""
        message_id = f"msg_{uuid.uuid4().hex}"
        until = self.now() + self.retry_seconds + wait
        pause = _FIRST_PAUSE
        while True:
            headers = self.credentials.headers(message_id, body)
            answer = yield Request(method, self.origin + path, headers, body, wait)
            if isinstance(answer, Answer) and 200 <= answer.status <= 299:
                return answer
            seconds = _seconds_to_wait(answer)
            if seconds is not None:
                # Never before it is asked for, and not everybody at the same moment.
                seconds = max(seconds, pause * random.uniform(0.5, 1))
            if seconds is None or self.now() + seconds > until:
                _fail(answer)
            yield Pause(seconds)
            pause = min(pause * 2, _LONGEST_PAUSE)


def _seconds_to_wait(answer: Answer | Lost | None) -> float | None:
    """How long to wait at least before the same request; None when it is not repeated."""
    if not isinstance(answer, Answer):
        return 0
    later = answer.retry_after
    if answer.status in _COME_AGAIN:
        return later or 0
    return later if answer.status in _IF_LATER_HELPS else None


def _fail(answer: Answer | Lost | None) -> NoReturn:
    if not isinstance(answer, Answer):
        what = answer.what if answer else "no answer"
        raise Unreachable(
            f"the ingress gave no answer ({what}): it is not known whether anything was accepted. Send the same again: "
            "with the same event_id that is safe"
        )
    if answer.media_type != "application/problem+json":
        raise bad_answer(answer.status, "no problem document")
    raise problem_of(_object(answer), answer.status, answer.retry_after)


def _object(answer: Answer) -> Mapping[str, Any]:
    value = answer.json()
    if not isinstance(value, dict):
        raise bad_answer(answer.status, "no JSON object")
    return value


Model = TypeVar("Model", Receipt, State, Page)


def _read(model: type[Model], value: Mapping[str, Any], status: int) -> Model:
    try:
        return model.model_validate(value)
    except ValidationError:
        raise bad_answer(status, f"not the members of a {model.__name__}") from None


def _result(value: object, status: int) -> Receipt | ParleyError:
    if not isinstance(value, dict):
        return bad_answer(status, "a result that is no JSON object")
    if "receipt" not in value:
        return problem_of(value, status)
    try:
        return _read(Receipt, value, status)
    except BadAnswer as error:
        return error
