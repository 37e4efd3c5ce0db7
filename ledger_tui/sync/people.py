"""Who may do what in a shared ledger: the roles, its members, and the SQL that makes a login for one."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from ledger_tui.domain.text import printable
from ledger_tui.errors import InputError

ROLES = ("owner", "admin", "maintainer", "member", "ingest", "reader")
"""From the one who may most: owners make admins; admins enrol; maintainers move protected labels, purge and retire; members send
and read everything; ``ingest`` only sends telemetry and texts; readers read the registry and the views."""
MAX_LOGIN_BYTES = 63
# The calls go by the account that logged in, and a superuser who belongs to no ledger may become one that does.
_AS_OWNER = """\
DO $$ BEGIN
  IF (SELECT rolsuper FROM pg_roles WHERE rolname = session_user) THEN
    EXECUTE (SELECT format('SET SESSION AUTHORIZATION %I', login) FROM sync.member
             WHERE ws = '{workspace}' AND role = 'owner' ORDER BY login <> session_user, since LIMIT 1);
  END IF;
END $$;"""
MAX_MEMBERS = 1_000
"""How many a server names."""


@dataclass(frozen=True, slots=True)
class Member:
    """An account of a shared ledger; ``since_us`` by the server's clock."""

    login: str
    role: str
    since_us: int


def login_script(workspace: str, login: str, role: str) -> str:
    """The SQL for psql that makes a login and enrols it. It holds no password: psql asks for it.

    For an owner or admin of the ledger who may make logins, or for a superuser, who enrols in the name of an owner.
    Raises InputError for a name that cannot be one, ValueError for another role.
    """
    if role not in ROLES:
        raise ValueError(f"roles are {', '.join(ROLES)}")
    if not login or len(login.encode(errors="replace")) > MAX_LOGIN_BYTES or printable(login, keep="") != login:
        raise InputError(f"a login has 1 to {MAX_LOGIN_BYTES} bytes and no control characters")
    name, text = login.replace('"', '""'), login.replace("'", "''")
    return (
        f'CREATE ROLE "{name}" LOGIN;\n'
        f'\\password "{name}"\n'
        f"{_AS_OWNER.format(workspace=uuid.UUID(workspace))}\n"
        f"SELECT sync.enrol_v1('{uuid.UUID(workspace)}', '{text}', '{role}');\n"
        "RESET SESSION AUTHORIZATION;\n"
    )
