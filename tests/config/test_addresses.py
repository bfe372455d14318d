"""URLs of store and broker."""

from __future__ import annotations

import pytest

from config.addresses import parse


@pytest.mark.parametrize(
    ("url", "kind", "tls", "hosts", "shown"),
    [
        ("redis://", "redis", False, (("localhost", 6379),), "localhost:6379/0"),
        ("rediss://u:p@h:1/3", "redis", True, (("h", 1),), "h:1/3"),
        ("unix:///run/redis.sock?db=1", "redis", False, (), "/run/redis.sock"),
        ("redis+sentinel://a,b:1/2?service=m", "sentinel", False, (("a", 26379), ("b", 1)), "a:26379,b:1/2 (master m)"),
        ("rediss+sentinel://a?service=m", "sentinel", True, (("a", 26379),), "a:26379/0 (master m)"),
        ("redis+cluster://a:1,[::1]:2", "cluster", False, (("a", 1), ("::1", 2)), "a:1,::1:2 (cluster)"),
        ("redis+cluster://u:p@[::1]:1,b", "cluster", False, (("::1", 1), ("b", 6379)), "::1:1,b:6379 (cluster)"),
        ("amqps://u:p@h/v", "amqp", True, (("h", 5671),), "h:5671/v"),
        ("memory://", "other", False, (), "/"),
    ],
)
def test_each_kind_of_server(url, kind, tls, hosts, shown):
    address = parse(url)
    assert (address.kind, address.tls, address.hosts, address.shown) == (kind, tls, hosts, shown)


def test_secrets_are_read_and_not_shown():
    address = parse("redis+sentinel://user:pl%40nted@a/0?service=m&sentinel_password=PLANTED")
    assert (address.username, address.password, address.sentinel_password) == ("user", "pl@nted", "PLANTED")
    assert address.login() == "user:pl%40nted@"
    assert "nted" not in repr(address) + address.shown
    assert "PLANTED" not in repr(address) + address.shown


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("localhost:6379", "not a URL"),
        ("sentinel://PLANTED@a:1", r"redis\+sentinel://"),
        ("redis+sentinel://PLANTED@a:1", "name of the master"),
        ("redis+sentinel://PLANTED@a:1?service=m&servce=n", "unknown options: servce"),
        ("redis+cluster://PLANTED@a:1/2", "only database 0"),
        ("redis+cluster://PLANTED@a:1/x", "number of a database"),
        ("redis+cluster://PLANTED@a:port", "port"),
        ("redis://PLANTED@[::1", "IPv6"),
        ("redis://u:PLANTED[@h", "%5B"),
        ("rediss://PLANTED@a?ssl_cert_reqs=none", "PARLEY_TLS__CA_PATH"),
        ("redis://PLANTED@a/0?foo=bar", r"options behind a \? are not taken"),
        ("redis://PLANTED@a?db=1", "is written /2"),
        ("redis://PLANTED@a/x", "after the hosts must be the number of a database"),
        ("redis://PLANTED@a/²", "after the hosts must be the number of a database"),
        ("unix:///PLANTED?db=x", r"behind \?db= must be the number of a database"),
        ("unix:///PLANTED?foo=x", r"options behind a \? are not taken"),
        ("amqp://PLANTED@a/vhost?heartbeat=x", r"options behind a \? are not taken"),
        ("redis+sentinel://:a?PLANTED=b@a:1?service=m", "must be written %3F"),
        ("redis://:a#PLANTED=b@a:1", "must be written %3F or %23"),
    ],
)
def test_what_cannot_work_is_said_without_quoting_it(url, said):
    with pytest.raises(ValueError, match=said) as refused:
        parse(url)
    assert "PLANTED" not in str(refused.value)
