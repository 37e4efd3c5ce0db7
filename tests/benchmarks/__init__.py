"""How fast it is, measured beside something known, in one command: ``python -m tests.benchmarks``."""
