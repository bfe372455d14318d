"""``parley follow-ups`` on a real store."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from worker.domain.cadence import Policy, TouchState, after_delivery
from worker.domain.conversation import Conversation
from worker.domain.events import FollowUp

HOUR_MS = 3_600_000


@pytest.fixture
def quiet(store, chat, make_settings):
    """A lead who was answered just now and is quiet since, under a cadence of these seconds."""

    def run(target="@lead", delays=(14_400, 86_400), persona="ava"):
        settings = make_settings(follow_ups={"delays_seconds": delays, "jitter": 0})
        conversation = Conversation(persona, target)
        store.inbox.accept(chat(f"chat-{target}", persona=persona, target=target))
        grant = store.steps.begin(conversation, "t")
        policy = Policy(settings.follow_ups_of(persona), settings.quiet_hours_of(persona))
        planned = after_delivery(policy, TouchState(conversation.name), "inbound_chat", grant.now)
        store.steps.settle(grant, "answered", mark="started", follow_up=planned)
        return store.follow_ups.state_of(conversation)

    return run


@pytest.fixture
def cadence(monkeypatch):
    """The configured cadence, for the command."""

    def configure(delays):
        monkeypatch.setenv("PARLEY_FOLLOW_UPS__DELAYS_SECONDS", json.dumps(delays))
        monkeypatch.setenv("PARLEY_FOLLOW_UPS__JITTER", "0")

    configure([14_400, 86_400])
    return configure


def test_the_list_says_what_is_due_when_and_why(parley, store, quiet):
    assert parley("follow-ups", "list").out == "No follow-up is planned.\n"
    quiet("@late", (86_400,))
    quiet("@soon", (3600,))
    quiet("@bea", (7200,), "bea")
    ended = parley("follow-ups", "list")
    assert ended.out.splitlines()[0].split() == ["due", "(UTC)", "when", "persona", "target", "why", "then"]
    rows = [line.split()[2:] for line in ended.out.splitlines()[2:]]
    assert (rows[0][0], " ".join(rows[0][2:])) == ("in", "min ava @soon step 1 of 1, after 1 h of silence")
    assert [row[4] for row in rows] == ["@soon", "@bea", "@late"]
    assert [row["target"] for row in json.loads(parley("follow-ups", "list", "--limit", "1", "--json").out)] == [
        "@soon"
    ]
    only = json.loads(parley("follow-ups", "list", "--persona", "bea", "--limit", "1", "--json").out)
    assert [(row["target"], row["rule"]) for row in only] == [("@bea", "step 1 of 1, after 2 h of silence")]


@pytest.mark.parametrize("quiet_hours", ["", "21:00"])
def test_one_that_was_planned_for_a_time_without_a_date_is_told_and_cancelled(
    parley, store, plan_for_year_10000, monkeypatch, quiet_hours
):
    if quiet_hours:
        monkeypatch.setenv("PARLEY_QUIET_HOURS__START", quiet_hours)
        monkeypatch.setenv("PARLEY_QUIET_HOURS__END", "09:00")
    plan_for_year_10000(store, "@lead")
    assert "9999-12-31 23:59:59" in parley("follow-ups", "list").out
    assert "9999-12-31 23:59:59 UTC" in parley("explain", "ava", "@lead").out
    for words in (("show", "ava", "@lead"), ("preview",), ("apply",), ("list", "--json")):
        assert parley("follow-ups", *words).status == 0, words
    assert parley("follow-ups", "cancel", "ava", "@lead", answer="y\n").status == 0
    assert parley("explain", "ava", "@lead").status == 0
    assert parley("follow-ups", "list").out == "No follow-up is planned.\n"


def test_show_says_all_touches_of_the_next_days(parley, store, quiet, cadence):
    first = quiet()
    ended = parley("follow-ups", "show", "ava", "@lead")
    assert ended.out.splitlines()[0].startswith("2 in the next 7 days if @lead stays quiet, the first 20")
    assert ended.out.splitlines()[-1] == "Then no more: the cadence is over."
    told = json.loads(parley("follow-ups", "show", "ava", "@lead", "--json").out)
    assert [touch["at_ms"] for touch in told["touches"]] == [first.due, first.due + 24 * HOUR_MS]
    assert (told["ends"], told["waits_for"]) == ("the cadence is over", [])


def test_show_skips_what_the_policy_skips(parley, store, quiet, cadence, monkeypatch):
    quiet()
    monkeypatch.setenv("PARLEY_FOLLOW_UPS__PER_LEAD", "1")
    ended = parley("follow-ups", "show", "ava", "@lead")
    assert ended.out.splitlines()[0].startswith("1 in the next 7 days")
    assert ended.out.splitlines()[-1] == "Then no more: the lead has had 1 follow-ups, the limit is 1."


def test_show_says_what_a_touch_waits_for(parley, store, quiet, cadence):
    quiet()
    store.personas.pause("ava", "holiday")
    assert "It waits for: paused (holiday)." in parley("follow-ups", "show", "ava", "@lead").out.splitlines()


def test_show_says_why_there_is_none(parley, store, quiet, cadence, chat):
    assert parley("follow-ups", "show", "ava", "@nobody").out.startswith("No follow-up is planned. One is planned when")
    quiet()
    store.seals.seal(Conversation("ava", "@lead"), "kim")
    ended = parley("follow-ups", "show", "ava", "@lead")
    assert ended.out.startswith("No follow-up is planned: the conversation is sealed. ")
    assert parley("follow-ups", "show", "zoe", "@lead").status == 2


def test_preview_counts_and_changes_nothing(parley, store, quiet, cadence):
    for number in range(3):
        quiet(f"@lead{number}")
    quiet("@none", ())
    before = store.follow_ups.upcoming(10)

    def counts(*words):
        return json.loads(parley("follow-ups", "preview", "--json", *words).out)["ava"]["counts"]

    zero = dict.fromkeys(("unchanged", "earlier", "later", "dropped", "new"), 0)
    assert counts() == {**zero, "unchanged": 3, "new": 1}
    assert counts("--delays", "1h") == {**zero, "earlier": 3, "new": 1}
    assert counts("--delays", "2d") == {**zero, "later": 3, "new": 1}
    assert counts("--delays", "none") == {**zero, "dropped": 3}
    assert store.follow_ups.upcoming(10) == before


def test_preview_counts_the_touches_of_each_day(parley, store, quiet, cadence):
    quiet()
    told = json.loads(parley("follow-ups", "preview", "--delays", "1d,1d,1d", "--json").out)
    assert list(told) == ["ava", "bea"]
    assert list(told["ava"]["per_day"].values()) == [0, 1, 1, 1, 0, 0, 0, 0]
    shown = parley("follow-ups", "preview", "--delays", "1d,1d,1d", "--persona", "ava").out
    assert "Follow-ups of the next 7 days" in shown
    assert "Nothing was changed." in shown


def test_no_cadence_is_tried_on_a_persona_whose_follow_ups_fluidtalk_writes(parley, quiet, cadence, monkeypatch):
    quiet(persona="bea")
    monkeypatch.setenv("PARLEY_PERSONAS__BEA__API_KEY", "ftc_live_bea")
    monkeypatch.setenv("PARLEY_PERSONAS__BEA__PLATFORM", "instagram")
    told = json.loads(parley("follow-ups", "preview", "--delays", "1d", "--json").out)
    assert sum(told["bea"]["per_day"].values()) == 0
    ended = parley("follow-ups", "preview", "--delays", "1d", "--persona", "bea")
    assert (ended.status, "bea has no cadence: FluidTalk writes" in ended.err) == (2, True)


def test_quiet_hours_can_be_tried(parley, store, quiet, cadence):
    quiet()
    at = datetime.fromtimestamp(store.follow_ups.state_of(Conversation("ava", "@lead")).due / 1000, UTC)
    night = f"{at - timedelta(hours=1):%H:%M}-{at + timedelta(hours=1):%H:%M}"
    counts = json.loads(parley("follow-ups", "preview", "--quiet", night, "--json").out)["ava"]["counts"]
    assert (counts["later"], counts["unchanged"]) == (1, 0)
    assert parley("follow-ups", "preview", "--quiet", "late").status == 2


def test_apply_previews_asks_and_does_it(parley, store, quiet, cadence):
    for number in range(3):
        quiet(f"@lead{number}")
    before = {state.conversation: state.due for state in store.follow_ups.upcoming(10)}
    assert parley("follow-ups", "apply").out.splitlines()[-1] == "Nothing to change."
    cadence([3600])
    ended = parley("follow-ups", "apply", answer="n\n")
    assert (ended.status, ended.err) == (1, "Nothing was changed.\n")
    assert {state.conversation: state.due for state in store.follow_ups.upcoming(10)} == before
    ended = parley("follow-ups", "apply", answer="y\n")
    assert (ended.status, ended.out.splitlines()[-1].endswith("3 changed.")) == (0, True)
    after = {state.conversation: state.due for state in store.follow_ups.upcoming(10)}
    assert after == {name: due - 3 * HOUR_MS for name, due in before.items()}
    cadence([])
    assert parley("follow-ups", "apply", "--persona", "bea", "--yes").out.splitlines()[-1] == "Nothing to change."
    assert parley("follow-ups", "apply", "--yes").out.splitlines()[-1] == "3 changed."
    assert store.follow_ups.upcoming(10) == []


def test_apply_leaves_what_changed_meanwhile(parley, store, quiet, cadence, chat, monkeypatch):
    quiet("@one")
    quiet("@two")
    cadence([3600])
    apply = type(store.follow_ups).apply

    def late(self, changes):
        store.inbox.accept(chat("new", target="@one"))
        return apply(self, changes)

    monkeypatch.setattr(type(store.follow_ups), "apply", late)
    ended = parley("follow-ups", "apply", "--yes")
    assert ended.out.splitlines()[-1] == "1 changed; 1 had changed meanwhile and were left."
    assert store.follow_ups.state_of(Conversation("ava", "@one")).due == 0


def test_cancel(parley, store, quiet, channel):
    quiet()
    ended = parley("follow-ups", "cancel", "ava", "@lead", answer="n\n")
    assert ended.status == 1
    assert "Planned for 20" in ended.out
    assert parley("follow-ups", "cancel", "ava", "@lead", answer="y\n").status == 0
    assert store.follow_ups.upcoming(10) == []
    assert store.timeline.of(Conversation("ava", "@lead"))[-1].details[0].startswith("touch_cancelled by=")
    ended = parley("follow-ups", "cancel", "ava", "@lead", "--yes")
    assert (ended.status, ended.err) == (1, "No follow-up is planned for this lead.\n")


def test_what_a_producer_asked_for_is_shown_and_cancelled_alike(parley, store, channel):
    at = datetime.now(UTC) + timedelta(hours=2)
    store.follow_ups.schedule(FollowUp(persona="ava", target="@lead", not_before=at, channel=channel))
    assert "asked for by a producer" in parley("follow-ups", "list").out
    assert parley("follow-ups", "cancel", "ava", "@lead", "--yes").status == 0
