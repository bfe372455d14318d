"""Which errors of Redis are the store's, to be waited for, and which are of one call that will never succeed."""

from __future__ import annotations

import pytest
from redis import exceptions

from simulation.servers.embedded_redis import EmbeddedRedis
from worker.store import Store
from worker.store.redis.failures import code_of, is_own_fault

OF_OLD = "Error running script (call to f_1f): @user_script:12: @user_script: 12: "

NOT_NOW = [
    exceptions.ConnectionError("Connection reset by peer"),
    exceptions.TimeoutError("Timeout reading from socket"),
    exceptions.BusyLoadingError("Redis is loading the dataset in memory"),
    exceptions.AuthenticationError("invalid username-password pair"),
    exceptions.InvalidResponse("Protocol Error"),
    exceptions.ReadOnlyError("You can't write against a read only replica."),
    exceptions.OutOfMemoryError("command not allowed when used memory > 'maxmemory'."),
    exceptions.NoPermissionError("this user has no permissions"),
    exceptions.MasterDownError("Link with MASTER is down"),
    exceptions.ClusterDownError("CLUSTERDOWN Hash slot not served"),
    exceptions.TryAgainError("TRYAGAIN Multiple keys request during rehashing of slot"),
    exceptions.MovedError("1 127.0.0.1:7000"),
    exceptions.NoScriptError("No matching script."),
    *map(
        exceptions.ResponseError,
        [
            "NOREPLICAS Not enough good replicas to write.",
            "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
            "BUSY Redis is busy running a script.",
            "UNKILLABLE Sorry the script already executed write commands against the dataset.",
            "OOM command not allowed when used memory > 'maxmemory'. script: 1f, on @user_script:12.",
            "-NOREPLICAS Not enough good replicas to write. script: 1f, on @user_script:12.",
            # Redis 6.2.
            f"{OF_OLD}-OOM command not allowed when used memory > 'maxmemory'.",
            f"{OF_OLD}-MISCONF Redis is configured to save RDB snapshots",
            f"{OF_OLD}-READONLY You can't write against a read only replica.",
            # From a pipeline.
            "Command # 2 (EVALSHA 1f 2 parley:{00}:inbox:ava:@x) of pipeline caused error: NOREPLICAS Not enough good "
            "replicas to write.",
            "max number of clients reached",
        ],
    ),
    # No errors of Redis at all.
    ValueError("x"),
    OSError("x"),
]
OWN_FAULTS = [
    exceptions.DataError("Invalid input of type: 'NoneType'"),
    *map(
        exceptions.ResponseError,
        [
            "WRONGTYPE Operation against a key holding the wrong kind of value",
            "WRONGTYPE Operation against a key holding the wrong kind of value script: 1f, on @user_script:9.",
            f"{OF_OLD}-WRONGTYPE Operation against a key",
            "user_script:12: attempt to perform arithmetic on a nil value script: 1f, on @user_script:12.",
            "Protocol error: invalid bulk length",
            "string exceeds maximum allowed size (proto-max-bulk-len)",
            "Command # 1 (EVALSHA 1f 1 parley:{00}:inbox:ava:OOM) of pipeline caused error: WRONGTYPE Operation",
            "CROSSSLOT Keys in request don't hash to the same slot",
        ],
    ),
]


@pytest.mark.parametrize("error", NOT_NOW, ids=str)
def test_what_the_store_cannot_do_now_is_waited_for(error):
    assert not is_own_fault(error)


@pytest.mark.parametrize("error", OWN_FAULTS, ids=str)
def test_what_fails_for_this_call_alone_is_its_own_fault(error):
    assert is_own_fault(error)


def test_a_code_names_no_key():
    text = "Command # 1 (EVALSHA 1f 1 parley:{00}:inbox:ava:@lead) of pipeline caused error: WRONGTYPE Operation"
    assert code_of(exceptions.ResponseError(text)) == "WRONGTYPE"
    assert code_of(exceptions.ResponseError("user_script:12: something of @lead")) == "ResponseError"
    assert code_of(exceptions.ConnectionError("refused")) == "ConnectionError"


@pytest.fixture
def answer_of(make_settings):
    """The error that a real server gives to a store whose server was treated like this."""

    def run(treat):
        with EmbeddedRedis() as server:
            store = Store(make_settings(redis_url=server.url), connections=2)
            try:
                treat(store.redis)
                with pytest.raises(exceptions.RedisError) as raised:
                    store.inbox.refuse("ava", "@lead", "m1", "{}", "InvalidEvent: kind: missing")
                return raised.value
            finally:
                store.close()

    return run


@pytest.mark.parametrize(
    ("treat", "own_fault"),
    [
        (lambda redis: [redis.set(f"parley:{{{shard:02}}}:dead", "x") for shard in range(16)], True),
        (lambda redis: redis.config_set("maxmemory", 1), False),
        (lambda redis: redis.config_set("min-replicas-to-write", 1), False),
        (lambda redis: redis.replicaof("127.0.0.1", 1), False),
    ],
    ids=["a key of the wrong type", "full", "too few replicas", "a replica"],
)
def test_a_real_server_is_understood(answer_of, treat, own_fault):
    assert is_own_fault(answer_of(treat)) == own_fault
