"""``parley consent``, and what ``explain``, ``status`` and ``forget`` say of it."""

from __future__ import annotations

import csv
import io
import json

import pytest

from worker.domain.conversation import Conversation

LEAD = Conversation("ava", "@lead")
WHO = ("ava", "@lead")
HEADER = "persona,target,state,since,by\n"


@pytest.fixture
def stopped(store, chat):
    """The lead wrote STOP."""
    store.inbox.accept(chat("stop", message="STOP"))


@pytest.fixture
def file(tmp_path):
    """Write a CSV and return its path."""

    def make(text):
        path = tmp_path / "consent.csv"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return make


def test_nobody_has_said_anything(parley):
    assert parley("consent", "list").out == "No lead has opted out or in.\n"
    assert parley("consent", "show", *WHO).status == 1
    assert json.loads(parley("consent", "list", "--json").out) == []


def test_a_persona_that_is_not_configured_is_named_as_such(parley, store):
    ended = parley("consent", "show", "eva", "@lead")
    assert (ended.status, "There is no persona 'eva'" in ended.err, "ava" in ended.err) == (2, True, True)
    store.consents.write(Conversation("eva", "@lead"), "out", "kim")
    assert parley("consent", "show", "eva", "@lead").out.startswith("opted out of messages of eva since ")


def test_who_opted_out_is_listed_and_shown(parley, stopped):
    listed = parley("consent", "list").out
    assert ("ava" in listed, "@lead" in listed, "opted out" in listed) == (True, True, True)
    (mark,) = json.loads(parley("consent", "list", "--json", "--state", "out").out)
    assert (mark["persona"], mark["target"], mark["state"], mark["by"]) == ("ava", "@lead", "out", "lead")
    assert parley("consent", "list", "--state", "in").out == "No lead has opted out or in.\n"
    assert parley("consent", "list", "--persona", "bea").out == "No lead has opted out or in.\n"
    assert parley("consent", "show", *WHO).out.startswith("opted out of messages of ava since 20")
    assert parley("consent", "list", "--state", "maybe").status == 2


def test_an_operator_writes_it_down_and_takes_it_back(parley, store):
    ended = parley("consent", "set", *WHO, "out", "--reason", "called us", "--by", "kim")
    assert (ended.status, ended.out) == (0, "Written: opted out.\n")
    assert store.consents.of(LEAD).by == "kim: called us"
    for again in ((), ("--reason", "called us", "--by", "kim")):
        assert parley("consent", "set", *WHO, "out", *again).status == 1
    assert parley("consent", "set", *WHO, "in", "--yes").status == 0
    assert store.consents.of(LEAD).state == "in"
    assert parley("consent", "set", *WHO, "none", "--yes").status == 0
    assert store.consents.of(LEAD) is None
    assert [moment.word for moment in store.timeline.of(LEAD)] == ["opted out", "opted in", "consent removed"]


def test_it_asks_before_a_lead_may_get_messages_again(parley, store, stopped):
    ended = parley("consent", "set", *WHO, "in", answer="n\n")
    assert (ended.status, store.consents.of(LEAD).state) == (1, "out")


@pytest.mark.parametrize("words", [("nobody", "@lead", "out"), ("ava", "@lead", "off")])
def test_wrong_words_are_told(parley, words):
    assert parley("consent", "set", *words).status == 2


def test_export_and_import_are_the_same(parley, store, stopped, file):
    parley("consent", "set", "*", "@other", "out", "--by", 'a "quoted", name')
    text = parley("consent", "export").out
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(row["persona"], row["target"], row["state"]) for row in rows] == [
        ("ava", "@lead", "out"),
        ("*", "@other", "out"),
    ]
    before = store.consents.all()
    store.redis.flushdb()
    assert parley("consent", "import", file(text), "--yes").out == "Changed: 2; so already, or said later: 0.\n"
    assert store.consents.all() == before
    assert parley("consent", "import", file(text), "--yes").out == "Changed: 0; so already, or said later: 2.\n"
    assert store.consents.all() == before


def test_what_the_lead_said_later_stays(parley, store, stopped, chat, file):
    text = parley("consent", "export").out
    store.inbox.accept(chat("start", message="START"))
    parley("consent", "import", file(text), "--yes")
    assert store.consents.of(LEAD).state == "in"


def test_a_file_with_faults_changes_nothing_and_names_its_lines(parley, store, file):
    lines = ["ava,@a,out,,", "nobody,@b,out,,", "ava,,out,,", "ava,@c,off,,", "ava,@d,out,tomorrow,"]
    text = HEADER + "\n".join([*lines, "ava,@e,in,2999-01-01,"])
    ended = parley("consent", "import", file(text), "--yes")
    assert ended.status == 1
    assert [line.partition(":")[0] for line in ended.err.splitlines()] == [
        *(f"line {number}" for number in range(3, 8)),
        "Nothing was changed.",
    ]
    assert store.consents.all() == []


def test_a_file_without_a_header_says_which_column_is_missing(parley, file):
    assert "has no column persona" in parley("consent", "import", file("ava,@lead,out\n")).err


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        (
            "persona,target,state,Since",
            "has the unknown column 'Since'. Known columns: persona, target, state, since, by",
        ),
        ("persona,target,state,since,note,by", "has the unknown column 'note'"),
        ("persona,target,state," + "x" * 9000, f"has the unknown column '{'x' * 39}…'"),
        ("persona,target,state,\x1b[31m", "has the unknown column '\\x1b[31m'"),
        ("persona,target,state,since,since", "has the column since more than once"),
    ],
)
def test_a_column_that_is_not_known_is_named_and_nothing_is_changed(parley, store, file, columns, told):
    ended = parley("consent", "import", file(f"{columns}\nava,@lead,out,2025-01-01,2025-01-01\n"), "--yes")
    assert (ended.status, told in ended.err) == (1, True), ended.err
    assert ended.err.endswith("Nothing was changed.\n")
    assert store.consents.all() == []


@pytest.mark.parametrize(("columns", "rest"), [("", ",2025-01-01"), ("", ",,x"), (",", ",2025-01-01")])
def test_a_value_in_a_column_without_a_name_is_a_fault(parley, store, file, columns, rest):
    ended = parley("consent", "import", file(f"persona,target,state{columns}\nava,@lead,out{rest}\n"), "--yes")
    assert (ended.status, ended.err.startswith("line 2: there is a value in a column without a name")) == (1, True)
    assert store.consents.all() == []


def test_what_is_no_csv_is_told(parley, store, file):
    text = f'{HEADER}ava,@lead,out,,\nava,"@open,out,,\n' + "ava,@more,out,,\n" * 9000
    ended = parley("consent", "import", file(text), "--yes")
    assert (ended.status, "cannot be read as CSV after line " in ended.err, "@" in ended.err) == (1, True, False)
    assert store.consents.all() == []


def test_empty_columns_without_a_name_change_nothing(parley, store, file):
    parley("consent", "import", file("persona,target,state,,\nava,@lead,out,,\n"), "--yes")
    assert store.consents.of(LEAD).state == "out"


def test_a_target_without_a_platform_is_on_that_of_its_persona(parley, store, file, monkeypatch):
    for name, value in (("API_KEY", "ftc_ava"), ("PLATFORM", "instagram")):
        monkeypatch.setenv(f"PARLEY_PERSONAS__AVA__{name}", value)
    parley("consent", "set", "ava", "john", "out")
    parley("consent", "import", file(f"{HEADER}ava,jane,out,,\nava,telegram/jim,out,,\n"), "--yes")
    assert {mark.target for mark in store.consents.all()} == {"instagram/john", "instagram/jane", "telegram/jim"}
    assert parley("consent", "show", "ava", "john").status == 0


def test_where_nothing_can_be_written_nothing_is_exported(parley, tmp_path):
    ended = parley("consent", "export", str(tmp_path / "none" / "consent.csv"))
    assert (ended.status, "cannot be written" in ended.err) == (1, True)


def test_a_folder_is_no_file(parley, tmp_path):
    assert parley("consent", "import", str(tmp_path), "--yes").status == 2


def test_what_is_no_end_of_a_line_in_a_file_ends_none(parley, store, file):
    header = "persona,target,state\n"
    assert parley("consent", "import", file(f"{header}ava,@a\u2028b,out\n"), "--yes").status == 0
    assert [mark.target for mark in store.consents.all()] == ["@a\u2028b"]


def test_since_and_by_may_be_missing(parley, store, file):
    parley("consent", "import", file("persona,target,state\nava,@lead,in\n"), "--yes", "--by", "kim")
    assert (store.consents.of(LEAD).state, store.consents.of(LEAD).by) == ("in", "kim")


def test_explain_and_status_tell(parley, store, stopped):
    lines = parley("explain", *WHO).out
    assert "The lead opted out of messages of ava on " in lines
    assert "parley consent set ava @lead in" in lines
    told = json.loads(parley("status", "--json").out)
    assert (told["opted_out"], told["opted_out_or_in"]) == ({"ava": 1}, 1)
    assert "opt-outs 1, opt-ins 0" in parley("status").out
    assert json.loads(parley("explain", *WHO, "--json").out)["consent"]


def test_who_is_out_is_counted_through_all_changes(parley, store, stopped, chat, monkeypatch):
    monkeypatch.setenv("PARLEY_CONSENT__HASH_KEY", "a key of sixteen")

    def counted():
        listed = json.loads(parley("consent", "list", "--json", "--state", "out").out)
        figures = store.measures.take().opted_out
        assert sum(figures.values()) == len(listed)
        return {name: leads for name, leads in figures.items() if leads}

    assert counted() == {"ava": 1}
    store.inbox.accept(chat("again", message="stop"))
    parley("consent", "set", "bea", "@other", "out")
    for _ in range(2):
        parley("consent", "set", "*", "@lead", "out")
    assert counted() == {"ava": 1, "bea": 1, "*": 1}
    parley("consent", "set", "bea", "@other", "in", "--yes")
    assert parley("forget", *WHO, "--yes").status == 0
    assert counted() == {}
    parley("consent", "set", *WHO, "out")
    parley("consent", "set", "*", "@third", "out")
    assert counted() == {"ava": 1, "*": 1}
    for whose in (WHO, ("*", "@third")):
        parley("consent", "set", *whose, "none", "--yes")
    assert counted() == {}


def test_explain_tells_of_a_lead_who_was_never_heard_of(parley, store):
    parley("consent", "set", *WHO, "out")
    store.redis.delete(store.keys.of(LEAD).timeline(LEAD))
    ended = parley("explain", *WHO)
    assert ended.status == 1
    assert "The lead opted out" in ended.err


# --- forget -----------------------------------------------------------------------------------------------------------


def test_forget_refuses_to_forget_an_opt_out(parley, store, stopped):
    ended = parley("forget", *WHO, "--yes")
    assert ended.status == 1
    assert "PARLEY_CONSENT__HASH_KEY" in ended.err
    assert store.consents.of(LEAD)
    assert parley("forget", *WHO, "--yes", "--also-consent").status == 0
    assert store.consents.of(LEAD) is None
    assert not any("@lead" in str(key) for key in store.redis.scan_iter())


def test_an_erased_lead_stays_opted_out_and_no_name_is_left(parley, make_store, store, chat, stopped, monkeypatch):
    monkeypatch.setenv("PARLEY_CONSENT__HASH_KEY", "a key of sixteen")
    assert parley("forget", *WHO, "--yes").status == 0
    dump = [(key, store.redis.hgetall(key)) for key in store.redis.scan_iter() if store.redis.type(key) == "hash"]
    assert "@lead" not in str(dump)
    assert parley("consent", "show", *WHO).out.startswith("opted out of messages of ava since 20")
    keyed = make_store(consent={"hash_key": "a key of sixteen"})
    keyed.inbox.accept(chat("again", message="hello"))
    grant = keyed.steps.begin(LEAD, "t")
    assert (grant.consent, grant.unwanted) == ("out", None)
    assert keyed.consents.of(LEAD).state == "out"


def test_an_erased_lead_who_starts_again_gets_messages_again(parley, make_store, chat, stopped, monkeypatch):
    monkeypatch.setenv("PARLEY_CONSENT__HASH_KEY", "a key of sixteen")
    parley("forget", *WHO, "--yes")
    keyed = make_store(consent={"hash_key": "a key of sixteen"})
    keyed.inbox.accept(chat("again", message="start"))
    assert keyed.steps.begin(LEAD, "t").consent == "in"
    assert keyed.consents.of(LEAD).state == "in"
