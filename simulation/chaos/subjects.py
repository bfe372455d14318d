"""Whom a chaos run tries: Parley, or another worker that does the same job."""

from __future__ import annotations

import importlib
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from typing import Any, Protocol

from redis import Redis
from redis.exceptions import RedisError

from config.settings import Settings
from simulation.chaos.endings import Ending
from simulation.chaos.fates import Fates, fates
from simulation.chaos.feed import NoReceipt
from simulation.chaos.messages import Message, event_id, number_of
from simulation.chaos.notice_reader import NoticeReader
from simulation.chaos.push import NAME
from simulation.judge.notices import Notices
from simulation.judge.pushed import Counted, Pushed, Received, judge_pushed
from simulation.judge.words import STOP
from simulation.messages import metadata
from worker.domain.conversation import Conversation
from worker.domain.events import Event, parse
from worker.domain.reasons import read
from worker.domain.vocabulary import FATES
from worker.pipeline.operator_acts import OperatorActs
from worker.pipeline.producer import Producer
from worker.store import Store, StoreError
from worker.store.endpoints import MOST_REFUSED
from worker.store.views.timeline import Moment

_ASKS, _SENDS = ("asking", "second ask"), ("sending", "resent")
_ATTEMPTS = _ASKS + _SENDS


class Subject(Protocol):
    """What the chaos has to know of the system that it tries.

    ``doorbells_are_hints``: its Celery messages may be taken away. ``settle_seconds``: when nothing waits and no call
    was made for so long, it is done.
    """

    redis: Redis
    doorbells_are_hints: bool
    settle_seconds: float

    def send(self, batch: Sequence[Message]) -> None:
        """Accept a batch. Raises ``NoReceipt``."""
        ...

    def waiting(self) -> int | None:
        """Accepted messages that have no fate yet; None while that cannot be known."""
        ...

    def endings(self, persona: str, target: str) -> Mapping[int, Ending]:
        """How the system says that the events of a conversation ended, by their numbers."""
        ...

    def ending_of(self, persona: str, target: str, event_id: str) -> Ending | None:
        """How the system says that one event ended, such as what an operator said; None = it has not."""
        ...

    def words(self, persona: str, target: str) -> Sequence[str]:
        """What the system itself says that it did in a conversation, step by step."""
        ...

    def unexplained(self) -> int:
        """Accepted messages that neither have a fate nor wait, by the system's own books."""
        ...

    def closed_gates(self) -> Collection[str]:
        """The owners (``persona <name>``, ``channel``) whose upstream it takes to be away. Raises ``RedisError``."""
        ...

    def begin(self) -> None:
        """The system runs: watch it, if there is anything to watch."""
        ...

    def notices(self) -> Notices:
        """What its notices prove, to be asked at the end. Raises ``RedisError``."""
        ...

    def untold(self) -> bool:
        """Whether notices have not been pushed yet, as far as that can be known."""
        ...

    def pushed(self, received: Sequence[Received]) -> Pushed:
        """What the log of its receiver proves, to be asked at the end. Raises ``RedisError``."""
        ...

    def close(self) -> None:
        """Close the connections."""
        ...


class ParleySubject:
    """Parley, fed by its producer."""

    doorbells_are_hints = True
    settle_seconds = 0.0

    def __init__(self, settings: Settings, *, steps: bool = False) -> None:
        self._store = Store(settings, connections=8, ahead=steps)
        self._producer = Producer(settings, store=self._store)
        self._reader = NoticeReader(self._store) if settings.notices.enabled else None
        self._photo_url = f"{settings.fluidtalk.base_url}/media/photo.png"
        self.redis: Redis = self._store.redis
        # Looks at gates, at once or not at all: a store that is away is not waited for.
        self._watching = Redis.from_url(settings.redis_url.get_secret_value(), socket_timeout=2, retry=None)
        home, channel = self._store.keys.home, settings.captivate.name
        self._gates = [
            *((f"persona {name}", home(name).persona(name), "circuit_until") for name in settings.personas),
            ("channel", home(channel).channel(channel), "channel_until"),
        ]

    def send(self, batch: Sequence[Message]) -> None:
        """Enqueue in order; the event's id is the message's number, so a batch that comes again makes nothing twice."""
        try:
            results = self._producer.enqueue_many([self._event(message) for message in batch])
        except StoreError as error:
            raise NoReceipt from error
        refusals = [result for result in results if isinstance(result, Exception)]
        if refusals:
            raise refusals[0]

    def waiting(self) -> int | None:
        """From the books; None while the store is unreachable."""
        try:
            return sum(account.waiting for account in self._store.books.accounts())
        except StoreError:
            return None

    def endings(self, persona: str, target: str) -> Mapping[int, Ending]:
        """Of the events that the timeline names. Dead only what the list of dead letters has."""
        accepted = [moment for moment in self._timeline(persona, target) if moment.word == "accepted"]
        found = {}
        for name in {str(moment.details[1]) for moment in accepted}:
            if ending := self.ending_of(persona, target, name):
                found[number_of(name)] = ending
        return found

    def ending_of(self, persona: str, target: str, event_id: str) -> Ending | None:
        """From the record of the event."""
        conversation = Conversation(persona, target)
        key = self._store.keys.of(conversation).journal(conversation, event_id)
        fate, reason = self.redis.hmget(key, "fate", "reason")
        if not fate or (fate == "dead" and (event_id, persona, target) not in self._dead):
            return None
        # One answer for several events ends them all alike.
        return Ending("answered" if fate == "joined" else str(fate), *(read(str(reason or "")) or ("",)))

    def words(self, persona: str, target: str) -> Sequence[str]:
        """The timeline, with the attempts that it leaves out of a long row of equal ones."""
        return whole_rows(self._timeline(persona, target))

    def acts(self, by: str, call: str) -> OperatorActs:
        """What an operator does."""
        return OperatorActs(self._store, by, call)

    def unexplained(self) -> int:
        """From the books."""
        return sum(abs(account.unexplained) for account in self._store.books.accounts())

    def closed_gates(self) -> Collection[str]:
        """From the home shards."""
        with self._watching.pipeline(transaction=False) as pipeline:
            for _, key, field in self._gates:
                pipeline.hexists(key, field)
            return [owner for (owner, _, _), closed in zip(self._gates, pipeline.execute(), strict=True) if closed]

    def begin(self) -> None:
        """Read its notices from now on, where it keeps them."""
        if self._reader:
            self._reader.start()

    def notices(self) -> Notices:
        """Of the reader."""
        return self._reader.stop(self._fates) if self._reader else Notices()

    def untold(self) -> bool:
        """Whether an endpoint has not passed all notices; True while the store is unreachable."""
        try:
            return any(behind for _, behind in self._store.endpoints.all())
        except StoreError:
            return True

    def pushed(self, received: Sequence[Received]) -> Pushed:
        """By the fates, and by what the store has counted of the endpoint."""
        if not self._reader:
            return Pushed()
        state = self._store.endpoints.state(NAME)
        listed = [each.notice for each in self._store.endpoints.refusals(NAME, MOST_REFUSED)]
        counted = Counted(state.dropped, listed, MOST_REFUSED, state.lost)
        return judge_pushed(received, self._fates.of_leads, counted, self._fates.by_operators)

    def close(self) -> None:
        """Close the store."""
        self._watching.close()
        self._producer.close()
        self._store.close()

    @cached_property
    def _fates(self) -> Fates:
        return fates(self._store)

    @cached_property
    def _dead(self) -> set[tuple[str, str, str]]:
        letters = self._store.dead_letters.in_order()
        return {(letter.event_id, letter.conversation.persona, letter.conversation.target) for letter in letters}

    def _timeline(self, persona: str, target: str) -> list[Moment]:
        return self._store.timeline.of(Conversation(persona, target))

    def _event(self, message: Message) -> Event:
        name = event_id(message.number)
        fields: dict[str, Any] = {
            "kind": message.kind,
            "event_id": name,
            "persona": message.persona,
            "target": message.target,
            "channel": {"session_id": message.session_id, "metadata": metadata(event=name), "hasLivechat": False},
        }
        if message.kind == "inbound_chat":
            fields["message"] = STOP if message.said == "stop" else message.text
        else:
            fields["own_username"] = name
        if message.kind == "event_trigger":
            fields |= {"event_type": "story_reaction", "context": {"event": name}}
        if message.attached:
            fields["attachments"] = [{"url": self._photo_url, "filename": message.image}]
        elif message.image:
            fields["image_url"] = f"https://images.example/{message.image}"
        return parse(fields)


class OtherSubject:
    """A Celery app without a store: its module has ``send(messages)`` and ``waiting()``, and it keeps no books."""

    doorbells_are_hints = False
    # A message between the broker and a worker's memory can be invisible for a moment.
    settle_seconds = 5.0

    def __init__(self, app: str, redis_url: str) -> None:
        module = importlib.import_module(app)
        self._send, self._waiting = module.send, module.waiting
        self.redis = Redis.from_url(redis_url)

    def send(self, batch: Sequence[Message]) -> None:
        """Publish one task for each message."""
        try:
            self._send(
                [(message.persona, message.target, message.session_id, metadata(), message.text) for message in batch]
            )
        except (OSError, RedisError) as error:
            raise NoReceipt from error

    def waiting(self) -> int | None:
        """Messages in the broker, in a queue or in somebody's hands."""
        try:
            return int(self._waiting())
        except RedisError:
            return None

    def endings(self, persona: str, target: str) -> Mapping[int, Ending]:
        """Nothing is given up: it retries for ever."""
        return {}

    def ending_of(self, persona: str, target: str, event_id: str) -> Ending | None:
        """It says nothing."""
        return None

    def words(self, persona: str, target: str) -> Sequence[str]:
        """It says nothing."""
        return []

    def unexplained(self) -> int:
        """There are no books to disagree with."""
        return 0

    def closed_gates(self) -> Collection[str]:
        """It has none."""
        return ()

    def begin(self) -> None:
        """There is nothing to watch."""

    def notices(self) -> Notices:
        """It tells none."""
        return Notices()

    def untold(self) -> bool:
        """It tells none."""
        return False

    def pushed(self, received: Sequence[Received]) -> Pushed:
        """It tells none."""
        return Pushed()

    def close(self) -> None:
        """Close the connection."""
        self.redis.close()


def whole_rows(moments: Sequence[Moment]) -> list[str]:
    """The words of a timeline. Of a long row of attempts that ended alike it keeps only the first ones and the last,
    each with its number: those between are put back."""
    words: list[str] = []
    numbers: dict[bool, int] = {}
    for moment in moments:
        if moment.word in FATES:
            numbers.clear()
        elif moment.word in _ATTEMPTS:
            asks, number = moment.word in _ASKS, int(moment.details[0])
            words += [moment.word] * (number - numbers.get(asks, number) - 1)
            numbers[asks] = number
        words.append(moment.word)
    return words
