"""Which server a ledger is shared through: its address in the ledger, its password in the keyring or the environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger_tui.errors import InputError
from ledger_tui.store import sync_receipts

if TYPE_CHECKING:
    from ledger_tui.store.database import Database
    from ledger_tui.sync.door import Remote
    from ledger_tui.sync.dsn import Target

PASSWORD = "LEDGER_SYNC_PASSWORD"  # noqa: S105 - the name of a variable
_KEYRING = "ledger:pg"


def not_shared() -> InputError:
    """The error for a ledger without a server."""
    return InputError(
        "it has no server",
        title="This ledger is shared with nobody",
        remedy="Make a shared ledger with 'ledger-tui sync init postgresql://name@host/database', or join one with 'sync join'.",
    )


def is_shared(database: Database) -> bool:
    """Whether the ledger has a server: cheaper to ask than ``SyncService.status``, and loads less."""
    if database.dialect != "sqlite":
        return False
    with database.lean() as lean:
        return sync_receipts.remote(lean) is not None


def stored_target(database: Database) -> Target:
    """The server's address with the password that is found for it; raises InputError where there is none."""
    with database.lean() as lean:
        kept = sync_receipts.remote(lean)
    if kept is None:
        raise not_shared()
    return with_password(str(kept["address"]))[0]


def with_password(url: str, password: str | None = None) -> tuple[Target, str]:
    """The address with the password that the environment, a file or the keyring has for it, and where that was found.

    A password in the address itself, or the one that is given, goes before all; then where is empty, as when there is none.
    """
    from ledger_tui.sync.dsn import Target

    bare = Target(url, password)
    if bare.password is not None:
        return bare, ""
    from ledger_tui.providers.secrets import find_key

    found = find_key(_KEYRING, _item(bare), (PASSWORD,))
    return (bare, "") if found is None else (Target(url, found.secret.reveal()), found.source)


def keep_password(target: Target) -> str:
    """Keep the address's password in the keyring, or for this process when there is none; where it went, empty for none."""
    from ledger_tui.providers.secrets import Secret, keep_key

    return "" if target.password is None else keep_key(_KEYRING, _item(target), Secret(target.password))


def forget_password(target: Target) -> None:
    """Take the password out of the keyring."""
    from ledger_tui.providers.secrets import drop_key

    drop_key(_KEYRING, _item(target))


def open_remote(database: Database) -> Remote:
    """The door to the ledger's server; connects at the first call. Raises InputError for a ledger without one."""
    from ledger_tui.store import sync_standing
    from ledger_tui.sync.postgres import PostgresRemote

    with database.lean() as lean:
        workspace = sync_standing.state(lean).workspace
    # Bodies are written canonical here, or were checked when they came.
    return PostgresRemote(stored_target(database), workspace, vouched=True)


def _item(target: Target) -> str:
    return target.keyring_item.removeprefix("ledger:pg:")
