"""What races on a real store have in common: real turns without a network, batches of leads, verdicts that add up."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, ClassVar, Generic, Self, TypeVar

from config.settings import Settings
from worker.adapters.images import FetchedImage
from worker.domain.answer import Answer
from worker.domain.cadence import Planned, Touch
from worker.domain.conversation import Conversation
from worker.domain.events import ChannelContext, InboundChat, StoredEvent
from worker.domain.reply import Reply
from worker.pipeline.ask import Asking
from worker.pipeline.consent import Consents
from worker.pipeline.reach import Reach
from worker.pipeline.turn import Turn
from worker.pipeline.turns import Turns
from worker.store import Store
from worker.store.conversations.leases import LeaseKeeper
from worker.store.conversations.turn_steps import Grant

BATCH = 200
# More than any lead of a race can need.
_TURNS = 200
_SILENCE_MS = 3_600_000


class Verdict:
    """How races ended, as a dataclass of counts. ``MUST_BE_ZERO``: the names of what must not happen."""

    __slots__ = ()
    MUST_BE_ZERO: ClassVar[tuple[str, ...]] = ()

    def __add__(self, other: Self) -> Self:
        assert is_dataclass(self), "a verdict is a dataclass of counts"
        return type(self)(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(self)))

    @property
    def clean(self) -> bool:
        """Whether nothing happened that must not."""
        return not any(getattr(self, name) for name in self.MUST_BE_ZERO)


V = TypeVar("V", bound=Verdict)


class Persona:
    """Answers with the same words always. ``heard``: called with the events of each call, before the answer."""

    def __init__(self, *bubbles: str, heard: Callable[[tuple[StoredEvent, ...]], None] = lambda _: None) -> None:
        self._answer = Answer(bubbles)
        self._heard = heard

    def ask(self, group: tuple[StoredEvent, ...], image_url: str | None) -> Answer:
        """Always the same words."""
        self._heard(group)
        return self._answer

    def host(self, target: str, image: bytes, filename: str) -> str:
        raise AssertionError("no lead of these races sends an image")

    def try_out(self) -> None:
        """Always there."""

    def echo_of(self, group: tuple[StoredEvent, ...]) -> str:
        """It answers the same words again."""
        return ""


class Channel:
    """Delivers everything. ``sent``: called with the session id of each delivery."""

    def __init__(self, sent: Callable[[str], None] = lambda _: None) -> None:
        self._sent = sent

    def message_of(self, context: ChannelContext, reply: Reply, sent: int) -> dict[str, Any]:
        """To whom it goes."""
        return {"to": context.session_id}

    def send(self, message: dict[str, Any], idempotency_key: str) -> None:
        """Everything arrives."""
        self._sent(message["to"])

    def reachable(self) -> bool:
        """Always."""
        return True


class _NoImages:
    def fetch(self, url: str) -> FetchedImage:
        raise AssertionError("no lead of these races sends an image")


class Races(ABC, Generic[V]):
    """Runs races on a store of their own, which they empty. All personas of ``settings`` are ``persona``.

    ``nothing``: the verdict on no race. ``connections``: of the store, more than there are threads.
    """

    def __init__(
        self,
        settings: Settings,
        seed: int,
        nothing: V,
        *,
        persona: Persona,
        channel: Channel,
        connections: int,
    ) -> None:
        self._store = Store(settings, connections=connections)
        self._process = self._store.process_leases()
        lease = settings.lease
        self._keeper = LeaseKeeper(
            self._store.steps.renew, lease.ttl_seconds, lease.renewal_seconds, process=self._process
        )
        reach = Reach(settings.gates, settings.personas, settings.captivate.name, self._store)
        consents = Consents(settings.consent_rules, self._store)
        personas = dict.fromkeys(settings.personas, persona)
        asking = Asking(settings.retry, self._store, personas, _NoImages(), reach, consents)
        turn = Turn(settings, self._store, asking, channel, reach, consents)
        self._turns = Turns(settings, self._store, self._process, self._keeper, turn)
        self._chance = random.Random(seed)
        self._nothing = nothing

    def close(self) -> None:
        """Stop the background thread and close all connections."""
        self._keeper.stop()
        self._process.stop()
        self._store.close()

    def run(self, races: int, progress: Callable[[int, V], None] | None = None) -> V:
        """So many races, in batches; ``progress`` is called after each one."""
        verdict = self._nothing
        for done in range(0, races, BATCH):
            self._store.redis.flushdb()
            leads = [Conversation("ava", f"@{number}") for number in range(done, min(done + BATCH, races))]
            self._batch(leads)
            verdict = sum(map(self._judge, leads), verdict)
            if progress:
                progress(min(done + BATCH, races), verdict)
        return verdict

    @abstractmethod
    def _batch(self, leads: Sequence[Conversation]) -> None:
        """Let everything loose on these leads of an empty store, and return when it is over."""

    @abstractmethod
    def _judge(self, lead: Conversation) -> V:
        """The verdict on one lead."""

    def _shuffled(self, leads: Sequence[Conversation]) -> list[Conversation]:
        return self._chance.sample(leads, len(leads))

    def _finish(self, conversation: Conversation) -> None:
        for _ in range(_TURNS):
            said = self._turns.run(*conversation)
            if said == "nothing to do":
                return
        raise RuntimeError(f"a lead of the races is not done after {_TURNS} turns: the last one said {said}")

    def _fall_silent(self, lead: Conversation, within_seconds: float) -> None:
        self._store.inbox.accept(chat(lead))
        grant = self._store.steps.begin(lead, lead.target)
        assert isinstance(grant, Grant), "no other turn is there yet"
        now = self._store.follow_ups.now()
        due = now + int(self._chance.uniform(0, within_seconds) * 1000)
        # Quiet for longer than the first silence of the cadence, so that the policy does not move it.
        planned = Planned(0, now - _SILENCE_MS, Touch(due, "a race"))
        self._store.steps.settle(grant, "answered", mark="started", follow_up=planned)


def context_of(lead: Conversation) -> ChannelContext:
    """The channel of a lead, whose session id is its target."""
    metadata = {"internal": {"channelMetadata": {"channelMetadata": {"channel": "c"}}}}
    return ChannelContext(session_id=lead.target, metadata=metadata)


def chat(lead: Conversation, message: str = "hi") -> InboundChat:
    """A message of a lead."""
    return InboundChat(persona=lead.persona, target=lead.target, message=message, channel=context_of(lead))
