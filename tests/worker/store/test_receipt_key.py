"""All processes of the ingress seal receipts with one key."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor


def test_all_processes_have_the_same_key(make_store):
    stores = [make_store() for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        found = set(pool.map(lambda store: store.receipt_key.value, stores))
    [key] = found
    assert len(key) == 64
    assert make_store().receipt_key.value == key


def test_each_store_has_a_key_of_its_own(make_store):
    store = make_store()
    before = store.receipt_key.value
    store.redis.flushall()
    assert make_store().receipt_key.value != before
