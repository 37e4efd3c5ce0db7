"""Identities are the same on two machines, and facts get ids in the order of time."""

from __future__ import annotations

import os
import uuid
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger_tui.domain import clock, ids
from tests.store.helpers import in_child


def test_a_prompt_and_a_version_have_one_id_everywhere() -> None:
    """The ids depend on the name and the content only, and never change between releases."""
    prompt = ids.prompt_id("support/reply")
    assert prompt == "f8be1473-29d5-5c0c-8a77-c72f767f12b6"
    assert prompt != ids.prompt_id("support/Reply")
    assert ids.version_id(prompt, "ab" * 32) == "1c170712-d87f-5fb2-a1c0-1958f83b4af8"
    assert ids.version_id(prompt, "ab" * 32) != ids.version_id(ids.prompt_id("x"), "ab" * 32)


def test_new_ids_are_ordered_by_the_clock_and_unique() -> None:
    """Later moments sort later as text; a thousand of one moment differ; both are version 7."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    made = []
    for step in range(50):
        with clock.stopped(start + timedelta(milliseconds=step)):
            made.append(ids.new_id())
    assert made == sorted(made)
    with clock.stopped(start):
        same = {ids.new_id() for _ in range(1_000)}
    assert len(same) == 1_000
    assert {uuid.UUID(item).version for item in same} == {7}
    assert {uuid.UUID(item).variant for item in same} == {uuid.RFC_4122}


def test_a_forked_process_makes_other_ids() -> None:
    """A child after fork() does not repeat the ids of its parent or of its sister."""
    made: list[str] = []
    for _ in range(2):
        end, begin = os.pipe()

        def work(begin: int = begin) -> None:
            os.write(begin, "".join(ids.new_id()[15:] for _ in range(20)).encode())

        assert in_child(work) == 0
        made.append(os.read(end, 4096).decode())
        os.close(end)
        os.close(begin)
    made.append("".join(ids.new_id()[15:] for _ in range(20)))
    assert len(set(made)) == 3


@pytest.mark.parametrize("year", [1, 1969, 9999])
def test_ids_are_made_whatever_the_clock_says(year: int) -> None:
    """A clock far off makes odd ids, not errors."""
    with clock.stopped(datetime(year, 6, 1, tzinfo=UTC)):
        assert uuid.UUID(ids.new_id()).version == 7


@given(st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=-11)), timezone(timedelta(hours=14))])))
def test_moments_survive_whole_microseconds(moment: datetime) -> None:
    """A moment of any zone comes back as the same moment in UTC."""
    value = clock.to_us(moment)
    if clock.to_us(datetime.min.replace(tzinfo=UTC)) <= value <= clock.to_us(datetime.max.replace(tzinfo=UTC)):
        assert clock.from_us(value) == moment
        assert clock.from_us(value).tzinfo is UTC


def test_a_moment_without_a_zone_is_refused() -> None:
    """Nobody guesses what a naive time means."""
    with pytest.raises(ValueError, match="zone"):
        clock.to_us(datetime(2026, 1, 1))


def test_the_clock_goes_on_after_a_stop() -> None:
    """Inside the block time stands; after it, also after an error, it runs."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    with pytest.raises(RuntimeError), clock.stopped(at):
        assert clock.now() == at and clock.now_us() == clock.to_us(at)
        raise RuntimeError
    assert clock.now() != at
