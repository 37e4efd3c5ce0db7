"""The pure part of sync: bodies keep their bytes, folds know no order of arrival, chains and plans add up."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_tui.domain import ids
from ledger_tui.domain.content import canonical_json
from ledger_tui.domain.sync import bodies, chain, conflicts, digest, numbers, plan, records
from ledger_tui.domain.sync.conflicts import Fact
from ledger_tui.domain.sync.lineage import Lineage, VersionFact, versions
from ledger_tui.domain.sync.records import Record
from ledger_tui.store import sync_bodies
from ledger_tui.store.sqlite import library

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12)
PLAIN: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
CONTENT = st.dictionaries(
    st.sampled_from(["rv", "field", "value", "base", "status", "newer"]) | TEXT, PLAIN, max_size=6
)


def a_record(body: dict[str, Any] | None = None, kind: str = "label", rid: str = "") -> Record:
    """A record with a canonical body."""
    return Record("meta", rid or ids.new_id(), kind, canonical_json({"rv": 1, **(body or {})}))


@given(CONTENT, CONTENT)
@settings(max_examples=150, deadline=None)
def test_i1_any_body_is_kept_to_the_byte(content: dict[str, Any], made: dict[str, Any]) -> None:
    """Whatever a newer release wrote into a body, and whatever our columns say of it, the body made from both is the same."""
    body = canonical_json(content)
    assert bodies.whole(made, bodies.residue(json.loads(body), json.loads(canonical_json(made)))) == body


@given(CONTENT, st.dictionaries(TEXT, PLAIN, max_size=2))
@settings(max_examples=150, deadline=None)
def test_i1_a_journal_fact_survives_its_row(newer: dict[str, Any], inside: dict[str, Any]) -> None:
    """A registry fact read into columns and written again has the same bytes, with fields this release does not know."""
    version = {"content": "{}", "author": "a", "created_us": 5, "base_version_id": "v0", **inside}
    row = {"field": "v1", "value": "{}", "base": '["r1", "r2"]', "action": "x", "actor": "a", "device": "d", "at_us": 7}
    content = {**bodies.journal_content(row, "team/p", version), **newer}
    if not isinstance(content.get("base"), list):
        content["base"] = []
    body = canonical_json(content)
    read_row, read_version = bodies.journal_row(json.loads(body))
    made = bodies.journal_content(read_row, "team/p", read_version)
    assert bodies.whole(made, bodies.residue(json.loads(body), made)) == body


@pytest.mark.parametrize("kind", sorted(numbers.FIELDS))
def test_i12_bodies_of_numbers_have_no_place_for_a_text(kind: str) -> None:
    """No kind of telemetry record has a field for a text, a session or a user."""
    texts = {"input", "output", "error", "attributes", "rendered", "parameters", "messages", "response", "metadata"}
    assert not texts & set(numbers.FIELDS[kind]) and not {"session_id", "user_identifier"} & set(numbers.FIELDS[kind])


scalars = {
    str: st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=20),
    int: st.integers(-(2**53), 2**53),
    bool: st.just(True),
}


@given(st.data(), st.sampled_from(sorted(numbers.FIELDS)))
def test_i1_a_body_written_from_a_row_is_canonical(data: st.DataObject, kind: str) -> None:
    """The fast writers of telemetry write what the canonical writer would, whatever stands in the columns: that of values and
    that of the database."""
    row = {
        name: data.draw(scalars[wanted] | st.none()) if name != "rv" else 1
        for name, wanted in numbers.FIELDS[kind].items()
    }
    canonical = canonical_json({name: value for name, value in row.items() if value is not None})
    columns = {name: int(value) if isinstance(value, bool) else value for name, value in row.items()}
    assert numbers.writer(kind)([columns[name] for name in numbers.ORDER[kind]]) == canonical
    listed = ", ".join(f":{name} AS {name}" for name in columns)
    sql = f"SELECT {sync_bodies.body_sql(kind)} FROM (SELECT {listed}) r"
    with closing(library().connect(":memory:")) as connection:
        assert connection.execute(sql, columns).fetchone() == (canonical,)


BAD: dict[str, Callable[[], Record]] = {
    "its id is malformed": lambda: a_record(rid="a\nb"),
    "its kind is malformed": lambda: a_record(kind="la\nbel"),
    "its body is not canonical JSON": lambda: Record("meta", "r", "label", '{"rv": 1}'),
    "it does not say its format": lambda: Record("meta", "r", "label", "{}"),
    "it holds a broken character": lambda: Record("meta", "r", "label", '{"rv":1,"x":"\ud800"}'),
    "it is larger than 4096 kB": lambda: Record("meta", "r", "label", '"' + "x" * records.MAX_BODY_BYTES + '"'),
    "it is its own parent": lambda: a_record({"field": "v", "parents": ["v"]}, "version"),
    "it has more than 64 parents": lambda: a_record({"field": "v", "parents": [str(n) for n in range(65)]}, "version"),
    "it names no version": lambda: a_record({"parents": []}, "version"),
    "its parents are malformed": lambda: a_record({"field": "v", "parents": [1]}, "version"),
}


@pytest.mark.parametrize("why", BAD)
def test_b21_b38_a_malformed_record_is_named(why: str) -> None:
    """Each way in which a record can be malformed has its reason; a sound one has none."""
    assert records.fault(BAD[why]()) == why
    sound = a_record({"field": "x"})
    assert records.fault(sound) is None and records.fault(sound, sound.hash) is None
    assert records.fault(sound, "0" * 64) == "its hash does not fit its content"


@pytest.mark.parametrize(
    "body", ["[1]", "[" * 100_000, "9" * 5_000, '{"rv":1,"rv":1}', '{"rv":1e0}', '{"x":"\\u0000"}', ""]
)
def test_b38_a_hostile_body_is_refused_and_harms_nothing(body: str) -> None:
    """Depth bombs, endless numbers, doubled keys, other spellings and NULs are no canonical body."""
    assert records.fault(Record("meta", "r", "label", body)) == "its body is not canonical JSON"


def test_b33_a_month_comes_from_the_id_whatever_the_clock_said() -> None:
    """Ids of 1970 and of the far future have a month, an id of another make and an impossible moment have none."""
    assert records.month_of(ids.new_id(0)) == "1970-01"
    assert records.month_of(ids.new_id(1_796_000_000_000_000)) == "2026-11"
    assert records.month_of("ffffffff-ffff-7000-8000-000000000000") == records.month_of("anything") == "0000-00"
    twin = records.derived_rid(ids.new_id(1_796_000_000_000_000), "late")
    assert records.fault(a_record(rid=twin)) is None and records.month_of(twin) == "2026-11"


HASHES = st.lists(st.binary(min_size=32, max_size=32).map(bytes.hex), min_size=1, max_size=6)


@given(HASHES, HASHES)
def test_i3_a_chain_tells_histories_apart(one: list[str], other: list[str]) -> None:
    """Two histories have the same chain only when they are the same pushes in the same order."""
    whole, parts = chain.extend("", one + other), chain.extend(chain.extend("", one), other)
    assert whole != parts
    assert (chain.extend("", one) == chain.extend("", other)) == (one == other)


RIDS = st.sampled_from([f"r{n}" for n in range(6)])
FACTS = st.lists(
    st.builds(
        Fact,
        rid=RIDS,
        value=st.sampled_from(["1", "2", "3"]),
        base=st.lists(RIDS, max_size=3).map(tuple),
        commit_seq=st.none(),
        seq=st.just(0),
    ),
    min_size=1,
    max_size=6,
    unique_by=lambda fact: fact.rid,
).map(
    lambda facts: [f._replace(commit_seq=n if n < 4 else None, seq=10 - n if n < 4 else n) for n, f in enumerate(facts)]
)


@given(FACTS, st.randoms(use_true_random=False), st.booleans())
def test_i8_a_register_does_not_know_in_which_order_its_facts_arrived(
    facts: list[Fact], chance: Any, protected: bool
) -> None:
    """Shuffled and repeated facts give the same register: only the commit order counts."""
    mixed = facts + chance.sample(facts, len(facts) // 2)
    chance.shuffle(mixed)
    assert conflicts.register(mixed, protected=protected) == conflicts.register(facts, protected=protected)


@given(FACTS)
def test_i11_protected_moves_only_by_a_fact_that_saw_every_candidate(facts: list[Fact]) -> None:
    """One fact more changes a protected register only if that fact names all of its candidates."""
    for count in range(1, len(facts)):
        before, after = (conflicts.register(facts[:n], protected=True) for n in (count, count + 1))
        assert before is not None and after is not None
        if after.rid != before.rid:
            assert set(before.candidates) <= set(facts[count].base)


def test_i11_i18_two_people_move_production_at_once() -> None:
    """The first accepted stays and the other is contested; an ordinary label takes the last; a decision ends both."""
    first, mine, theirs = Fact("a", "1", (), 1, 1), Fact("b", "2", ("a",), 2, 3), Fact("c", "3", ("a",), 3, 2)
    held = conflicts.register([first, mine, theirs], protected=True)
    assert held == conflicts.Register("b", "2", ("b", "c"), ("c",))
    assert conflicts.register([first, mine, theirs]) == conflicts.Register("c", "3", ("b", "c"), ("b",))
    blind = conflicts.register([first, mine, theirs, Fact("d", "4", ("b",), 4, 4)], protected=True)
    assert blind is not None and blind.value == "2" and blind.contested == ("c", "d")
    decided = Fact("e", "3", ("b", "c"), 4, 4)
    assert conflicts.register([first, mine, theirs, decided], protected=True) == conflicts.Register(
        "e", "3", ("e",), ()
    )


VERSION_RIDS = st.sampled_from([f"r{n}" for n in range(9)])
VERSIONS = st.lists(
    st.builds(
        VersionFact,
        rid=VERSION_RIDS,
        version_id=st.sampled_from("uvwxyz"),
        base=st.none() | st.lists(VERSION_RIDS, max_size=2).map(tuple),
        commit_seq=st.none(),
        seq=st.just(0),
        based_on=st.none() | st.sampled_from("uvwxyz"),
        device=st.sampled_from("ab"),
    ),
    min_size=1,
    max_size=9,
    unique_by=lambda fact: fact.rid,
).map(lambda found: [f._replace(commit_seq=n if n < 6 else None, seq=n) for n, f in enumerate(found)])


@given(VERSIONS, st.randoms(use_true_random=False))
def test_i8_i19_versions_have_one_tree_and_one_winner(facts: list[VersionFact], chance: Any) -> None:
    """Shuffled and repeated facts give the same numbers, heads and served version; there is a head however facts name each
    other, and every question about the graph has an answer."""
    tree = versions(facts)
    mixed = facts + chance.sample(facts, len(facts) // 2)
    chance.shuffle(mixed)
    assert tree is not None and versions(mixed) == tree
    assert tree.served in tree.heads and set(tree.heads) <= set(tree.numbers)
    assert sorted(tree.numbers.values()) == list(range(1, len(tree.numbers) + 1))
    lineage = Lineage(facts)
    assert {lineage.facts[rid].version_id for rid in tree.candidates} == set(tree.heads)
    common = lineage.common(tree.heads[0], tree.heads[-1])
    assert common is None or common in set(tree.numbers) - {tree.heads[0], tree.heads[-1]}
    line = lineage.line_of(chance.choice("uvwxyz"), chance.choice("uvwxyz"))
    assert line and set(line) <= set(tree.candidates)


def _version(rid: str, base: tuple[str, ...] | None, seq: int | None, version_id: str = "", **more: Any) -> VersionFact:
    return VersionFact(rid, version_id or rid, base, seq, seq or 99, **more)


def test_i18_two_versions_on_one_base_are_two_heads_until_one_joins_them() -> None:
    """Concurrent edits are both heads, the first accepted is served; a version written on both is the only head."""
    facts = [_version("a", (), 1), _version("b", ("a",), 2), _version("c", ("a",), None)]
    tree = versions(facts)
    assert tree is not None and (tree.heads, tree.served, tree.provisional) == (("b", "c"), "b", frozenset("c"))
    assert Lineage(facts).common("b", "c") == "a"
    joined = versions([*facts, _version("d", ("b", "c"), None)])
    assert joined is not None and joined.heads == ("d",)


def test_i18_a_version_that_is_there_can_be_kept_against_another() -> None:
    """Whoever keeps one head whole writes a fact of it that names both; when two people each keep theirs, both are heads
    again, and what they have in common is what they had before."""
    facts = [_version("a", (), 1), _version("b", ("a",), 2), _version("c", ("a",), 3)]
    kept = _version("keep b", ("b", "c"), 4, "b")
    tree = versions([*facts, kept])
    assert tree is not None and (tree.heads, tree.numbers) == (("b",), {"a": 1, "b": 2, "c": 3})
    also = _version("keep c", ("b", "c"), 5, "c")
    lineage = Lineage([*facts, kept, also])
    assert set(lineage.heads()) == {"b", "c"} and lineage.common("b", "c") == "a"
    twice = versions([*facts, kept, kept._replace(rid="keep b too", commit_seq=5)])
    assert twice is not None and twice.heads == ("b",) and len(twice.candidates) == 2


def test_i18_histories_of_before_are_one_line_each() -> None:
    """Versions written before ledgers could be shared are no conflict, whatever each was edited from; two such ledgers that
    meet have two heads."""
    mine = [
        VersionFact(f"m{n}", f"v{n}", None, n, n, based_on="v1" if n > 1 else None, device="mine") for n in range(1, 5)
    ]
    tree = versions(mine)
    assert tree is not None and tree.heads == ("v4",)
    alone = [fact._replace(commit_seq=None, device=f"d{fact.seq % 2}") for fact in mine]
    tree = versions(alone)
    assert tree is not None and tree.heads == ("v4",)
    theirs = [VersionFact(f"t{n}", f"w{n}", None, 10 + n, n, device="theirs") for n in range(3)]
    tree = versions([*mine, *theirs])
    assert tree is not None and tree.heads == ("v4", "w2")


def test_b44_an_archiving_and_an_edit_at_once_are_told_apart_from_those_that_saw_each_other() -> None:
    """Only a version whose writer did not know of the archiving, and which the archiver did not know, was written meanwhile."""
    first, meanwhile = _version("a", (), 1), _version("b", ("a",), 3)
    lineage = Lineage([first, meanwhile])
    assert lineage.written_meanwhile({"gone": ["a"]}) == ("b",)
    assert lineage.written_meanwhile({"gone": ["b"]}) == () == lineage.written_meanwhile({"gone": ["a"], "too": ["b"]})
    assert lineage.written_meanwhile({"of before": []}) == ()
    aware = Lineage([first, _version("b", ("a", "gone"), 3), _version("c", ("b",), 4)])
    assert aware.written_meanwhile({"gone": ["a"]}) == ()


def test_an_edit_stands_on_the_head_it_was_made_from() -> None:
    """While two heads stand, a version goes on the one whose text was edited, else on the one that came from it, else on the
    active one: saving never decides between heads, and never makes a third."""
    facts = [_version("a", (), 1), _version("x", ("a",), 2), _version("b", ("x",), 3), _version("c", ("a",), 4)]
    lineage = Lineage(facts)
    assert lineage.line_of("c", "b") == ("c",) and lineage.line_of("x", "c") == ("b",)
    assert lineage.line_of("a", "b") == ("b",) and lineage.line_of(None, None) == ("c",)
    assert Lineage(facts[:3]).line_of("a", None) == ("b",)


def a_usage(number: int) -> Record:
    """A record of telemetry with a cost."""
    return Record("telemetry", f"r{number}", "usage", canonical_json({"rv": 1, "cost_nusd": number}))


@given(st.lists(st.integers(0, 10**9), unique=True, max_size=30), st.randoms(use_true_random=False))
def test_i14_i17_digests_agree_on_the_same_records_only(costs: list[int], chance: Any) -> None:
    """A digest knows no order, adds money as whole numbers, and one record less shows where it is missing."""
    found = [a_usage(cost) for cost in costs]
    mixed = list(found)
    chance.shuffle(mixed)
    whole = digest.digest_of(found)
    assert digest.digest_of(mixed) == whole and digest.differing(whole, digest.digest_of(mixed)) == []
    assert sum(cell.cost_nusd for cell in whole.values()) == sum(costs)
    if found:
        less = digest.digest_of(found[1:])
        assert digest.differing(whole, less) == [int(found[0].hash[:2], 16)]
        assert digest.short({"telemetry": whole}) == digest.short({"telemetry": digest.digest_of(mixed)})


@given(st.lists(st.integers(0, 400), max_size=40), st.integers(1, 7))
def test_a_push_is_cut_in_order_and_within_its_limits(sizes: list[int], rows: int) -> None:
    """Batches hold every record once and in order, never too many, and too many bytes only for one record alone."""
    found = [Record("meta", str(n), "label", "x" * size) for n, size in enumerate(sizes)]
    cut = list(plan.batches(found, rows, 500))
    assert [record for batch in cut for record in batch] == found
    assert all(0 < len(b) <= rows and (len(b) == 1 or sum(r.size for r in b) <= 500) for b in cut)


def test_l1_waiting_grows_to_five_minutes_and_no_further() -> None:
    """The waits after failures double from a second to five minutes, spread by chance, and never overflow."""
    assert [plan.backoff_s(n, 1.0) for n in (0, 1, 2, 3)] == [0, 1, 2, 4]
    assert plan.backoff_s(10_000, 1.0) == 300 and plan.backoff_s(10_000, 0.0) == 0
