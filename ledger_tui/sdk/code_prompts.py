"""Prompts that live in code: registering them, and moving them to full mode."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ledger_tui.sdk.host import Host
    from ledger_tui.sdk.results import MigrateResult, RegisterResult


class CodePrompts:
    """The part of `PromptLedger` about code prompts."""

    def register_code_prompts(
        self: Host, names: Sequence[str] | None = None, *, dry_run: bool = False
    ) -> RegisterResult:
        """Tell the ledger which texts the code has now; a changed one is a new version and becomes active.

        names: all of the code registry when None, which a function cannot list. With ``dry_run`` nothing is written.
        Raises NotFound for a name that the code has not, InputError for what is no template.
        """
        from ledger_tui.sdk.reporting import register_result

        self.prepare()
        return register_result(self.code_prompts.register(names, dry_run=dry_run), dry_run)

    def migrate_to_full_mode(self: Host, prompts: Iterable[tuple[str, str]]) -> MigrateResult:
        """Move prompts from code to the ledger, each with the template it is to have; all or none.

        Versions, executions, traces and sums stay. From now on the ledger's active version is what runs, in every mode.
        """
        from ledger_tui.sdk.reporting import migrate_result

        self.prepare()
        return migrate_result(self.code_prompts.migrate(list(prompts)))
