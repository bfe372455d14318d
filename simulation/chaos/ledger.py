"""The ledger of a chaos run: what was lost, doubled, overtaken, and whether the system had said so itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from simulation.chaos.endings import Ending, Policies
from simulation.chaos.incidents import ENDED_BY_ITSELF, Incidents
from simulation.chaos.messages import event_id
from simulation.chaos.outages import Outages
from simulation.chaos.push import SENDER_ENDED_BY_ITSELF
from simulation.chaos.subjects import Subject
from simulation.judge.checker import Verdict, verdict_of
from simulation.judge.consent import Consent, Rules, consent
from simulation.judge.log import Lead, Log, Sent
from simulation.judge.notices import Notices
from simulation.judge.pushed import Pushed, Received
from simulation.judge.recovery import longest_answered_ask, seconds_to_recover, seconds_to_resume
from simulation.judge.repeats import repeats
from simulation.judge.takeovers import Shift, Takeovers, takeovers
from simulation.upstreams.call_log import Call

_DEATHS = ("worker killed (kill -9)", "worker killed at a step")
_ENDS = ("thawed", "Redis back", "store well")
_PROMPT_SECONDS = 10.0
# The third worker that vanishes in a delivery ends its event; the tries of the second and the third are listed.
_POISON_RESENT = 2


@dataclass(frozen=True, slots=True)
class Ledger:
    """The figures of one run.

    ``kinds``: how many events there were of each kind. ``lost``: accepted, not all of it was answered, and the system
    does not name an ending that the policies allow; with what it does name, and their number. ``unanswered``: the
    endings that are allowed, with their number. ``second_asks``, ``doubled_sends``: calls that took effect again; the
    ``unlisted`` ones of them do not stand in the system's own timeline. ``asks_against_policy``, ``split_answers``,
    ``recognised_repeats``, ``triggers_under_other_id``, ``misrouted``, ``after_waking``: see
    ``repeats.Repeats``. ``unexplained``: what the system's books lack.
    ``waiting``: not finished at the end. ``tries_too_many``, ``outages_unnoticed``: see ``outages.Outages``.
    ``waits``: seconds, work aside, from the end of an outage to the answers of what waited then; ``late`` of them took
    longer than promised, counted when nothing but outages troubled the run. ``workers_ended``: by themselves.
    ``longest_ask_seconds``: of the persona calls that were answered. ``confirmations_missing``: those of opt-outs whose
    conversation's timeline does not show that two workers vanished in their delivery. ``notices``: of a reader who was
    there all the time. ``pushed``: of a receiver that was killed like all others. ``senders_ended``: by themselves.
    ``leases_lost``: of workers that lived and were not frozen. ``takeovers``: of the operators; ``lines_lost``: what
    they said that neither arrived nor ended as the policies allow.
    """

    verdict: Verdict
    kinds: Mapping[str, int]
    lost: Mapping[str, int]
    unanswered: Mapping[str, int]
    second_asks: int
    unlisted_asks: int
    asks_against_policy: int
    recognised_repeats: int
    triggers_under_other_id: int
    asks_after_send: int
    asks_after_send_after_waking: int
    doubled_sends: int
    unlisted_sends: int
    sends_under_other_key: int
    split_answers: int
    misrouted: int
    after_waking: int
    unexplained: int
    waiting: int
    tries_too_many: int
    outages_unnoticed: int
    waits: tuple[float, ...]
    late: int
    workers_ended: int
    recovery_seconds: tuple[float, ...]
    resume_seconds: tuple[float, ...]
    longest_ask_seconds: float
    consent: Consent
    confirmations_missing: int
    notices: Notices
    pushed: Pushed
    senders_ended: int
    leases_lost: int
    takeovers: Takeovers
    lines_lost: int
    incidents: Mapping[str, int]
    seconds: float

    @property
    def broken(self) -> list[str]:
        """The promises that did not hold, each with its figure. Empty when all hold."""
        promises = {
            "lost": sum(self.lost.values()),
            "overtaken": self.verdict.overtaken,
            "overlapping": self.verdict.overlapping,
            "second asks that the timeline does not list": self.unlisted_asks,
            "second asks of a kind that is asked once": self.asks_against_policy,
            "repeated triggers under another external_event_id": self.triggers_under_other_id,
            "second asks after a delivery was tried": self.asks_after_send,
            "doubled sends that the timeline does not list": self.unlisted_sends,
            "doubled sends under another idempotency key": self.sends_under_other_key,
            "answers in more than one delivery": self.split_answers,
            "answers on the channel of another event": self.misrouted,
            "unexplained in the books": self.unexplained,
            "still waiting at the end": self.waiting,
            "calls behind a closed gate beyond one in each interval": self.tries_too_many,
            "outages that closed no gate": self.outages_unnoticed,
            f"answered later than {_PROMPT_SECONDS:.0f} s after the end of an outage, work aside": self.late,
            "workers ended by themselves": self.workers_ended,
            "outreach asked for after a STOP": self.consent.asked_after,
            "outreach sent after a STOP": self.consent.sent_after,
            "STOPs that a persona was asked to answer": self.consent.stops_asked,
            "opt-outs without the promised confirmation": self.confirmations_missing,
            "confirmations that were not promised": self.consent.confirmed_again,
            "messages to a lead above its cap": self.consent.above_cap,
            "fates without a notice": self.notices.missing,
            "fates that were told again": self.notices.again,
            "notices of a fate that the event has not": self.notices.wrong,
            "gaps in the notices of a conversation": self.notices.gaps,
            "events told before one that was accepted earlier": self.notices.disordered,
            "notices that their reader got twice": self.notices.repeated,
            "notices that their reader missed": self.notices.dropped,
            "fates that were not pushed": self.pushed.first.missing,
            "fates that were pushed again as another notice": self.pushed.first.again,
            "pushed notices of a fate that the event has not": self.pushed.first.wrong,
            "gaps in the pushed notices of a conversation": self.pushed.first.gaps,
            "events pushed before one that was accepted earlier": self.pushed.first.disordered,
            "notices lost to their receiver": self.pushed.first.dropped,
            "refused notices counted too many or too few": self.pushed.miscounted,
            "refused notices listed wrongly": self.pushed.listed_wrongly,
            "pushed notices with a wrong signature": self.pushed.forged,
            "senders of notices ended by themselves": self.senders_ended,
            "lines of operators that never arrived": self.lines_lost,
            "lines of operators under another idempotency key": self.takeovers.other_key,
            "lines of operators that a later one overtook": self.takeovers.overtaken,
            "persona calls that began between claim and hand-back": self.takeovers.asked_meanwhile,
            "acts of operators that were refused in a conversation of theirs": self.takeovers.refused,
        }
        return [f"{count} {what}" for what, count in promises.items() if count]


def draw_up(
    sent: Sequence[Sent],
    calls: Sequence[Call],
    incidents: Incidents,
    subject: Subject,
    seconds: float,
    outages: Outages | None = None,
    *,
    nothing_else: bool = False,
    rules: Rules | None = None,
    received: Sequence[Received] = (),
    leases_lost: int = 0,
    shifts: Sequence[Shift] = (),
    buries: bool = False,
) -> Ledger:
    """Compare the producer's log with the servers' logs, and both with what the system says of itself.

    ``sent``: all messages in the order of their numbers. ``calls``: by arrival. ``nothing_else``: there was no
    trouble but the outages, so that what waited has to be answered promptly after them. ``rules``: about consent and
    frequency. ``received``: what the receiver of notices wrote down. ``leases_lost``: see ``Ledger``.
    ``shifts``: of the operators. ``buries``: see ``Policies``. Raises ``redis.RedisError``.
    """
    said = [line.text for shift in shifts for line in shift.lines]
    log, outages, rules = Log(sent, calls, said), outages or Outages(), rules or Rules()
    deaths = sorted(incident.at for incident in incidents.of(*_DEATHS))
    thawed_at = [incident.at for incident in incidents.of("thawed")]
    policies = Policies(log, outages, deaths, per_day=rules.per_day, buries=buries)
    lost, unanswered = _without_answer(log, policies, subject)
    found = repeats(log, thawed_at, event_id)
    of_consent = consent(log, rules, thawed_at)
    of_operators = takeovers(log, shifts, thawed_at)
    doubled = Counter(found.sends) + Counter(of_operators.again)
    words = {lead: Counter(subject.words(*lead)) for lead in {*found.asks, *doubled, *of_consent.unconfirmed}}
    waits = tuple(outages.waits(sent))
    return Ledger(
        verdict=verdict_of(log),
        kinds=Counter(message.label for message in sent),
        lost=lost,
        unanswered=unanswered,
        second_asks=sum(found.asks.values()),
        unlisted_asks=sum(max(0, count - words[lead]["second ask"]) for lead, count in found.asks.items()),
        asks_against_policy=found.asks_against_policy,
        recognised_repeats=found.recognised,
        triggers_under_other_id=found.other_id,
        asks_after_send=found.asks_after_send,
        asks_after_send_after_waking=found.asks_after_send_after_waking,
        doubled_sends=sum(doubled.values()),
        unlisted_sends=sum(max(0, count - words[lead]["resent"]) for lead, count in doubled.items()),
        sends_under_other_key=found.other_key,
        split_answers=found.split,
        misrouted=found.misrouted,
        after_waking=found.after_waking,
        unexplained=subject.unexplained(),
        waiting=subject.waiting() or 0,
        tries_too_many=outages.too_many_tries(),
        outages_unnoticed=outages.unnoticed(),
        waits=waits,
        late=sum(wait > _PROMPT_SECONDS for wait in waits) if nothing_else else 0,
        workers_ended=_number_of(incidents, ENDED_BY_ITSELF),
        recovery_seconds=tuple(
            seconds_to_recover(
                log, deaths, [*((each.began_at, each.ended_at) for each in outages.seen), *incidents.store_away()]
            )
        ),
        resume_seconds=tuple(seconds_to_resume(log, [incident.at for incident in incidents.of("Redis back")])),
        longest_ask_seconds=longest_answered_ask(log),
        consent=of_consent,
        confirmations_missing=sum(
            count for lead, count in of_consent.unconfirmed.items() if words[lead]["resent"] < _POISON_RESENT
        ),
        notices=subject.notices(),
        pushed=subject.pushed(received),
        senders_ended=_number_of(incidents, SENDER_ENDED_BY_ITSELF),
        leases_lost=leases_lost,
        takeovers=of_operators,
        lines_lost=sum(
            not policies.allow_unsaid(lead, line.at, subject.ending_of(*lead, line.event_id))
            for lead, line in of_operators.missing
        ),
        incidents={kind: count for kind, count in incidents.counts().items() if kind not in _ENDS},
        seconds=seconds,
    )


def _number_of(incidents: Incidents, kinds_begin: str) -> int:
    return sum(count for kind, count in incidents.counts().items() if kind.startswith(kinds_begin))


def _without_answer(log: Log, policies: Policies, subject: Subject) -> tuple[Counter[str], Counter[str]]:
    endings: dict[Lead, Mapping[int, Ending]] = {}
    lost: Counter[str] = Counter()
    unanswered: Counter[str] = Counter()
    for number, message in enumerate(log.sent):
        if all(word in log.answered_at for word in message.words):
            continue
        if message.lead not in endings:
            endings[message.lead] = subject.endings(*message.lead)
        ending = endings[message.lead].get(number)
        allowed = ending is not None and policies.allow(message, ending)
        (unanswered if allowed else lost)[f"{message.label}, {ending or 'no ending'}"] += 1
    return lost, unanswered
