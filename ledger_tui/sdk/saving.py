"""What stands behind the methods about texts: which version a name means, and saving one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ledger_tui.errors import NotFound
from ledger_tui.services.executing import Chosen, from_registry, saved_prompt

if TYPE_CHECKING:
    from ledger_tui.sdk.host import Host
    from ledger_tui.sdk.results import SavedPrompt, SaveOptions
    from ledger_tui.services.registry import VersionRef


def chosen(ledger: Host, name: str, ref: VersionRef) -> Chosen:
    """The version to use: the one that ``ref`` names; else in tracking mode the code's present text; else the active one.

    Raises NotFound when neither the code nor the ledger knows the name.
    """
    if ref is None and ledger.is_tracking:
        current = ledger.code_prompts.current(name)
        if current is not None:
            return Chosen(current.version_id, current.number, current.content)
    try:
        return from_registry(ledger, name, ref)
    except NotFound as error:
        if ref is None and ledger.is_tracking:
            raise NotFound(
                f"neither the code nor the ledger has a prompt named {name}",
                title="No such prompt",
                remedy="Give PromptLedger a code_registry that knows it, or create it.",
            ) from error
        raise


def save(ledger: Host, name: str, template: str, options: SaveOptions) -> SavedPrompt:
    """Save a template with what ``options`` say."""
    from ledger_tui.services.executing import content_of

    ledger.prepare()
    fields: dict[str, Any] = dict(options)
    content = content_of(template, fields)
    return saved_prompt(ledger.registry.save(name, content, **fields))
