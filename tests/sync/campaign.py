"""Many random lives: ``python -m tests.sync.campaign [COUNT] [FIRST SEED]`` (500 from a random seed) of eight devices with
bare records; with ``--ledgers`` of real ledgers with telemetry, texts, retention and rules.

A failure prints its seed; ``python -m tests.sync.campaign 1 SEED`` lives it again.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import traceback
from collections import Counter
from pathlib import Path

from tests.sync import real_lives, world


def main(count: int = 500, first: int | None = None, *, ledgers: bool = False, steps: int | None = None) -> int:
    """Live ``count`` lives; 1 when one failed."""
    begin = random.randrange(10**9) if first is None else first
    story = real_lives.story if ledgers else world.story
    given = {} if steps is None else {"steps": steps}
    counts: Counter[str] = Counter()
    failed = []
    for seed in range(begin, begin + count):
        with tempfile.TemporaryDirectory(prefix="ledger-sync-") as folder:
            try:
                counts += story(Path(folder), seed, **given)
            except Exception:
                failed.append(seed)
                traceback.print_exc()
                print(f"seed {seed} failed")
    print(f"{count} lives from seed {begin}: {len(failed)} failed {failed or ''}; {dict(counts)}")
    return 1 if failed else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition(":")[0])
    parser.add_argument("count", type=int, nargs="?", default=500)
    parser.add_argument("first", type=int, nargs="?")
    parser.add_argument("--ledgers", action="store_true", help="real ledgers in place of bare records")
    parser.add_argument("--steps", type=int)
    asked = parser.parse_args()
    sys.exit(main(asked.count, asked.first, ledgers=asked.ledgers, steps=asked.steps))
