"""What errors of Redis and other brokers mean, in the words of three servers; and how often it is said."""

from __future__ import annotations

import pytest
from kombu.exceptions import OperationalError
from redis import exceptions

from worker.store.redis.troubles import Saying, Trouble, trouble_of

IN_A_SCRIPT_OF_6_2 = "Error running script (call to f_4fe0): @user_script:1: @user_script: 1: "


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (exceptions.OutOfMemoryError("command not allowed when used memory > 'maxmemory'."), "OOM"),
        (exceptions.ResponseError(f"{IN_A_SCRIPT_OF_6_2}-OOM command not allowed when used memory"), "OOM"),
        (exceptions.ResponseError("NOREPLICAS Not enough good replicas to write."), "NOREPLICAS"),
        (exceptions.ResponseError(f"{IN_A_SCRIPT_OF_6_2}-NOREPLICAS Not enough good replicas"), "NOREPLICAS"),
        (exceptions.ResponseError("MISCONF Redis is configured to save RDB snapshots, but"), "MISCONF"),
        (exceptions.ReadOnlyError("You can't write against a read only replica."), "READONLY"),
        (exceptions.ResponseError(f"{IN_A_SCRIPT_OF_6_2}-READONLY You can't write against"), "READONLY"),
        (exceptions.ResponseError("UNBLOCKED force unblock from blocking operation"), "UNBLOCKED"),
        (exceptions.MasterDownError("Link with MASTER is down"), "MASTERDOWN"),
        (exceptions.ClusterDownError("The cluster is down"), "CLUSTERDOWN"),
        (exceptions.BusyLoadingError("Redis is loading the dataset in memory"), "LOADING"),
        (exceptions.ResponseError("BUSY Redis is busy running a script."), "BUSY"),
        (exceptions.NoPermissionError("this user has no permissions to run the 'brpop' command"), "NOPERM"),
        (exceptions.ResponseError("ACL failure in script: User x has no permissions to run the 'del'"), "NOPERM"),
        (exceptions.ResponseError("The user executing the script can't run this command or subcommand"), "NOPERM"),
        (exceptions.AuthenticationError("invalid username-password pair or user is disabled."), "NOAUTH"),
        (exceptions.ResponseError("WRONGTYPE Operation against a key"), "ResponseError"),
        (exceptions.ConnectionError("Error 111 connecting"), "ConnectionError"),
        (OSError("broken pipe"), "OSError"),
    ],
)
def test_each_is_known_by_its_code(error, code):
    assert trouble_of(error).code == code


def test_the_error_behind_an_error_counts():
    wrapped = OperationalError("PLANTED")
    wrapped.__cause__ = exceptions.OutOfMemoryError("command not allowed")
    assert trouble_of(wrapped).code == "OOM"
    assert trouble_of(OperationalError("alone")).code == "OperationalError"


def test_what_is_said_has_no_word_of_the_error():
    trouble = trouble_of(exceptions.ResponseError("unknown command 'x', with args beginning with: PLANTED"))
    said = trouble.told("it waits")
    assert "PLANTED" not in said
    assert said == "refuses a command (ResponseError): it waits; to do: parley check"


def test_it_is_said_at_once_then_ever_more_seldom_until_it_is_over():
    now = [0.0]
    saying, full = Saying(10, 40, clock=lambda: now[0]), Trouble("OOM", "is full")
    said = []
    for second in range(200):
        now[0] = float(second)
        if saying.now(full):
            said.append(second)
    assert said == [0, 10, 30, 70, 110, 150, 190]
    assert saying.lasts
    assert saying.now(Trouble("READONLY", "is a replica")), "another trouble is news"
    assert saying.over() == 199
    assert (saying.lasts, saying.over()) == (False, None)
    assert saying.now(full)


def test_a_cluster_without_a_node_cannot_be_reached():
    trouble = trouble_of(
        exceptions.RedisError("Redis Cluster cannot be connected. Please provide at least one reachable node")
    )
    assert (trouble.means, trouble.answered) == ("cannot be reached", False)
