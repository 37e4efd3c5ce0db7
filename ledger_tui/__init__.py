"""Prompt Ledger: every prompt, every run and what it cost, in one local ledger.

The house. Imports go down only; `lint-imports` checks it.

::

    __main__                    picks the front door
    ui | cli                    front doors: show, call, return; they own no rule
    testing                     for the tests of programs that use us: a ledger in memory, scripted models, steady time and ids
    ledger                      PromptLedger: built once, hands out the services; what programs import
    sdk                         its methods for programs in small groups, what they return, and the services it hands out
                                (rooms.py); spans of code, wrapped clients
    services                    what one can do; here synchronous storage meets asynchronous providers (services/runs.py)
    providers | pricing | sync  rooms with small doors, unaware of each other
    store                       where facts are kept: engine, queries, migrations, files; all SQL
    domain                      what things are: tables.py (the schema on one page), values, pure logic
    settings, paths, errors,    under all
    frozen

Everything that happens is an immutable fact, appended; what a screen shows is a view of the facts.

* Writing (people's edits, runs) goes through a SQLModel session in one short BEGIN IMMEDIATE transaction, in a thread.
* Hot reading (lists, a trace's spans) uses plain DB-API connections and returns frozen values; it loads no SQLAlchemy, so the
  first frame does not wait for it.
* A recorded span is one append to a file of its process; a thread moves it into the database, exactly once.
* A telemetry write updates the sums (`traces`, and those of days: costs, users and sessions, latencies, renders) in its own
  transaction; `store/recount.py` counts the same from the facts.
* Every call that leaves passes one gate (services/runs.py): there budgets are asked, in the transaction that stores the call.
* A queued call is a row; a worker claims it in one transaction, and its waits survive the process.
* A price is charged once: own entries are facts of the journal, the rates of a call are kept as a card, and with its tokens the
  card gives the receipt again. Pricing late is a new fact.
* A recorded call is linked to the version whose templates its messages fit, while it is moved into the database.
* An earlier moment is shown by views of the facts up to it, which stand in front of the tables of each reading connection.
* A shared ledger is a whole ledger on every machine and one history on a server: rows are records with canonical bodies, numbered
  under a lock by the server and chained by hashes; the engine (sync/engine.py) knows neither tables nor screens, the store's
  `LedgerLog` is its local end, and docs/sync.md tells the protocol. What two people wrote at once stays until somebody decides.
* Templates are parsed and rendered in a warm helper process with hard limits; a program's own ones in its own process.
* Drafts are small files, so that a damaged database never costs a person's text.
* Public names resolve lazily: `import ledger_tui` loads nothing heavy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ledger_tui.ledger import PromptLedger, observe

__version__ = "0.1.0"
__all__ = ["PromptLedger", "__version__", "observe"]


def __getattr__(name: str) -> Any:
    if name == "PromptLedger":
        from ledger_tui.ledger import PromptLedger

        return PromptLedger
    if name == "observe":
        from ledger_tui.ledger import observe

        return observe
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
