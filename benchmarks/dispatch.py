"""How fast follow-ups that are due at once become events, in how much memory, and how late they are on a normal day.

    python -m benchmarks.dispatch
    python -m benchmarks.dispatch --conversations 100000 --dispatchers 2 --per-second 20 --seconds 30

First the store alone: so many conversations with a touch that is due, and so many dispatching processes as beat would
start them, until nothing is due. Then a whole system, worker and beat as processes of their own: follow-ups fall due at
an even rate; late is the time from that moment to the acceptance as an event, and to the beginning of its turn.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from datetime import UTC, datetime

from config.settings import load
from simulation.feeding import settings_of
from simulation.judge.percentile import percentile
from simulation.servers.embedded_redis import EmbeddedRedis
from simulation.servers.system import RunningSystem
from simulation.until import until
from worker.domain.conversation import Conversation
from worker.domain.events import ChannelContext, FollowUp, InboundChat
from worker.pipeline.follow_up_dispatch import Dispatch
from worker.pipeline.producer import Producer
from worker.store import Store

GOAL_SECONDS = 5.0

_CHANNEL = ChannelContext(
    session_id="lance_catcher_69c35e3e",
    metadata={
        "internal": {
            "channelMetadata": {
                "channelMetadata": {"channel": "custom-channel"},
                "custom": {"timezone": "Europe/Berlin"},
            }
        }
    },
)
_AT_ONCE = 5000


def main() -> int:
    """Measure and print. 1 when something was lost or doubled, or was later than the goal."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dispatch", description=__doc__)
    parser.add_argument("--conversations", type=int, default=100_000)
    parser.add_argument("--dispatchers", type=int, default=1)
    parser.add_argument("--per-second", type=float, default=20.0)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--dispatch", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.dispatch:
        return dispatch()
    return all_at_once(options.conversations, options.dispatchers) + normal_load(options.per_second, options.seconds)


def all_at_once(conversations: int, dispatchers: int) -> int:
    """Everything is due now."""
    with EmbeddedRedis() as server:
        variables = {
            "PARLEY_REDIS_URL": server.url,
            "PARLEY_CAPTIVATE__ENVIRONMENT": "dev",
            "PARLEY_PERSONAS__AVA__API_KEY": "ft_sk_ava",
            "PARLEY_FOLLOW_UPS__DELAYS_SECONDS": "[3600, 86400]",
            # Quiet hours that never hold, so that they are computed.
            "PARLEY_QUIET_HOURS__START": _wall_in(12),
            "PARLEY_QUIET_HOURS__END": _wall_in(13),
        }
        os.environ.update(variables)
        store = Store(load(env_file=None), connections=4)
        _fall_silent(store, conversations)
        before_mb = _memory_mb(store)
        started_at = time.monotonic()
        command = [sys.executable, "-m", "benchmarks.dispatch", "--dispatch"]
        processes = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(dispatchers)]
        results = [json.loads(process.communicate()[0]) for process in processes]
        seconds = time.monotonic() - started_at
        accepted = sum(result["accepted"] for result in results)
        waiting = sum(account.waiting for account in store.books.accounts())
        busiest = max(result["seconds"] for result in results)
        print(f"{conversations} due at once, {dispatchers} dispatching processes:")
        print(f"  accepted            {accepted}, waiting {waiting}, still planned {len(store.follow_ups.upcoming(1))}")
        print(
            f"  rate                {accepted / busiest:.0f} a second ({busiest:.1f} s, {seconds:.1f} s with start-up)"
        )
        print(
            f"  processor           {sum(r['cpu_seconds'] for r in results) / accepted * 1e6:.0f} us each, dispatchers"
        )
        print(f"  dispatcher          {max(r['resident_mb'] for r in results):.0f} MB resident")
        print(
            f"  store               {before_mb:.0f} MB before, {_memory_mb(store):.0f} MB with their events", flush=True
        )
        store.close()
        return int((accepted, waiting) != (conversations, conversations))


def dispatch() -> int:
    """Be one dispatching process: run until nothing is due, then print what it took as JSON."""
    settings = load(env_file=None)
    store = Store(settings, connections=2)
    one = Dispatch(store, settings)
    started_at, accepted = time.monotonic(), 0
    while counts := one.run():
        accepted += counts["accepted"]
    used = resource.getrusage(resource.RUSAGE_SELF)
    result = {
        "accepted": accepted,
        "seconds": time.monotonic() - started_at,
        "cpu_seconds": used.ru_utime + used.ru_stime,
        "resident_mb": used.ru_maxrss / 1024,
    }
    print(json.dumps(result))
    store.close()
    return 0


def normal_load(per_second: float, seconds: float) -> int:
    """Follow-ups fall due one after the other."""
    count = int(per_second * seconds)
    with RunningSystem(latency_seconds=0.5, settings={"PARLEY_JOIN__SETTLE_SECONDS": "0"}) as system:
        settings = settings_of(system)
        store = Store(settings, connections=4)
        with Producer(settings) as producer:
            leads = [Conversation("ava", f"@{number}") for number in range(count)]
            producer.enqueue_many([_words(lead) for lead in leads])
            until(lambda: not any(account.waiting for account in store.books.accounts()), "all have written")
            start = store.follow_ups.now() / 1000 + count / 500 + 1
            due = [start + number / per_second for number in range(count)]
            producer.enqueue_many([_asked_for(lead, at) for lead, at in zip(leads, due, strict=True)])
            time.sleep(max(0.0, due[-1] - store.follow_ups.now() / 1000))
            deadline = time.monotonic() + 60
            while store.follow_ups.upcoming(1) or any(account.waiting for account in store.books.accounts()):
                if time.monotonic() > deadline:
                    break
                time.sleep(0.2)
        late = [_late(store, lead, at) for lead, at in zip(leads, due, strict=True)]
        store.close()
    print(f"{per_second:g} a second for {seconds:g} s, one worker, one beat, persona at 0.5 s:")
    worst = 0.0
    for title, index in (("late as an event", 0), ("late as a turn", 1)):
        seconds_late = [each[index] for each in late]
        p50, p99, worst = (percentile(seconds_late, share) for share in (0.5, 0.99, 1.0))
        print(f"  {title:<20}p50 {p50:.2f} s, p99 {p99:.2f} s, at most {worst:.2f} s of {len(late)}")
    return int(worst > GOAL_SECONDS)


def _fall_silent(store: Store, conversations: int) -> None:
    # As a turn's end leaves it; a hundred thousand turns would take longer than what is measured.
    now = store.follow_ups.now()
    state = {"channel": _CHANNEL.model_dump_json(), "started": 1, "plan": 2, "plan_step": 0}
    for start in range(0, conversations, _AT_ONCE):
        with store.redis.pipeline(transaction=False) as pipeline:
            for number in range(start, min(start + _AT_ONCE, conversations)):
                lead = Conversation("ava", f"@lead-{number}")
                shard = store.keys.of(lead)
                at = now - 60_000 - number % 1000
                quiet = {
                    "quiet_from": at - 4_000_000,
                    "touch_at": at,
                    "touch_rule": "cadence_step step=1 of=2 silence=3600",
                }
                pipeline.hset(shard.conversation(lead), mapping={**state, **quiet})
                pipeline.zadd(shard.follow_ups, {lead.name: at})
            pipeline.execute()


def _words(lead: Conversation) -> InboundChat:
    return InboundChat(persona=lead.persona, target=lead.target, message="hi", channel=_CHANNEL)


def _asked_for(lead: Conversation, at: float) -> FollowUp:
    return FollowUp(persona=lead.persona, target=lead.target, not_before=datetime.fromtimestamp(at, UTC))


def _late(store: Store, lead: Conversation, due: float) -> tuple[float, float]:
    moments = store.timeline.of(lead)
    accepted = next(i for i, m in enumerate(moments) if m.word == "accepted" and m.details[0] == "follow_up")
    asking = next(moment for moment in moments[accepted:] if moment.word == "asking")
    return moments[accepted].at.timestamp() - due, asking.at.timestamp() - due


def _memory_mb(store: Store) -> float:
    memory: dict[str, int] = store.redis.info("memory")
    return memory["used_memory"] / 1e6


def _wall_in(hours: int) -> str:
    return f"{(datetime.now(UTC).hour + hours) % 24:02d}:00"


if __name__ == "__main__":
    sys.exit(main())
