"""Opens the right door for a provider; the only name of this room that services need besides the catalog and keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger_tui.domain.calls import OFFLINE, Provider
from ledger_tui.providers.catalog import Endpoint
from ledger_tui.providers.secrets import FoundKey, Secret, find_key

if TYPE_CHECKING:
    from ledger_tui.providers.wire import WireProvider


def key_of(endpoint: Endpoint) -> FoundKey | None:
    """The key that may go to this endpoint's address; blocks up to 5 s on a locked keyring. Raises AddressRefused."""
    if endpoint.wire == OFFLINE:
        return None
    return find_key(endpoint.name, endpoint.address().origin, endpoint.env_names)


def open_provider(endpoint: Endpoint, *, connect_timeout_s: float = 10.0) -> Provider:
    """A door to ``endpoint``. Costs nothing yet: address, key and libraries are looked at in a thread at the first call."""
    if endpoint.wire == OFFLINE:
        from ledger_tui.providers.offline import OfflineProvider

        return OfflineProvider()
    kind = _wire(endpoint.wire)

    def find() -> Secret | None:
        found = key_of(endpoint)
        return None if found is None else found.secret

    return kind(endpoint, find, connect_timeout_s=connect_timeout_s)


def _wire(wire: str) -> type[WireProvider]:
    if wire == "responses":
        from ledger_tui.providers.openai_responses import OpenAIResponses

        return OpenAIResponses
    if wire == "anthropic":
        from ledger_tui.providers.anthropic_messages import AnthropicMessages

        return AnthropicMessages
    from ledger_tui.providers.openai_chat import OpenAIChat

    return OpenAIChat
