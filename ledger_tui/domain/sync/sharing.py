"""What may leave this machine: the registry always, numbers if allowed, texts only if asked for, by prompt folder too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ledger_tui.domain.sync.records import Stream
from ledger_tui.errors import InputError


@dataclass(frozen=True, slots=True)
class Share:
    """One rule. ``numbers``: calls, steps and renders as numbers and names; ``texts``: what was sent and answered too."""

    numbers: bool = True
    texts: bool = False


@dataclass(frozen=True, slots=True)
class Sharing:
    """The rules of a ledger: one for everything, and others for folders of prompts; the deepest folder counts."""

    usual: Share = Share()
    folders: tuple[tuple[str, Share], ...] = ()
    """Folder (``support/``, or the whole name of a prompt) and its rule, in the order of their names."""

    def of(self, prompt: str | None) -> Share:
        """The rule for what belongs to a prompt; None: to no prompt."""
        found = self.usual
        longest = -1
        for folder, share in self.folders:
            inside = prompt == folder or (folder.endswith("/") and (prompt or "").startswith(folder))
            if prompt is not None and inside and len(folder) > longest:
                found, longest = share, len(folder)
        return found

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The streams that something may go into."""
        shares = [self.usual, *(share for _, share in self.folders)]
        numbers = any(share.numbers for share in shares)
        texts = any(share.numbers and share.texts for share in shares)
        return ("meta", *(("telemetry",) if numbers else ()), *(("bodies",) if texts else ()))

    @property
    def is_uniform(self) -> bool:
        """Whether one rule holds for everything."""
        return all(share == self.usual for _, share in self.folders)

    def with_rule(self, folder: str | None, **changes: bool) -> Sharing:
        """The rules with one changed; ``folder`` None: the usual one. Raises InputError for what is no folder."""
        if folder is None:
            return replace(self, usual=replace(self.usual, **changes))
        checked = check_folder(folder)
        kept = dict(self.folders)
        kept[checked] = replace(kept.get(checked, self.of(checked)), **changes)
        return replace(self, folders=tuple(sorted(kept.items())))

    def without_folder(self, folder: str) -> Sharing:
        """The rules without the one of a folder."""
        return replace(self, folders=tuple(pair for pair in self.folders if pair[0] != folder))

    def as_json(self) -> dict[str, Any]:
        """Plain data for keeping."""
        return {
            "usual": {"numbers": self.usual.numbers, "texts": self.usual.texts},
            "folders": [{"folder": f, "numbers": s.numbers, "texts": s.texts} for f, s in self.folders],
        }


def sharing_of(kept: Mapping[str, Any] | None) -> Sharing:
    """The rules that ``as_json`` gave; the usual ones for None."""
    if kept is None:
        return Sharing()
    folders: Sequence[Mapping[str, Any]] = kept["folders"]
    return Sharing(
        Share(kept["usual"]["numbers"], kept["usual"]["texts"]),
        tuple((rule["folder"], Share(rule["numbers"], rule["texts"])) for rule in folders),
    )


def check_folder(folder: str) -> str:
    """The folder as rules keep it; raises InputError for one that no prompt can be in."""
    from ledger_tui.domain.names import check_prompt_name

    try:
        check_prompt_name(folder.rstrip("/"))
    except Exception as error:
        raise InputError(
            f"{folder!r} is no folder of prompts",
            remedy="A folder ends with a slash: support/. A whole name means one prompt.",
        ) from error
    return folder.rstrip("/") + "/" if folder.endswith("/") else folder
