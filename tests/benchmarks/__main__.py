"""Run all benchmarks, or those named: ``python -m tests.benchmarks [start] [traces] [money] ...``."""

from __future__ import annotations

import compileall
import importlib
import sys
from pathlib import Path

from tests.benchmarks.result import Result, table

NAMES = ("start", "editor", "streaming", "traces", "recording", "rendering", "money", "costs", "push", "sync")


def compile_bytecode() -> None:
    """Nobody's first start counts: compile our code and the libraries that a start imports."""
    import click
    import ledger_tui
    import rich
    import textual

    for package in (ledger_tui, textual, rich, click):
        for folder in package.__path__:
            compileall.compile_dir(folder, quiet=2, workers=0)
    compileall.compile_dir(str(Path(__file__).parent), quiet=2)


def main(names: list[str]) -> int:
    """Print one table; 1 when a limit does not hold, 2 for an unknown name."""
    unknown = set(names) - set(NAMES)
    if unknown:
        print(f"There is no benchmark {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}.", file=sys.stderr)
        return 2
    compile_bytecode()
    results: list[Result] = []
    for name in names or NAMES:
        print(f"… {name}", file=sys.stderr, flush=True)
        try:
            results += importlib.import_module(f"tests.benchmarks.bench_{name}").run()
        except ModuleNotFoundError as error:
            if error.name != f"tests.benchmarks.bench_{name}":
                raise
            print(f"  bench_{name} is not here", file=sys.stderr)
    print(table(results))
    return 1 if any(result.ok is False for result in results) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
