"""The ledger as a table for a person."""

from __future__ import annotations

from rich.table import Table

from simulation.chaos.ledger import Ledger
from simulation.judge.percentile import percentile


def rows(ledger: Ledger) -> list[tuple[str, str]]:
    """What was measured and its figure, for a terminal or a document."""
    verdict, consent, pushed = ledger.verdict, ledger.consent, ledger.pushed
    seconds_to_answer = verdict.seconds_to_answer
    return [
        ("events accepted", f"{verdict.messages}"),
        *((f"… {kind}", f"{count}") for kind, count in sorted(ledger.kinds.items())),
        ("persona calls that took effect", f"{verdict.turns}"),
        ("bubbles delivered", f"{verdict.bubbles}"),
        ("lost", f"{sum(ledger.lost.values())}"),
        *((f"… {ending}", f"{count}") for ending, count in sorted(ledger.lost.items())),
        ("ended without an answer, as the policies name it", f"{sum(ledger.unanswered.values())}"),
        *((f"… {ending}", f"{count}") for ending, count in sorted(ledger.unanswered.items())),
        ("overtaken", f"{verdict.overtaken}"),
        ("overlapping turns", f"{verdict.overlapping}"),
        ("persona asked again", f"{ledger.second_asks}"),
        ("… not listed as second ask in the timeline", f"{ledger.unlisted_asks}"),
        ("… though its kind is asked once", f"{ledger.asks_against_policy}"),
        ("… recognised by the Characters API, which did nothing again", f"{ledger.recognised_repeats}"),
        ("… triggers of the Characters API under another external_event_id", f"{ledger.triggers_under_other_id}"),
        ("… after a delivery had been tried", f"{ledger.asks_after_send}"),
        ("… the same, in the second after a frozen worker woke", f"{ledger.asks_after_send_after_waking}"),
        ("deliveries that arrived again", f"{ledger.doubled_sends}"),
        ("… not listed as resent in the timeline", f"{ledger.unlisted_sends}"),
        ("… under another idempotency key", f"{ledger.sends_under_other_key}"),
        ("answers in more than one delivery", f"{ledger.split_answers}"),
        ("answers on the channel of another event", f"{ledger.misrouted}"),
        ("of all repeated calls: in the second after a frozen worker woke", f"{ledger.after_waking}"),
        ("unexplained in the books", f"{ledger.unexplained}"),
        ("still waiting at the end", f"{ledger.waiting}"),
        ("calls behind a closed gate beyond one in each interval", f"{ledger.tries_too_many}"),
        ("outages that closed no gate", f"{ledger.outages_unnoticed}"),
        ("workers that ended by themselves", f"{ledger.workers_ended}"),
        ("leases that living workers lost, the frozen ones aside", f"{ledger.leases_lost}"),
        ("leads who opted out by STOP", f"{consent.opt_outs}"),
        ("… outreach asked for after it", f"{consent.asked_after}"),
        ("… outreach sent after it", f"{consent.sent_after}"),
        ("… both, in the second after a frozen worker woke", f"{consent.after_waking}"),
        ("… STOPs that a persona was asked to answer", f"{consent.stops_asked}"),
        ("… confirmed", f"{consent.confirmed}"),
        ("… not confirmed, because START came before the turn of the STOP", f"{consent.start_came_first}"),
        ("… not confirmed, though promised", f"{ledger.confirmations_missing}"),
        ("… confirmed without promise, or again", f"{consent.confirmed_again}"),
        ("notices that were read", f"{ledger.notices.told}"),
        ("… fates without one", f"{ledger.notices.missing}"),
        ("… told again, or with another fate", f"{ledger.notices.again + ledger.notices.wrong}"),
        ("… out of order, or missing in the sequence", f"{ledger.notices.gaps + ledger.notices.disordered}"),
        ("… read twice, or missed", f"{ledger.notices.repeated + ledger.notices.dropped}"),
        ("calls that pushed notices", f"{pushed.calls}"),
        ("… notices that the receiver took or refused", f"{pushed.first.told}"),
        ("… fates that it has not got", f"{pushed.first.missing}"),
        ("… with another fate, or told again", f"{pushed.first.again + pushed.first.wrong}"),
        ("… out of order, or missing in the sequence", f"{pushed.first.gaps + pushed.first.disordered}"),
        ("… that came again with the same id", f"{pushed.repeated}"),
        ("… refused for good by it", f"{pushed.refused}"),
        ("… refused ones counted or listed wrongly", f"{pushed.miscounted + pushed.listed_wrongly}"),
        ("… lost, or with a wrong signature", f"{pushed.first.dropped + pushed.forged}"),
        ("conversations that operators claimed and handed back", f"{ledger.takeovers.shifts}"),
        ("… persona calls that began between claim and hand-back", f"{ledger.takeovers.asked_meanwhile}"),
        ("… the same, in the second after a frozen worker woke", f"{ledger.takeovers.after_waking}"),
        ("… acts that were refused there", f"{ledger.takeovers.refused}"),
        ("lines that operators said", f"{ledger.takeovers.lines}"),
        ("… not arrived, as the policies name it", f"{len(ledger.takeovers.missing) - ledger.lines_lost}"),
        ("… lost", f"{ledger.lines_lost}"),
        ("… arrived again, counted above, too", f"{sum(ledger.takeovers.again.values())}"),
        ("… under another idempotency key", f"{ledger.takeovers.other_key}"),
        ("… overtaken by a later one", f"{ledger.takeovers.overtaken}"),
        ("messages to a lead above its cap", f"{consent.above_cap}"),
        (
            "seconds from the end of an outage to the answers of what waited, work aside, p50 / p99",
            _pair(ledger.waits, 0.99),
        ),
        ("… the longest", f"{max(ledger.waits):.2f}" if ledger.waits else "not measured"),
        ("… of so many events", f"{len(ledger.waits)}"),
        ("seconds until a killed worker's conversation continues, p50 / p99", _pair(ledger.recovery_seconds, 0.99)),
        ("… measured on so many conversations", f"{len(ledger.recovery_seconds)}"),
        ("seconds until work continues after Redis is back, p50 / longest", _pair(ledger.resume_seconds, 1.0)),
        ("seconds from receipt to answer, p50 / p99", _pair(seconds_to_answer, 0.99)),
        ("seconds of the longest persona call that was answered", f"{ledger.longest_ask_seconds:.1f}"),
        *((f"trouble: {kind}", str(count)) for kind, count in sorted(ledger.incidents.items())),
        ("seconds in all", f"{ledger.seconds:.0f}"),
    ]


def table(ledger: Ledger, title: str) -> Table:
    """For a terminal."""
    made = Table("figure", "value", title=title)
    made.columns[1].justify = "right"
    for row in rows(ledger):
        made.add_row(*row)
    return made


def markdown(ledger: Ledger) -> str:
    """For a document."""
    return "\n".join(
        ["| figure | value |", "| --- | --- |", *(f"| {what} | {figure} |" for what, figure in rows(ledger))]
    )


def _pair(values: tuple[float, ...], share: float) -> str:
    return f"{percentile(values, 0.5):.2f} / {percentile(values, share):.2f}" if values else "not measured"
