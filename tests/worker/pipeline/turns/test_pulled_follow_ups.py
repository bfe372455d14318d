"""Follow-ups that FluidTalk writes: pulled, delivered under the rules for outreach, acknowledged, never twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from simulation.upstreams.control import SimulatedUpstreams
from simulation.upstreams.faults import FaultKind
from worker.clients.fluidtalk import Characters
from worker.domain.conversation import Conversation
from worker.domain.events import EventTrigger, InboundChat, PulledFollowUp, parse
from worker.domain.refusals import InvalidEvent
from worker.domain.vocabulary import Gate
from worker.observability import metrics
from worker.store import Store
from worker.store.conversations.consents import ALL_PERSONAS

MARK = Conversation("cleo", "instagram/mark")
PACED = {"enabled": True, "minimum_seconds": 30, "maximum_seconds": 60}
NUDGE = ["Are you still there, mark?", "Just checking."]


class Cleo:
    """A worker with a persona of the Characters API, and the queue of its server."""

    def __init__(self, shop: Any, store: Store, upstreams: SimulatedUpstreams, channel: dict[str, Any]) -> None:
        self.shop, self.store, self._channel = shop, store, channel
        self.server = Characters("ftc_live_cleo", base_url=upstreams.fluidtalk_url)

    def chat(self, message: str = "hi") -> None:
        """The lead mark writes, and is answered."""
        self.tell(message)
        self.shop.work(MARK)

    def tell(self, message: str = "hi", **fields: Any) -> None:
        """The lead mark writes."""
        event = {"persona": "cleo", "target": "mark", "channel": self._channel, "message": message, **fields}
        self.shop.producer.enqueue(InboundChat(**event))

    def write(self) -> str:
        """FluidTalk writes to all who are quiet. Returns the name of its oldest follow-up."""
        self.server.followups.sweep(platform="instagram")
        return self.queue()[0]

    def queue(self) -> list[str]:
        """What FluidTalk would have delivered."""
        return [each.id for each in self.server.followups.list(platform="instagram")]

    def pull(self, shop: Any = None) -> dict[str, int]:
        """The next pull, and all acks that are owed, at once."""
        for key in self.store.redis.scan_iter(match="*:pulling:*"):
            self.store.redis.delete(key)
        for key in self.store.redis.scan_iter(match="*:pulled:*"):
            for ref, at in self.store.redis.zrange(key, 0, -1, withscores=True):
                if 0 < at < float("inf"):
                    self.store.redis.zadd(key, {ref: 1})
        return dict((shop or self.shop).parts.pulling.run())

    def nudges(self) -> list[Any]:
        """The deliveries that are no answers."""
        return [texts for texts in self.shop.texts() if not str(texts[0]).startswith("You said")]


def skipped(cause: str) -> float:
    """How many events of cleo this process has counted as skipped, for this cause."""
    labels = {"persona": "cleo", "cause": cause}
    return metrics.worker_registry().get_sample_value("parley_skipped_total", labels) or 0.0


@pytest.fixture
def make_cleo(
    make_shop: Callable[..., Any], store: Store, upstreams: SimulatedUpstreams, channel: dict[str, Any]
) -> Iterator[Callable[..., Cleo]]:
    """Named values are settings of the persona; ``shop`` those of the shop."""
    made: list[Cleo] = []

    def make(shop: dict[str, Any] | None = None, pulled: dict[str, Any] | None = None, **own: Any) -> Cleo:
        persona = {
            "api_key": "ftc_live_cleo",
            "platform": "instagram",
            "messaging_windows": {"hours": {"instagram": "none"}},
            "pulled_follow_ups": {"enabled": True, **(pulled or {})},
            **own,
        }
        made.append(Cleo(make_shop(personas={"cleo": persona}, **(shop or {})), store, upstreams, channel))
        return made[-1]

    yield make
    for each in made:
        each.server.close()


@pytest.fixture
def cleo(make_cleo: Callable[..., Cleo]) -> Cleo:
    return make_cleo()


def test_a_follow_up_is_delivered_once_and_acknowledged_after_that(cleo: Cleo) -> None:
    cleo.chat()
    ref = cleo.write()
    asked = len([call for call in cleo.shop.asked() if call.path.endswith(("/chat", "/triggers"))])
    assert cleo.pull() == {"accepted": 1}
    assert cleo.pull() == {}
    assert cleo.queue() == [ref], "not acknowledged before it is delivered"
    assert cleo.shop.work(MARK) == ["answered"]
    assert cleo.nudges() == [NUDGE]
    assert cleo.pull() == {"acknowledged": 1}
    assert cleo.queue() == []
    assert cleo.shop.work(MARK) == []
    assert len([call for call in cleo.shop.asked() if call.path.endswith(("/chat", "/triggers"))]) == asked
    assert cleo.shop.fates() == {"answered": 2}
    words = [moment.word for moment in cleo.store.timeline.of(MARK)]
    assert words.count("asking") == 1, "the persona was asked for the answer only"


def test_a_follow_up_of_thousands_of_bubbles_is_sent_as_few_and_says_what_is_missing(
    cleo: Cleo, caplog: pytest.LogCaptureFixture
) -> None:
    cleo.chat()
    item = {"id": "fu_1", "handle": "mark", "message": "|||".join(["a"] * 20_000)}
    body = {"data": {"followups": [item]}}
    cleo.shop.fail(path="/api/v1/characters/followups", first=1, status=200, body=body)
    assert cleo.pull() == {"accepted": 1}
    assert cleo.shop.work(MARK) == ["answered"]
    [texts] = cleo.nudges()
    assert (len(texts), len(texts[-1])) == (100, 9999)
    missing = "bubbles: 14901 of them, an answer is at most 100 messages"
    assert f"left out of a follow-up: {missing}" in caplog.messages
    assert [moment.details[0] for moment in cleo.store.timeline.of(MARK) if moment.word == "left out"] == [missing]


def test_any_number_of_beats_pull_each_one_once(cleo: Cleo, make_cleo: Callable[..., Cleo]) -> None:
    cleo.chat()
    cleo.write()
    other = make_cleo()
    assert cleo.pull() == {"accepted": 1}
    assert dict(other.shop.parts.pulling.run()) == {}, "it is not time again"
    assert other.pull() == {}, "it is known"
    cleo.shop.work(MARK)
    assert cleo.nudges() == [NUDGE]


def test_a_worker_that_dies_before_the_ack_leaves_it_to_another(cleo: Cleo, make_cleo: Callable[..., Cleo]) -> None:
    cleo.chat()
    cleo.write()
    cleo.pull()
    cleo.shop.work(MARK)
    # Nothing of the process that delivered is left.
    other = make_cleo()
    assert other.pull() == {"acknowledged": 1}
    other.pull()
    other.shop.work(MARK)
    assert other.nudges() == [NUDGE]


def test_an_ack_is_repeated_until_it_is_taken_however_long_the_journal_is_kept(cleo: Cleo) -> None:
    cleo.chat()
    cleo.write()
    cleo.pull()
    cleo.shop.work(MARK)
    cleo.shop.fail(FaultKind.DROP, persona="cleo", action="/followups/fu_1/ack", first=2)
    for key in list(cleo.store.redis.scan_iter(match="*:journal:pulled-*")):
        cleo.store.redis.delete(key)
    for _ in range(2):
        assert cleo.pull() == {}
        assert cleo.shop.work(MARK) == [], "it is known without its journal"
    assert cleo.pull() == {"acknowledged": 1}
    assert cleo.queue() == []
    assert cleo.nudges() == [NUDGE]


@pytest.mark.parametrize("status", [404, 409])
def test_what_the_server_does_not_know_any_more_is_acknowledged(cleo: Cleo, status: int) -> None:
    cleo.chat()
    cleo.write()
    cleo.pull()
    cleo.shop.work(MARK)
    cleo.shop.fail(persona="cleo", action="/followups/fu_1/ack", status=status)
    assert cleo.pull() == {"acknowledged": 1}
    assert cleo.pull() == {}


def test_a_lead_who_writes_before_the_pull_gets_the_answer_only(cleo: Cleo) -> None:
    cleo.chat()
    cleo.write()
    cleo.tell("I am back")
    before = skipped("lead_wrote")
    assert cleo.pull() == {"skipped": 1}
    assert skipped("lead_wrote") == before + 1
    assert cleo.shop.work(MARK) == ["answered"]
    assert cleo.nudges() == []
    assert cleo.pull() == {"acknowledged": 1}
    assert cleo.shop.fates() == {"answered": 2, "skipped": 1}


def test_a_lead_who_writes_before_the_turn_gets_the_answer_only(cleo: Cleo) -> None:
    cleo.chat()
    cleo.write()
    cleo.pull()
    cleo.tell("I am back")
    assert cleo.shop.work(MARK) == ["skipped: the lead wrote in the meantime", "answered"]
    assert cleo.nudges() == []
    assert cleo.pull() == {"acknowledged": 1}


def test_what_can_never_be_sent_is_acknowledged_as_skipped(cleo: Cleo) -> None:
    cleo.server.chat(platform="instagram", handle="stranger", message="hello")
    cleo.write()
    assert cleo.pull() == {"skipped": 1}
    assert cleo.pull() == {"acknowledged": 1}
    assert cleo.shop.fates() == {"skipped": 1}
    moments = cleo.store.timeline.of(Conversation("cleo", "instagram/stranger"))
    assert [(moment.word, moment.details[0]) for moment in moments][-1] == ("skipped", "channel_missing")


def test_a_person_who_has_the_conversation_is_not_interrupted(cleo: Cleo) -> None:
    cleo.chat()
    cleo.store.takeovers.claim(MARK, "by anna")
    cleo.write()
    cleo.pull()
    assert cleo.pull() == {"acknowledged": 1}
    cleo.store.takeovers.hand_back(MARK, "joined")
    assert cleo.shop.work(MARK) == []
    assert cleo.nudges() == []


def test_a_person_who_takes_over_while_it_waits_gets_the_lead_alone(make_cleo: Callable[..., Cleo]) -> None:
    cleo = make_cleo(quiet_hours={"start": "00:00", "end": "23:59"})
    cleo.chat()
    cleo.write()
    cleo.pull()
    assert cleo.shop.run(MARK).startswith("held for")
    cleo.store.takeovers.claim(MARK, "by anna")
    assert cleo.store.redis.zscore(cleo.store.keys.of(MARK).agenda, MARK.name) <= cleo.store.follow_ups.now()
    assert cleo.shop.run(MARK).startswith("skipped: taken over"), "it does not wait for the morning"
    assert cleo.pull() == {"acknowledged": 1}
    assert cleo.nudges() == []


def test_a_person_who_takes_over_between_its_bubbles_stops_the_rest(make_cleo: Callable[..., Cleo]) -> None:
    cleo = make_cleo(pacing=PACED)
    cleo.chat()
    cleo.write()
    cleo.pull()
    assert cleo.shop.run(MARK).startswith("held for")
    cleo.store.takeovers.claim(MARK, "by anna")
    assert cleo.shop.run(MARK).startswith("skipped: taken over")
    assert cleo.nudges() == [NUDGE[:1]]
    assert cleo.pull() == {"acknowledged": 1}
    cleo.store.takeovers.hand_back(MARK, "joined")
    assert cleo.shop.work(MARK) == []


@pytest.mark.parametrize("point", ["after begin", "before delivery"])
def test_a_person_who_takes_over_during_its_turn(cleo: Cleo, stand_still: Callable[..., Any], point: str) -> None:
    cleo.chat()
    cleo.write()
    cleo.pull()
    stand_still(point, lambda: cleo.store.takeovers.claim(MARK, "by anna"))
    assert cleo.shop.work(MARK)[-1] == ("skipped: taken over" if point == "after begin" else "answered")
    assert cleo.nudges() == ([] if point == "after begin" else [NUDGE])
    assert cleo.pull() == {"acknowledged": 1}


def test_what_waits_behind_another_event_ends_when_the_person_hands_back(cleo: Cleo) -> None:
    cleo.chat()
    cleo.write()
    event = {"persona": "cleo", "target": "mark", "event_type": "story_reaction"}
    cleo.shop.producer.enqueue(EventTrigger(**event))
    cleo.pull()
    cleo.store.takeovers.claim(MARK, "by anna")
    assert cleo.shop.run(MARK).startswith("taken over")
    assert cleo.pull() == {}
    cleo.store.takeovers.hand_back(MARK, "joined")
    assert cleo.shop.work(MARK) == ["answered"]
    assert cleo.pull() == {"acknowledged": 1}
    assert NUDGE not in cleo.nudges()


def test_an_operator_sees_the_acks_that_are_owed(cleo: Cleo) -> None:
    store = cleo.shop.parts.store
    store.apis.note()
    cleo.chat()
    cleo.write()
    cleo.pull()
    assert store.measures.take().acks_owed == {"cleo": 0}
    cleo.shop.work(MARK)
    assert store.measures.take().acks_owed == {"cleo": 1}
    cleo.pull()
    assert store.measures.take().acks_owed == {"cleo": 0}


RULES = {
    "sealed": {},
    "opted out": {},
    "opted out of all": {"consent": {"scope": "lead"}},
    "not opted in": {"consent": {"outreach": "only_opted_in"}},
    "window": {"messaging_windows": {"hours": {"instagram": "off"}}},
}


@pytest.mark.parametrize("rule", RULES)
def test_the_rules_for_outreach_hold(make_cleo: Callable[..., Cleo], rule: str) -> None:
    cleo = make_cleo(**RULES[rule])
    cleo.chat()
    cleo.write()
    cleo.pull()
    if rule == "sealed":
        cleo.store.seals.seal(MARK, "anna")
    if rule == "opted out":
        cleo.store.consents.write(MARK, "out", by="anna")
    if rule == "opted out of all":
        cleo.store.consents.write(MARK._replace(persona=ALL_PERSONAS), "out", by="anna")
    cleo.shop.work(MARK)
    assert cleo.nudges() == []
    assert cleo.pull() == {"acknowledged": 1}


def test_a_lead_who_says_stop_while_it_is_pulled_gets_a_confirmation_only(make_cleo: Callable[..., Cleo]) -> None:
    cleo = make_cleo(consent={"confirmation": "Done."})
    cleo.chat()
    cleo.write()
    cleo.pull()
    cleo.tell("STOP")
    assert cleo.shop.work(MARK) == ["skipped: the lead opted out", "skipped: the lead opted out"]
    assert cleo.nudges() == [["Done."]]
    assert cleo.pull() == {"acknowledged": 1}
    # FluidTalk knows nothing of that, and writes again.
    cleo.write()
    cleo.pull()
    assert cleo.shop.work(MARK) == ["skipped: the lead opted out"]
    assert cleo.nudges() == [["Done."]]


def test_a_lead_who_writes_between_its_bubbles_stops_the_rest(make_cleo: Callable[..., Cleo]) -> None:
    pacing = {"enabled": True, "minimum_seconds": 30, "maximum_seconds": 60}
    cleo = make_cleo(pacing=pacing, interruptions="stop_rest")
    cleo.chat()
    cleo.write()
    cleo.pull()
    assert cleo.shop.run(MARK).startswith("held for")
    cleo.tell("I am back")
    assert cleo.shop.work(MARK)[-1] == "answered"
    assert cleo.nudges() == [NUDGE[:1]]
    assert cleo.pull() == {"acknowledged": 1}


def test_the_cap_of_the_lead_over_all_personas_holds(make_cleo: Callable[..., Cleo]) -> None:
    cleo = make_cleo(shop={"frequency": {"per_lead_per_day": 1}})
    cleo.chat()
    for _ in range(2):
        cleo.write()
        cleo.pull()
        cleo.shop.work(MARK)
        cleo.pull()
    assert cleo.nudges() == [NUDGE]


def test_what_the_channel_refuses_can_be_replayed(cleo: Cleo) -> None:
    cleo.chat()
    cleo.write()
    cleo.pull()
    cleo.shop.fail(service="captivate", status=422, first=1)
    [phrase] = cleo.shop.work(MARK)
    assert phrase.startswith("dead")
    assert cleo.pull() == {"acknowledged": 1}
    assert cleo.nudges() == []
    [letter] = cleo.store.dead_letters.newest()
    cleo.store.dead_letters.replay(MARK, letter.event_id, "append")
    cleo.shop.work(MARK)
    assert cleo.nudges() == [NUDGE]
    assert cleo.shop.fates() == {"answered": 2}
    cleo.pull()
    assert (cleo.queue(), cleo.pull()) == ([], {})


def test_a_cap_of_the_lead_holds_and_a_cap_of_the_day_leaves_it_with_fluidtalk(make_cleo: Callable[..., Cleo]) -> None:
    cleo = make_cleo(follow_ups={"per_lead": 1, "per_day": 2})
    cleo.chat()
    for _ in range(2):
        cleo.write()
        cleo.pull()
        cleo.shop.work(MARK)
        cleo.pull()
    assert cleo.nudges() == [NUDGE]
    ref = cleo.write()
    assert cleo.pull() == {}
    assert cleo.queue() == [ref]


def test_quiet_hours_hold_it_and_the_lead_who_writes_then_wins(make_cleo: Callable[..., Cleo]) -> None:
    cleo = make_cleo(quiet_hours={"start": "00:00", "end": "23:59"})
    cleo.chat()
    cleo.write()
    cleo.pull()
    assert cleo.shop.run(MARK).startswith("held for")
    cleo.tell("I am back")
    cleo.shop.let_holds_run_out()
    assert cleo.shop.work(MARK) == ["skipped: the lead wrote in the meantime", "answered"]


def test_what_needs_no_call_waits_for_no_credits_and_tries_no_gate(
    cleo: Cleo, try_gate: Callable[..., Any], upstreams: SimulatedUpstreams
) -> None:
    cleo.chat()
    cleo.write()
    cleo.store.personas.close_for_probing("cleo", Gate.CREDITS, "credits_out")
    assert cleo.pull() == {"accepted": 1}
    assert try_gate("credits", "cleo") is None
    assert cleo.shop.work(MARK) == ["answered"]
    assert cleo.nudges() == [NUDGE]


def test_a_paused_persona_pulls_nothing(cleo: Cleo) -> None:
    cleo.chat()
    ref = cleo.write()
    cleo.store.personas.pause("cleo", "anna")
    assert cleo.pull() == {}
    assert cleo.queue() == [ref]


def test_a_key_that_is_refused_quarantines_the_persona(cleo: Cleo) -> None:
    cleo.shop.fail(persona="cleo", action="/followups", status=401)
    cleo.pull()
    assert "quarantined" in cleo.store.personas.gates("cleo")


def test_an_erased_lead_gets_nothing_and_the_server_is_told(cleo: Cleo) -> None:
    cleo.chat()
    cleo.write()
    cleo.pull()
    cleo.store.forgetting.forget(MARK, cleo.store.forgetting.traces(MARK))
    assert cleo.pull() == {"acknowledged": 1}
    cleo.chat("back again")
    assert cleo.nudges() == []


def test_bubbles_are_paced_and_each_is_sent_once(make_cleo: Callable[..., Cleo]) -> None:
    cleo = make_cleo(pacing=PACED)
    cleo.chat()
    cleo.write()
    cleo.pull()
    cleo.shop.fail(FaultKind.ACT_THEN_DROP, service="captivate", first=1)
    cleo.shop.work(MARK)
    sent = [delivery for delivery in cleo.shop.delivered() if "You said" not in str(delivery.messages)]
    assert [delivery.messages[0]["text"] for delivery in sent] == [NUDGE[0], NUDGE[0], NUDGE[1]]
    assert sent[0].idempotency_key == sent[1].idempotency_key != sent[2].idempotency_key
    assert cleo.pull() == {"acknowledged": 1}


def test_a_sweep_is_made_once_in_its_interval_and_only_if_it_is_set(make_cleo: Callable[..., Cleo]) -> None:
    cleo = make_cleo()
    cleo.chat()
    assert cleo.pull() == {}
    cleo = make_cleo(pulled={"sweep_every_hours": 24, "sweep_limit": 7})
    assert dict(cleo.shop.parts.pulling.run()) == {"sweeps": 1}
    assert dict(cleo.shop.parts.pulling.run()) == {}
    [sweep] = [call for call in cleo.shop.asked() if call.path.endswith("/sweep")]
    assert sweep.fields["limit"] == 7


def test_no_producer_can_send_one() -> None:
    with pytest.raises(InvalidEvent, match="kind: must be inbound_chat"):
        parse({"kind": "pulled_follow_up", "persona": "cleo", "target": "mark", "ref": "r", "bubbles": ["hi"]})


def test_the_producer_refuses_one(cleo: Cleo) -> None:
    event: Any = PulledFollowUp.of("cleo", "instagram/mark", "fu_9", ["hi"])
    with pytest.raises(InvalidEvent, match="is not an event"):
        cleo.shop.producer.enqueue(event)


def test_each_of_separate_accounts_is_pulled_by_itself(make_cleo: Callable[..., Cleo]) -> None:
    cleo = make_cleo(separate_accounts="cleo_de,cleo_en", own_username="cleo_de")
    cleo.tell()
    cleo.tell("hello", own_username="cleo_en")
    both = [Conversation("cleo", f"instagram/{account}/mark") for account in ("cleo_de", "cleo_en")]
    assert [cleo.shop.work(lead) for lead in both] == [["answered"], ["answered"]]
    cleo.write()
    assert cleo.pull() == {"accepted": 2}
    assert [cleo.shop.work(lead) for lead in both] == [["answered"], ["answered"]]
    assert cleo.nudges() == [NUDGE, NUDGE]
    assert cleo.pull() == {"acknowledged": 2}
