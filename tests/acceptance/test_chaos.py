"""A short seeded chaos run keeps every promise, and the judge of such runs finds what he is to find."""

from __future__ import annotations

import itertools
import random
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from simulation.chaos.__main__ import main as chaos
from simulation.chaos.messages import Message, event_id, messages, number_of
from simulation.chaos.report import markdown
from simulation.chaos.run import FAULTS, Plan, run
from simulation.chaos.troubles import Schedule, Trouble
from simulation.chaos.versions import NoSuchVersion, Version, checked_out
from simulation.judge.log import Log, read_calls
from simulation.judge.notices import Notices
from simulation.judge.pushed import Pushed
from simulation.judge.recovery import longest_answered_ask, seconds_to_recover, seconds_to_resume
from simulation.judge.repeats import repeats
from tests.acceptance.chaos_evidence import (
    GAVE_WAY,
    NOT_FOUND,
    POISON,
    TEXT_LOST,
    UNKNOWN,
    act,
    answered,
    ask,
    broken,
    chat,
    event,
    send,
    spoken,
)

ROOT = Path(__file__).parents[2]


def test_a_run_in_which_all_is_well_breaks_no_promise():
    assert broken(answered("a", "b")) == []


@pytest.mark.parametrize(
    ("calls", "says", "found"),
    [
        (answered("a"), {}, ["1 lost"]),
        ([*answered("a"), ask("b")], {}, ["1 lost"]),
        (answered("a"), {"endings": {1: POISON}}, ["1 lost"]),
        (answered("a"), {"endings": {1: POISON}, "buries": True}, []),
        (answered("a"), {"endings": {0: POISON}, "buries": True}, ["1 lost"]),
        (answered("a"), {"endings": {1: GAVE_WAY}}, ["1 lost"]),
        (answered("a"), {"endings": {1: UNKNOWN}}, ["1 lost"]),
        ([ask("a\nb"), send("a", key="x"), send("b", key="y")], {}, ["1 answers in more than one delivery"]),
        ([ask("a"), send("a", event="e1"), *answered("b")], {}, ["1 answers on the channel of another event"]),
        ([ask("a\nb"), send("a\nb", event="e1")], {}, []),
        (answered("b", "a"), {}, ["1 overtaken"]),
        ([ask("a"), *answered("a", "b")], {}, ["1 second asks that the timeline does not list"]),
        ([ask("a"), *answered("a", "b")], {"words": ["asking", "second ask"]}, []),
        ([ask("a"), ask("a"), *answered("a", "b")], {"words": ["second ask"]}, ["1 second asks that the timeline"]),
        ([ask("a", acted=False), *answered("a", "b")], {}, []),
        ([ask("a"), send("a", acted=False), *answered("a", "b")], {"words": ["second ask"]}, ["1 second asks after"]),
        ([*answered("a"), send("a", key="a"), *answered("b")], {}, ["1 doubled sends that the timeline does not list"]),
        ([*answered("a"), send("a", key="a"), *answered("b")], {"words": ["resent"]}, []),
        ([*answered("a"), send("a", key="z"), *answered("b")], {"words": ["resent"]}, ["1 doubled sends under"]),
        ([*answered("a"), send("a", key=None), *answered("b")], {"words": ["resent"]}, ["1 doubled sends under"]),
        (answered("a", "b"), {"unexplained": 2}, ["2 unexplained"]),
        (answered("a", "b"), {"waiting": 3}, ["3 still waiting"]),
        (answered("a", "b"), {"pushed": Pushed(first=Notices(missing=2))}, ["2 fates that were not pushed"]),
        (answered("a", "b"), {"pushed": Pushed(first=Notices(disordered=1))}, ["1 events pushed before"]),
        (answered("a", "b"), {"pushed": Pushed(miscounted=4)}, ["4 refused notices counted"]),
        (answered("a", "b"), {"pushed": Pushed(repeated=9, refused=9)}, []),
    ],
)
def test_each_broken_promise_is_found(calls, says, found):
    result = broken(calls, **says)
    assert len(result) == len(found)
    assert all(line.startswith(start) for line, start in zip(result, found, strict=True)), result


@pytest.mark.parametrize(
    ("kind", "calls", "says", "found"),
    [
        ("event_trigger", [act("e0"), spoken("e0")], {}, []),
        ("event_trigger", [act("e0"), act("e0"), spoken("e0")], {"words": ["second ask"]}, ["1 second asks of a kind"]),
        ("event_trigger", [act("e0")], {}, ["1 lost"]),
        ("event_trigger", [act("e0")], {"endings": {0: UNKNOWN}}, []),
        ("event_trigger", [act("e0")], {"endings": {0: POISON}}, ["1 lost"]),
        ("event_trigger", [act("e0")], {"endings": {0: POISON}, "buries": True}, ["1 lost"]),
        ("follow_up", [act("e0", "FOLLOW_UP"), spoken("e0")], {}, []),
        ("follow_up", [act("e0", "FOLLOW_UP"), act("e0", "FOLLOW_UP")], {"words": ["second ask"]},
         ["1 lost", "1 second asks of a kind"]),
        ("follow_up", [act("e0", "FOLLOW_UP"), spoken("e0"), spoken("e0")], {}, ["1 doubled sends that"]),
        ("follow_up", [], {"endings": {0: GAVE_WAY}}, ["1 lost"]),
        ("follow_up", [], {"endings": {0: NOT_FOUND}}, ["1 lost"]),
        ("follow_up", [act("e0", "FOLLOW_UP", acted=False, status=404)], {"endings": {0: NOT_FOUND}}, []),
        ("ai_opener", [act("e0", "OUTREACH"), spoken("e0")], {}, []),
        ("ai_opener", [act("e0", "OUTREACH"), act("e0", acted=False)], {}, ["1 lost", "1 second asks that"]),
        ("ai_opener", [act("e0", fault="act_then_drop"), act("e0", acted=False)],
         {"words": ["second ask"], "endings": {0: TEXT_LOST}}, []),
        ("ai_opener", [act("e0", acted=False)], {"endings": {0: TEXT_LOST}}, ["1 lost"]),
        ("ai_opener", [act("e0"), spoken("e0"), act("e0", acted=False)], {"words": ["second ask"]},
         ["1 second asks after a delivery"]),
    ],
)  # fmt: skip
def test_each_kind_has_its_own_promises(kind, calls, says, found):
    result = broken(calls, [event("e0", kind)], **says)
    assert len(result) == len(found), result
    assert all(line.startswith(start) for line, start in zip(result, found, strict=True)), result


def test_an_event_gives_way_only_to_a_lead_who_wrote():
    opener, calls = event("e0", "ai_opener", at=5.0), answered("b")
    assert broken(calls, [opener, chat("b", at=6.0)], endings={0: GAVE_WAY}) == []
    assert broken(calls, [opener, chat("b", at=4.0)], endings={0: GAVE_WAY}) == ["1 lost"]


def test_an_event_of_another_kind_is_overtaken_like_a_chat():
    calls = [*answered("b"), act("e0"), spoken("e0")]
    assert broken(calls, [event("e0", "event_trigger"), chat("b")]) == ["1 overtaken"]


def test_an_image_that_the_persona_never_saw_is_lost():
    def seen():
        return send("https://f/e0.png", says="You sent an image: {}")

    image = "https://f/media/7/e0.png"
    assert broken([ask("a", image=image), send("a"), seen()], [chat("a", "e0.png")]) == []
    assert broken([ask("", image=image), seen()], [chat("", "e0.png")]) == []
    assert broken([ask("a"), send("a")], [chat("a", "e0.png")]) == ["1 lost"]


def test_overlapping_calls_are_found():
    overlapping = ask("a")
    overlapping.overlaps = 1
    assert broken([overlapping, send("a"), *answered("b")]) == ["1 overlapping"]


def test_words_joined_with_words_already_heard_count_as_asked_again():
    found = repeats(Log([chat("a"), chat("b")], [ask("a"), ask("a\nb")]), [], event_id)
    assert found.asks == Counter({("ava", "@lead"): 1})


def test_what_a_frozen_worker_says_when_it_wakes_is_counted_apart():
    calls = [ask("a"), send("a"), ask("a", at=10.2)]
    woken, awake = (repeats(Log([chat("a")], calls), [thawed_at], event_id) for thawed_at in (10.0, 5.0))
    assert (woken.after_waking, woken.asks_after_send_after_waking, woken.asks_after_send) == (1, 1, 0)
    assert (awake.after_waking, awake.asks_after_send_after_waking, awake.asks_after_send) == (0, 0, 1)


def test_recovery_counts_from_the_death_to_the_next_call_of_each_conversation_held():
    calls = [
        ask("a", at=10.0, gone=True),
        ask("x", at=10.0, target="@other"),
        ask("h", at=10.0, target="@hung", gone=True, fault="hang"),
        ask("a", at=17.5),
        ask("x2", at=18.0, target="@other"),
    ]
    assert seconds_to_recover(Log((), calls), [10.5]) == [7.0]
    assert seconds_to_recover(Log((), calls), [12.0]) == [], "no call was under way then"
    assert seconds_to_recover(Log((), calls), [10.5], [(11.0, 12.0)]) == [], "an upstream kept it waiting"
    assert seconds_to_recover(Log((), calls), [10.5], [(9.0, 10.4), (17.6, 30.0)]) == [7.0]


def test_a_conversation_goes_on_also_when_the_next_call_is_refused_or_recognised():
    cut, late, refused = ask("a", at=10.0, gone=True), ask("a", at=10.6, gone=True), ask("a", at=13.0)
    late.acted = refused.acted = False
    assert seconds_to_recover(Log((), [cut, late, refused, ask("a", at=20.0)]), [10.5]) == [2.5]


def test_recovery_does_not_count_what_had_nothing_left_to_do():
    cut = act("e0")
    cut.start_wall, cut.end_wall, cut.client_gone, cut.acted = 10.0, 11.0, True, False
    calls, trigger = [cut, ask("a", at=70.0)], event("e0", "event_trigger", at=9.0)
    assert seconds_to_recover(Log([trigger, chat("a", at=69.0)], calls), [10.5]) == []
    assert seconds_to_recover(Log([trigger, chat("a", at=10.4)], calls), [10.5]) == [59.5]


def test_resuming_counts_to_the_first_call_after_redis_is_back():
    log = Log((), [ask("a", at=3.0), ask("b", at=9.0), ask("c", at=9.5)])
    assert seconds_to_resume(log, [8.5]) == [0.5]


def test_the_longest_persona_call_counts_when_it_was_answered():
    answered_late, unanswered = ask("a"), ask("b")
    answered_late.status, answered_late.end_wall, unanswered.end_wall = 200, 21.0, 60.0
    assert longest_answered_ask(Log((), [answered_late, unanswered, send("a")])) == 21.0
    assert longest_answered_ask(Log((), [unanswered])) == 0.0


def test_of_two_kinds_of_trouble_that_exclude_each_other_both_come():
    class Scene:
        dice = random.Random(1)
        struck, lasts = [], {"freeze": 0.0, "long": 0.0}

    def trouble(own, other):
        def strike(scene):
            scene.struck.append(own)
            scene.lasts[own] = time.monotonic() + 0.05
            assert time.monotonic() >= scene.lasts[other]

        return Trouble(0.01, strike, not_during=lambda scene: max(scene.lasts.values()) > time.monotonic())

    scene = Scene()
    schedule = Schedule({"freeze": trouble("freeze", "long"), "long": trouble("long", "freeze")}, scene)
    deadline = time.monotonic() + 10
    while set(scene.struck) != {"freeze", "long"} and time.monotonic() < deadline:
        schedule.look()
        time.sleep(0.005)
    assert set(scene.struck) == {"freeze", "long"}


def test_a_seed_gives_the_same_messages_and_another_one_gives_others():
    first, again, other = (list(messages(seed, 200, 20, ("ava", "bea"))) for seed in (1, 1, 2))
    assert first == again != other
    assert [message.number for message in first] == list(range(200))
    assert len({(message.text, message.image) for message in first}) == 200


def test_the_mix_has_every_kind_of_event_in_a_place_where_it_makes_sense():
    mix = list(messages(1, 2000, 200, ("ava", "bea")))
    assert {message.kind for message in mix} == {"inbound_chat", "ai_opener", "event_trigger", "follow_up"}
    assert {(bool(m.text), m.attached) for m in mix if m.image} == set(itertools.product((True, False), repeat=2))
    met = set()
    for message in mix:
        assert (message.kind == "ai_opener") <= (message.target not in met)
        assert (message.kind == "follow_up") <= (message.target in met)
        met.add(message.target)
    assert {number_of(message.text) - message.number for message in mix if message.kind != "inbound_chat"} == {0}


def test_a_persona_of_characters_gets_targets_with_a_platform_and_no_follow_ups():
    mix = list(messages(1, 2000, 200, ("ava", "cleo"), characters={"cleo"}))
    of_api: dict[str, list[Message]] = {"handshake": [], "characters": []}
    for message in mix:
        of_api[message.api].append(message)
    assert {message.persona for message in of_api["handshake"]} == {"ava"}
    assert {message.persona for message in of_api["characters"]} == {"cleo"}
    assert all(message.target.startswith("instagram/@lead-") for message in of_api["characters"])
    assert all(message.target.startswith("@lead-") for message in of_api["handshake"])
    kinds = {api: {message.kind for message in made} for api, made in of_api.items()}
    assert kinds["handshake"] - kinds["characters"] == {"follow_up"}


def test_chats_only_means_lines_of_text():
    assert {(m.kind, m.image) for m in messages(1, 500, 50, ("ava",), chats_only=True)} == {("inbound_chat", "")}


def test_a_line_that_a_kill_cut_off_is_left_out(tmp_path):
    file = tmp_path / "calls.jsonl"
    whole = ask("a").to_json()
    file.write_text(f"{whole}\n{whole[:40]}")
    assert [call.fields for call in read_calls(file)] == [ask("a").fields]


@pytest.mark.slow
@pytest.mark.acceptance
@pytest.mark.timeout(600)
def test_a_short_run_with_all_faults_keeps_every_promise():
    plan = Plan(
        seed=7,
        messages=600,
        conversations=100,
        seconds=25.0,
        faults=FAULTS,
        lease_seconds=3.0,
        outage_seconds=3.0,
        probe_seconds=2.0,
        pace=0.25,
        drain_seconds=240.0,
    )
    ledger = run(plan)
    report = markdown(ledger)
    assert ledger.broken == [], report
    assert ledger.verdict.messages == 600
    both = {"inbound_chat", "ai_opener", "event_trigger"}
    kinds = {kind for kind in ledger.kinds if not kind.startswith(("STOP", "START"))}
    assert kinds == {*both, "follow_up", *(f"{kind} (Characters)" for kind in both)}, report
    assert ledger.consent.opt_outs > 2, report
    # How much of each trouble comes depends on the machine: a worker has to be up before it is killed.
    happened = set(ledger.incidents)
    assert "worker killed (kill -9)" in happened, report
    assert {"sender of notices killed (kill -9)", "receiver of notices killed (kill -9)"} <= happened, report
    assert ledger.pushed.first.told > 600, report
    assert happened & {"store full", "store refuses writes", "replica away", "Redis killed (kill -9)"}, report
    assert happened & {"outage of fluidtalk", "worker frozen (SIGSTOP for three leases)", "storm of 429 and 503"}, (
        report
    )


@pytest.mark.slow
@pytest.mark.acceptance
@pytest.mark.timeout(600)
def test_calls_of_more_than_three_leases_are_made_once():
    """Doorbells come twice meanwhile, and nothing is wrong with the workers: only renewal keeps the others away."""
    plan = Plan(
        seed=5,
        messages=400,
        conversations=40,
        seconds=10.0,
        faults=("long", "doorbells"),
        lease_seconds=3.0,
        pace=0.1,
        drain_seconds=240.0,
    )
    ledger = run(plan)
    report = markdown(ledger)
    assert ledger.broken == [], report
    assert ledger.second_asks == 0, report
    assert ledger.longest_ask_seconds > 3 * plan.lease_seconds, report


def test_the_command_says_what_it_does_not_know():
    command = [sys.executable, "-m", "simulation.chaos", "--faults", "kill,earthquake"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "unknown: earthquake; there are kill, stop" in done.stderr


def git(*words):
    return subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=True).stdout


@pytest.fixture
def history(need):
    """The older versions of this code, for the git on this machine."""
    if not (ROOT / ".git").exists():
        pytest.skip("an unpacked release has no older versions")
    if not shutil.which("git"):
        need("git is not installed")


def test_an_old_version_is_checked_out_beside_this_one_and_goes_away_again(history):
    before = git("worktree", "list")
    with checked_out("HEAD") as version:
        assert (version.root / "worker" / "celery.py").exists()
        assert version.root != ROOT
        assert str(version.root) in git("worktree", "list")
        assert version.has_crash_point("after ask")
        assert not version.has_crash_point("after lunch")
        assert version.knows_characters
        assert version.knows_consent
    assert not version.root.exists()
    assert git("worktree", "list") == before


def test_a_version_without_the_characters_adapter_gets_no_such_persona(tmp_path):
    assert not Version(tmp_path).knows_characters


def test_a_version_that_git_does_not_have_is_named(history):
    with pytest.raises(NoSuchVersion, match="no-such-name"), checked_out("no-such-name"):
        pass
    command = [sys.executable, "-m", "simulation.chaos", "--old-version", "no-such-name"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "--old-version no-such-name: git worktree add" in done.stdout


def test_the_way_back_needs_a_version(capsys):
    with pytest.raises(SystemExit):
        chaos(["--back"])
    assert "--old-version REF" in capsys.readouterr().err


@pytest.mark.acceptance
@pytest.mark.timeout(600)
def test_a_rolling_deploy_of_this_code_over_the_last_version_keeps_every_promise(history):
    plan = Plan(
        seed=11,
        messages=300,
        conversations=30,
        seconds=12.0,
        faults=("kill", "beats"),
        lease_seconds=3.0,
        drain_seconds=240.0,
        old_version="HEAD",
    )
    ledger = run(plan)
    report = markdown(ledger)
    assert ledger.broken == [], report
    assert ledger.incidents["worker of the old version started"] >= 3, report
    assert ledger.incidents["worker of the new version started"] >= 3, report


@pytest.mark.slow
@pytest.mark.acceptance
@pytest.mark.timeout(600)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the published client warns when it is imported
def test_the_plain_worker_that_parley_is_compared_with_works_when_nothing_goes_wrong():
    plan = Plan(
        seed=3,
        messages=30,
        conversations=30,
        seconds=3.0,
        faults=(),
        app="benchmarks.plain_celery",
        drain_seconds=240.0,
    )
    ledger = run(plan)
    lost = sum(ledger.lost.values())
    assert (lost, ledger.waiting, ledger.second_asks, ledger.doubled_sends) == (0, 0, 0, 0), markdown(ledger)
