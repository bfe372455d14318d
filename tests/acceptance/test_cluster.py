"""A Redis Cluster of three masters as store, another Redis as broker."""

from __future__ import annotations

import base64
import time
import uuid
from contextlib import closing

import pytest
from celery import Celery

from config.settings import SettingsError, load
from simulation.ingress_client import IngressClient
from simulation.load import run_load
from simulation.servers.embedded_redis import EmbeddedRedis
from simulation.servers.redis_topologies import EmbeddedCluster, client_of
from simulation.servers.system import INGRESS_TOKEN
from simulation.until import until
from tests.acceptance import over_http
from tests.notice_receiver import SECRET, receiving
from worker.domain.conversation import Conversation
from worker.domain.events import InboundChat
from worker.processes.start_up import examine
from worker.store import Store, StoreError
from worker.store.conversations.turn_steps import Grant
from worker.store.personas.apis import KEY as APIS
from worker.web.push.pusher import Pusher

pytestmark = pytest.mark.acceptance

SETTINGS = {"PARLEY_JOIN__MAX_EVENTS": "1", "PARLEY_JOIN__SETTLE_SECONDS": "0"}
LEADS = [f"@lead-{number}" for number in range(60)]


@pytest.fixture(scope="module")
def cluster():
    with EmbeddedCluster() as running:
        yield running


@pytest.fixture
def broker():
    """The Redis for the doorbells."""
    with EmbeddedRedis() as running:
        yield running


@pytest.fixture
def clustered(cluster, broker, make_settings):
    """An empty store in the cluster."""
    for node in cluster.nodes:
        with client_of(node) as client:
            client.flushall()
    settings = make_settings(redis_url=cluster.url, broker_url=broker.url)
    with closing(Store(settings, connections=8)) as store:
        yield store


def chat(target, message, channel):
    return InboundChat(persona="ava", target=target, message=message, channel=channel)


@pytest.mark.slow
def test_300_events_over_30_conversations_while_a_worker_is_killed(start, cluster, broker):
    system, settings = start(
        settings={**SETTINGS, "PARLEY_REDIS_URL": cluster.url, "PARLEY_BROKER_URL": broker.url},
        latency_seconds=0.2,
        workers=2,
    )
    killed = []

    def kill_one():
        if not killed and system.upstreams.summary()["fluidtalk"].calls > 60:
            system.workers[0].kill()
            killed.append(True)

    run = run_load(system, settings, messages=300, conversations=30, meanwhile=kill_one)
    verdict = run.verdict
    assert killed
    assert (verdict.lost, verdict.undelivered, verdict.overtaken) == (0, 0, 0), verdict
    assert (run.waiting, run.unexplained) == (0, 0)
    for node in cluster.nodes:
        with client_of(node) as client:
            assert client.dbsize() > 0, "every master has its part"


def test_leads_who_write_over_http_are_answered_and_notices_tell_so(start, cluster, broker):
    with receiving() as receiver:
        endpoint = "PARLEY_NOTICES__ENDPOINTS__CRM__"
        system, _ = start(
            settings={
                **over_http.SETTINGS,
                "PARLEY_REDIS_URL": cluster.url,
                "PARLEY_BROKER_URL": broker.url,
                "PARLEY_NOTICES__KEEP": "true",
                f"{endpoint}URL": receiver.url,
                f"{endpoint}SECRET": SECRET,
                f"{endpoint}ALLOW_PRIVATE_ADDRESSES": "true",
            },
            webs=1,
        )
        over_http.write_and_be_answered(system)
        with closing(IngressClient(system.ingresses[0], INGRESS_TOKEN)) as client:
            pulled = over_http.notices_of(client)
        assert {each["type"] for each in pulled} == {"parley.event.answered"}
        assert len({each["id"] for each in pulled}) == len(pulled) == 2 * over_http.LEADS * len(over_http.WORDS)
        until(lambda: len(receiver.got) >= len(pulled), "all are pushed")
    for lead in {each["target"] for each in pulled}:
        numbers = [each["sequence"] for each in pulled if each["target"] == lead]
        assert numbers == list(range(numbers[0], numbers[0] + len(over_http.WORDS)))
        assert receiver.sequences(f"ava/{lead}") == numbers
    assert receiver.forged == 0


def test_notices_of_all_shards_are_pulled_pushed_and_erased(cluster, broker, make_settings, clustered, channel):
    with receiving() as receiver:
        crm = {"url": receiver.url, "secret": SECRET, "allow_private_addresses": True}
        settings = make_settings(
            redis_url=cluster.url,
            broker_url=broker.url,
            join={"max_events": 1, "settle_seconds": 0},
            notices={"keep": True, "endpoints": {"crm": crm}},
        )
        with closing(Store(settings, connections=8)) as store:
            assert store.notices.refused() == []
            assert store.endpoints.ends() == ["0-0"] * store.notices.shards
            told = _end_all(store, channel)
            pulled, cursor = [], ""
            while (page := store.notices.read(cursor, limit=50)).notices:
                pulled, cursor = pulled + page.notices, page.cursor
                assert page.dropped == 0
            assert sorted(each.event_id for each in pulled) == sorted(told)
            assert len({store.notices.shard_of(each) for each in pulled}) == store.notices.shards
            assert not store.notices.any_behind(cursor)
            assert store.notices.figures().kept == len(told)
            pusher = Pusher(settings, store)
            pusher.start()
            try:
                until(lambda: len(receiver.got) == len(told), "all are pushed")
                told += _end_all(store, channel)
                assert store.notices.any_behind(cursor)
                until(lambda: len(receiver.got) == len(told), "those that come later, too")
                until(lambda: store.endpoints.state("crm").sent == len(told), "they are counted")
            finally:
                pusher.stop(5)
            for target in LEADS:
                numbers = receiver.sequences(f"ava/{target}")
                assert numbers == list(range(numbers[0], numbers[0] + 4))
            assert store.endpoints.behind(store.endpoints.state("crm")) == 0
            assert [store.notices.erase(Conversation("ava", target)) for target in LEADS] == [4] * len(LEADS)


def test_a_master_that_does_not_permit_what_notices_need_is_found(cluster, broker, make_settings, clustered):
    settings = make_settings(redis_url=cluster.url, broker_url=broker.url, notices={"keep": True})
    with closing(Store(settings, connections=2)) as store, client_of(cluster.nodes[1]) as client:
        client.execute_command("ACL", "SETUSER", "default", "-xadd")
        try:
            assert [each.command for each in store.notices.refused()] == ["XADD"]
        finally:
            client.execute_command("ACL", "SETUSER", "default", "+@all")


def _end_all(store, channel):
    """Two events of each lead get a fate. Returns their ids."""
    events = [chat(target, "hi", channel) for _ in range(2) for target in LEADS]
    store.inbox.accept_many(events)
    for event in events:
        store.steps.settle(store.steps.begin(Conversation("ava", event.target), uuid.uuid4().hex), "ignored")
    return [event.event_id for event in events]


def test_batches_renewals_and_whatever_looks_at_all_shards(clustered, channel):
    store = clustered
    events = [chat(target, f"{number}", channel) for number in range(3) for target in LEADS]
    statuses = [acceptance.position for acceptance in store.inbox.accept_many(events)]
    assert statuses == [1] * 60 + [2] * 60 + [3] * 60, "in order within each conversation"
    grants = [store.steps.begin(Conversation("ava", target), uuid.uuid4().hex) for target in LEADS]
    assert all(isinstance(grant, Grant) for grant in grants)
    assert store.steps.renew(grants) == [], "all of them in one call"
    for grant in grants:
        assert store.steps.settle(grant, "dead", "for the test").status == "settled"
    (account,) = store.books.accounts()
    assert (account.accepted, account.dead, account.unexplained) == (180, 180, 0)
    assert len(store.dead_letters.newest(limit=1000)) == 180
    store.inbox.accept_many([chat(target, "later", channel) for target in LEADS])
    store.personas.pause("ava", "for the test")
    assert store.personas.gates("ava")["paused"] == "for the test"
    store.personas.open_gate("ava", "paused")
    assert len(store.agenda.claim_due()) == 60, "woken in all shards"
    assert list(store.follow_ups.due(10)) == []


def test_what_is_kept_of_fluidtalk_on_whichever_master(clustered, channel):
    store = clustered
    store.drift.add({"field chat.mood": 2})
    assert store.drift.recent() == {"field chat.mood": 2}
    store.inbox.accept_many([chat(target, "hi", channel) for target in LEADS])
    for shard in store.keys.shards:
        store.redis.zadd(shard.pulled("ava"), {"fu_1": 1})
    store.redis.hset(APIS, "ava", "characters")
    assert store.measures.take().acks_owed == {"ava": len(store.keys.shards)}
    [change] = store.apis.changes()
    assert (change.before, change.events) == ("characters", 0), "its targets name no platform"
    store.apis.note()
    assert store.apis.changes() == []


def test_takeovers_in_all_shards(clustered, channel):
    for target in LEADS:
        conversation = Conversation("ava", target)
        clustered.inbox.accept(chat(target, "hi", channel))
        assert clustered.takeovers.claim(conversation, "kim").status == "claimed"
        assert clustered.takeovers.hand_back(conversation, "joined").status == "handed_back"
        assert isinstance(clustered.steps.begin(conversation, uuid.uuid4().hex), Grant)


def test_what_leads_say_about_messages_in_all_shards(cluster, broker, make_settings, clustered, channel):
    # The lead's own mark is in another shard, and mostly on another master, than the conversation.
    consent = {"scope": "lead", "hash_key": "a key of sixteen"}
    settings = make_settings(redis_url=cluster.url, broker_url=broker.url, consent=consent)
    with closing(Store(settings, connections=8)) as store:
        for target in LEADS:
            conversation = Conversation("ava", target)
            store.inbox.accept(chat(target, "STOP", channel))
            assert store.consents.of_lead(target).state == "out"
            assert store.consents.write(Conversation("bea", target), "out", "kim") == "done"
            # Two shards have no common order: within one millisecond an opt-out stays.
            time.sleep(0.002)
            store.inbox.accept(chat(target, "START", channel))
            assert store.consents.of(Conversation("bea", target)).state == "in"
            store.inbox.accept(chat(target, "STOP", channel))
            assert store.forgetting.forget(conversation, store.forgetting.traces(conversation)).status == "forgotten"
            assert store.consents.of_lead(target).state == "out"
        assert {mark.persona for mark in store.consents.all()} == {"bea"}
        assert not any(store.measures.take().opted_out.values())


def test_scripts_that_a_master_forgot_are_sent_again(clustered, cluster, channel):
    clustered.inbox.accept(chat("@a", "one", channel))
    for node in cluster.nodes:
        with client_of(node) as client:
            client.script_flush()
    again = clustered.inbox.accept_many([chat(target, "two", channel) for target in LEADS])
    assert {acceptance.status for acceptance in again} == {"accepted"}


def test_foreign_producers_use_the_broker(start, cluster, broker, channel, eventually):
    system, _ = start(settings={**SETTINGS, "PARLEY_REDIS_URL": cluster.url, "PARLEY_BROKER_URL": broker.url})
    event = {"kind": "inbound_chat", "persona": "ava", "target": "@x", "message": "hi", "channel": channel}
    with Celery(broker=broker.url, set_as_current=False) as celery:
        celery.send_task("tasks.accept", args=[event], queue="accept", ignore_result=True)
    eventually(lambda: system.upstreams.deliveries("session-1"), "the answer")


def test_a_cluster_that_is_away_is_a_store_that_is_away(make_settings):
    settings = make_settings(redis_url="redis+cluster://127.0.0.1:1,127.0.0.1:2", broker_url="redis://127.0.0.1:1")
    with closing(Store(settings, connections=1)) as store:
        with pytest.raises(StoreError):
            store.books.accounts()
        found, answered = examine(settings, store)
    assert not answered
    assert "127.0.0.1:1,127.0.0.1:2 (cluster) cannot be reached" in next(
        one.means for one in found if one.check == "store"
    )


def test_check_looks_at_every_master(clustered, cluster, broker, make_settings):
    settings = make_settings(redis_url=cluster.url, broker_url=broker.url)
    found = {finding.check: finding for finding in examine(settings, clustered)[0]}
    assert found["mode"].level == "ok"
    assert found["fail-over"].level == "warning", "masters without replicas"
    with client_of(cluster.nodes[1]) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        spoiled = {finding.check: finding for finding in examine(settings, clustered)[0]}["maxmemory-policy"]
        client.config_set("maxmemory-policy", "noeviction")
    assert spoiled.loses_data
    assert spoiled.means.startswith(f"127.0.0.1:{cluster.nodes[1].port}: allkeys-lru")
    alone = make_settings(redis_url=cluster.nodes[0].url)
    with closing(Store(alone, connections=1)) as store:
        mode = {finding.check: finding for finding in examine(alone, store)[0]}["mode"]
    assert mode.level == "failure"
    assert "redis+cluster://" in mode.remedy


@pytest.mark.parametrize(
    ("urls", "said"),
    [
        ({"redis_url": "redis+cluster://a:1"}, "PARLEY_BROKER_URL is missing"),
        ({"redis_url": "redis://a", "broker_url": "redis+cluster://a:1"}, "Celery cannot use a Redis Cluster"),
    ],
)
def test_settings_without_a_broker_that_works_are_refused(urls, said):
    with pytest.raises(SettingsError, match=said):
        load(env_file=None, captivate={"environment": "dev"}, personas={"ava": {"api_key": "k"}}, **urls)


def test_keys_are_changed_on_all_masters(clustered, make_settings, cluster, broker, channel):
    old, new = (base64.b64encode(bytes([number]) * 32).decode() for number in (1, 2))
    clustered.inbox.accept_many([chat(f"@lead-{number}", "hi", channel) for number in range(40)])
    for keys in ([old], [new, old]):
        settings = make_settings(redis_url=cluster.url, broker_url=broker.url, encryption={"keys": keys})
        with closing(Store(settings, connections=8)) as store:
            *_, tally = store.rotation.run()
            assert (tally.looked_at, tally.changed, tally.undecryptable) == (80, 80, {})
            assert store.rotation.sample().by_key == {store.content.writes_with: 80}
            assert store.rotation.keys_in_all() >= 80


@pytest.mark.slow
def test_the_cap_of_a_lead_is_one_for_personas_of_different_nodes(cluster, broker, make_settings):
    names = [f"p{number}" for number in range(20)]
    settings = make_settings(
        redis_url=cluster.url,
        broker_url=broker.url,
        personas={name: {"api_key": f"ft_sk_{name}"} for name in names},
        frequency={"per_lead_per_day": 3},
    )
    with closing(Store(settings, connections=8)) as store:
        events = [(Conversation(name, "@one-lead"), "e") for name in names]
        assert len({store.keys.of(conversation).tag for conversation, _ in events}) > 3
        waits = store.frequency.waits_of(events)
        assert [bool(wait) for wait in waits] == [False] * 3 + [True] * 17
        store.frequency.ended(events[:1], sent=False)
        store.frequency.ended(events[1:3], sent=True)
        assert [bool(wait) for wait in store.frequency.waits_of(events[3:6])] == [False, True, True]
