"""Purchases, refunds and chargebacks: what a producer may say, exactly."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from worker import InvalidEvent, MoneyEvent
from worker.domain.events import parse, parse_json

WHO = {"kind": "money_event", "persona": "cleo", "target": "mark", "event_type": "purchase"}


def money(**fields: Any) -> Any:
    return parse({**WHO, **fields})


def test_who_it_was_and_what_happened_must_be_said() -> None:
    event = money()
    assert (event.amount, event.currency, event.raw, event.external_event_id) == (None, None, None, None)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("19.90", "19.90"),
        ("0", "0"),
        (20, "20"),
        (Decimal("19.90"), "19.90"),
        (Decimal("1E+3"), "1000"),
        (Decimal("123456789012.345"), "123456789012.345"),
        (10**15 - 1, "999999999999999"),
    ],
)
def test_an_amount_is_exact_and_stays_so_in_the_store(given: Any, kept: str) -> None:
    event = MoneyEvent(persona="cleo", target="mark", event_type="refund", amount=given)
    again = parse_json(event.model_dump_json(), accepted=True)
    assert str(event.amount) == kept
    assert again == event


@pytest.mark.parametrize(
    "amount",
    [
        19.9,
        1.0,
        float("nan"),
        True,
        -1,
        "-1",
        "1,50",
        "19.90 EUR",
        "1e3",
        " 1",
        "",
        "٣",
        10**15,
        Decimal("NaN"),
        Decimal("-0.01"),
        Decimal("1E+999999999"),
        Decimal("1E-999999999"),
        "1234567890.123456",
        [1],
        {},
        b"1",
    ],
)
def test_an_amount_that_is_not_exact_is_refused(amount: Any) -> None:
    with pytest.raises(InvalidEvent, match="amount: "):
        money(amount=amount)


def test_a_number_of_any_length_is_refused() -> None:
    with pytest.raises(InvalidEvent, match="at most 15 digits"):
        money(amount=10**5000)


def test_a_float_says_what_to_give_instead_and_quotes_nothing() -> None:
    with pytest.raises(InvalidEvent, match=r'a float is not exact: give a text such as "19\.90"') as refused:
        money(amount=47.11)
    assert "47" not in str(refused.value)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("event_type", "gift"),
        ("event_type", None),
        ("event_type", ""),
        ("currency", "EURO"),
        ("currency", "E1R"),
        ("currency", "€"),
        ("currency", 978),
        ("raw", ["a list"]),
        ("raw", "a text"),
        ("external_event_id", "with blank"),
        ("external_event_id", ""),
        ("external_event_id", "x" * 257),
        ("message", "hello"),
    ],
)
def test_the_other_fields_are_strict_too(field: str, value: Any) -> None:
    with pytest.raises(InvalidEvent, match=field):
        money(**{field: value})
