"""Many random lives of eight devices: ``python -m tests.sync.campaign [COUNT] [FIRST SEED]`` (500 from a random seed).

A failure prints its seed; ``python -m tests.sync.campaign 1 SEED`` lives it again.
"""

from __future__ import annotations

import random
import sys
import tempfile
import traceback
from collections import Counter
from pathlib import Path

from tests.sync.world import story


def main(count: int = 500, first: int | None = None) -> int:
    """Live ``count`` lives; 1 when one failed."""
    begin = random.randrange(10**9) if first is None else first
    counts: Counter[str] = Counter()
    failed = []
    for seed in range(begin, begin + count):
        with tempfile.TemporaryDirectory(prefix="ledger-sync-") as folder:
            try:
                counts += story(Path(folder), seed)
            except Exception:
                failed.append(seed)
                traceback.print_exc()
                print(f"seed {seed} failed")
    print(f"{count} lives from seed {begin}: {len(failed)} failed {failed or ''}; {dict(counts)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*(int(argument) for argument in sys.argv[1:3])))
