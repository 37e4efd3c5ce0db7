"""The race that loses rows where cursors follow sequences: twelve writers, delays, rollbacks, and a puller that misses nothing."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg
from ledger_tui.domain.sync.chain import START

from tests.sync.shared import InPostgres
from tests.sync.test_remote import record

WRITERS, ROUNDS = 12, 15
_PUSH = "SELECT upto FROM sync.push_v1(%s::uuid, 'telemetry', 'd', ARRAY[%s], ARRAY['usage'], ARRAY[%s], 0, '')"
_PAUSE = "SELECT pg_sleep(%s)"


def write(shared: InPostgres, address: str, seed: int) -> list[str]:
    """Transactions that take a number of a sequence, dawdle, push, dawdle, and sometimes come to nothing; what was committed."""
    chance, kept = random.Random(seed), []
    with psycopg.connect(address) as connection:
        for _ in range(ROUNDS):
            row = record("usage", "telemetry")
            connection.execute("INSERT INTO public.naive (rid) VALUES (%s)", (row.rid,))
            connection.execute(_PAUSE, (chance.random() * 0.02,))
            connection.execute(_PUSH, (shared.workspace, row.rid, row.body))
            connection.execute(_PAUSE, (chance.random() * 0.002,))
            if chance.random() < 0.1:
                connection.rollback()
            else:
                connection.commit()
                kept.append(row.rid)
    return kept


def test_i2_the_puller_misses_nothing_where_a_sequence_loses_rows(postgres_shared: InPostgres) -> None:
    """Following commit numbers sees every committed row once and in order; following a sequence beside it does not."""
    postgres_shared.run(
        "CREATE TABLE public.naive (n bigserial, rid text); GRANT ALL ON public.naive, public.naive_n_seq TO PUBLIC"
    )
    addresses = [postgres_shared.address(postgres_shared.enrol(f"w{number}", "member")) for number in range(WRITERS)]
    remote, done = postgres_shared.remote("puller"), threading.Event()
    seen: list[str] = []
    naive: list[str] = []

    def follow() -> None:
        after, last, ending = START, 0, False
        with psycopg.connect(postgres_shared.url, autocommit=True) as connection:
            while True:
                ending = done.is_set()
                page = remote.pull("telemetry", after, 50)
                assert [row.seq for row in page.rows] == list(range(after.seq + 1, page.upto.seq + 1))
                seen.extend(row.record.rid for row in page.rows)
                after = page.upto
                for number, rid in connection.execute(
                    "SELECT n, rid FROM public.naive WHERE n > %s ORDER BY n", (last,)
                ):
                    naive.append(rid)
                    last = number
                if ending and not page.more:
                    return

    with ThreadPoolExecutor(WRITERS + 1) as pool:
        puller = pool.submit(follow)
        writers = [pool.submit(write, postgres_shared, address, seed) for seed, address in enumerate(addresses)]
        try:
            committed = {rid for writer in writers for rid in writer.result()}
        finally:
            done.set()
        puller.result()
    assert len(seen) == len(committed) and set(seen) == committed
    assert len(committed) > WRITERS * ROUNDS // 2
    assert set(naive) < committed, "the writers did not overlap, so nothing was shown"
