"""Which server a ledger is shared through: its address in the ledger, its password in the keyring or the environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger_tui.errors import InputError
from ledger_tui.store import sync_receipts

if TYPE_CHECKING:
    from ledger_tui.providers.secrets import Secret
    from ledger_tui.store.database import Database
    from ledger_tui.sync.door import Remote
    from ledger_tui.sync.dsn import Target

PASSWORD = "LEDGER_SYNC_PASSWORD"  # noqa: S105 - the name of a variable
_KEYRING = "ledger:pg"
_GIVEN = ("address", "asked")
"""Sources of a password that a person gave just now."""


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


def stored_target(database: Database) -> tuple[Target, str]:
    """As ``with_password``, for the ledger's server; raises InputError where there is none."""
    with database.lean() as lean:
        kept = sync_receipts.remote(lean)
    if kept is None:
        raise not_shared()
    return with_password(str(kept["address"]))


def with_password(url: str, asked: str | None = None) -> tuple[Target, str]:
    """The address with its password, and where that comes from: ``address``, ``asked``, ``environment``, ``file``, ``keyring``,
    ``memory``, or empty for none.

    asked: the password that a person typed. Raises InputError for an address or a password that cannot be taken.
    """
    from ledger_tui.providers.secrets import find_key
    from ledger_tui.sync.dsn import Target

    bare = Target(url)
    if bare.password is not None:
        _secret(bare.password)
        return bare, "address"
    if asked is not None:
        return Target(url, _secret(asked).reveal()), "asked"
    found = find_key(_KEYRING, _item(bare.keyring_item), (PASSWORD,))
    return (bare, "") if found is None else (Target(url, found.secret.reveal()), found.source)


def keep_password(target: Target, source: str) -> str:
    """Keep a password that a person gave in the keyring, or for this process when there is none; where it is from now on."""
    from ledger_tui.providers.secrets import keep_key

    if source not in _GIVEN or target.password is None:
        return source
    return keep_key(_KEYRING, _item(target.keyring_item), _secret(target.password))


def forget_password(keyring_item: str) -> None:
    """Take a password out of the keyring."""
    from ledger_tui.providers.secrets import drop_key

    drop_key(_KEYRING, _item(keyring_item))


def open_remote(database: Database) -> Remote:
    """The door to the ledger's server; connects at the first call. Raises InputError for a ledger without one."""
    from ledger_tui.store import sync_standing
    from ledger_tui.sync.postgres import PostgresRemote

    with database.lean() as lean:
        workspace = sync_standing.state(lean).workspace
    # Bodies are written canonical here, or were checked when they came.
    return PostgresRemote(stored_target(database)[0], workspace, vouched=True)


def _secret(password: str) -> Secret:
    """The password, known to ``scrub`` from now on; InputError for one that a keyring or a variable cannot hold as it is."""
    from ledger_tui.providers.secrets import Secret

    try:
        held = Secret(password)
    except InputError:
        held = None
    if held is None or held.reveal() != password:
        raise InputError(
            "it has spaces at an end, or characters beyond ASCII",
            title="This password cannot be kept",
            remedy="Set another one, or log in with a certificate (sslcert and sslkey in the address).",
        )
    return held


def _item(keyring_item: str) -> str:
    return keyring_item.removeprefix("ledger:pg:")
