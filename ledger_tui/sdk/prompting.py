"""Saving prompts, and rendering them without a call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Unpack

    from ledger_tui.sdk.host import Host
    from ledger_tui.sdk.results import RenderOptions, RenderResult, SavedPrompt, SaveOptions


class Prompting:
    """The part of `PromptLedger` about prompts and their texts."""

    def create_prompt(self: Host, name: str, template: str = "", **options: Unpack[SaveOptions]) -> SavedPrompt:
        """Save a prompt with one user message, or with ``messages``; content that exists makes no new version.

        Raises NameRefused, ContentRefused, StoreError.
        """
        from ledger_tui.sdk.saving import save

        return save(self, name, template, options)

    def update_prompt(self: Host, name: str, template: str = "", **options: Unpack[SaveOptions]) -> SavedPrompt:
        """Save a new version of a prompt; as ``create_prompt``, but raises NotFound when there is no such prompt."""
        from ledger_tui.sdk.saving import save

        self.prepare()
        self.registry.prompt(name)
        return save(self, name, template, options)

    def render(
        self: Host, name: str, variables: Mapping[str, Any] | None = None, **options: Unpack[RenderOptions]
    ) -> RenderResult:
        """Fill a prompt's templates and record the usage; nothing is sent.

        When it returns, the usage survives a kill of the program; it is in the database soon, or when ``flush`` returns.
        Templates are rendered in this process unless the setting ``render_in_process`` is off. A label that another
        program moved counts within half a second. Raises NotFound, the TemplateError family, ContentRefused and StoreError.
        """
        return self.renderer.render(name, variables or {}, options)

    async def arender(
        self: Host, name: str, variables: Mapping[str, Any] | None = None, **options: Unpack[RenderOptions]
    ) -> RenderResult:
        """``render`` for code that runs in an event loop."""
        import asyncio

        return await asyncio.to_thread(self.renderer.render, name, variables or {}, options)
