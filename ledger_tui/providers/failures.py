"""What went wrong in a provider's library, in our words. Nothing escapes: what is not known is a BadResponse.

The SDKs' exception classes are told apart by name and attributes, so this module loads none of them; a test walks
through every class they have.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ledger_tui.errors import (
    AuthRefused,
    BadResponse,
    ProviderError,
    ProviderTimeout,
    ProviderUnavailable,
    RateLimited,
    RequestRefused,
)
from ledger_tui.providers.secrets import scrub

MAX_CAUSE = 500
MAX_RETRY_AFTER_S = 120.0

_TIMEOUTS = {"APITimeoutError", "TimeoutException"}
_CONNECTIONS = {"APIConnectionError", "TransportError", "ConnectionError", "gaierror", "SSLError", "RetryableError"}
_CREDENTIALS = {"CredentialsError", "SubjectTokenProviderError", "OAuthError"}
_GARBLED = {"RemoteProtocolError", "DecodingError", "StreamError"}
_KINDS: tuple[tuple[str, type[ProviderError]], ...] = (
    ("rate_limit|quota|too_many", RateLimited),
    ("auth|permission|api_key", AuthRefused),
    ("timeout|deadline", ProviderTimeout),
    ("overloaded|server_error|api_error|unavailable|internal", ProviderUnavailable),
    ("invalid_request|not_found|context_length|bad_request|billing|content_filter|policy", RequestRefused),
)


def to_provider_error(error: BaseException, provider: str, *, answered: bool = False) -> ProviderError:
    """The ProviderError that ``error`` means, scrubbed of keys; never raises.

    answered: whether the answer had begun, so that a lost connection is a cut answer and not an absent server.
    """
    for link in _chain(error):
        if isinstance(link, ProviderError):
            link.provider = link.provider or provider
            link.__traceback__ = link.__cause__ = link.__context__ = None
            return link
    cause = _cause(error)
    kind, status = _kind(error, answered)
    wait = _retry_after(error) if kind in (RateLimited, ProviderUnavailable) else None
    return kind(cause, provider=provider, status_code=status, retry_after_s=wait)


def kind_of_text(text: str) -> type[ProviderError]:
    """The error that an error type or code inside a stream names, e.g. ``overloaded_error``."""
    return next((kind for pattern, kind in _KINDS if re.search(pattern, text.lower())), BadResponse)


def _kind(error: BaseException, answered: bool) -> tuple[type[ProviderError], int | None]:
    status = getattr(error, "status_code", None)
    names = {base.__name__ for base in type(error).__mro__}
    inner_names = {base.__name__ for link in _chain(error) for base in type(link).__mro__}
    if isinstance(status, int) and status >= 300 and "APIResponseValidationError" not in names:
        return _kind_of_status(status), status
    if isinstance(error, TimeoutError) or names & _TIMEOUTS:
        return ProviderTimeout, None
    if names & _CREDENTIALS:
        return AuthRefused, None
    if isinstance(error, OSError) or names & _CONNECTIONS:
        garbled = bool(inner_names & _GARBLED) and answered
        return (BadResponse if garbled or answered else ProviderUnavailable), None
    words = _words(error)
    return (kind_of_text(words) if words else BadResponse), status if isinstance(status, int) else None


def _kind_of_status(status: int) -> type[ProviderError]:
    if status in (401, 403):
        return AuthRefused
    if status == 429:
        return RateLimited
    if status == 408:
        return ProviderTimeout
    if status >= 500:
        return ProviderUnavailable
    return RequestRefused if status >= 400 else BadResponse


def _words(error: BaseException) -> str:
    """The error's type and code, when the provider named them inside an answer that began well."""
    if "APIResponseValidationError" in {base.__name__ for base in type(error).__mro__}:
        return ""
    found = [getattr(error, "type", None), getattr(error, "code", None)]
    body = getattr(error, "body", None)
    inner = body.get("error", body) if isinstance(body, Mapping) else None
    if isinstance(inner, Mapping):
        found += [inner.get("type"), inner.get("code")]
    return " ".join(str(item) for item in found if isinstance(item, str | int))


def _cause(error: BaseException) -> str:
    status = getattr(error, "status_code", None)
    if isinstance(status, int) and 300 <= status < 400:
        return f"it answers {status} and leads elsewhere; redirects are not followed"
    text = _message(error) or type(error).__name__
    if re.match(r"\s*(<!doctype|<html|<\?xml|<head)", text, re.IGNORECASE):
        text = f"{status or 'it'} answered with a web page"
    last = next(reversed(list(_chain(error))))
    if last is not error and str(last) and str(last) not in text:
        text += f" ({type(last).__name__}: {last})"
    return scrub(text[: MAX_CAUSE * 40])[:MAX_CAUSE]


def _message(error: BaseException) -> str:
    body = getattr(error, "body", None)
    if isinstance(body, Mapping):
        inner = body.get("error", body)
        for place in (inner, body):
            if isinstance(place, Mapping) and isinstance(place.get("message"), str):
                return str(place["message"])
        if isinstance(inner, str):
            return inner
    return str(error)


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__ or link.__context__


def _retry_after(error: BaseException) -> float | None:
    headers: Any = getattr(getattr(error, "response", None), "headers", None)
    if headers is None:
        return None
    milliseconds = _seconds(headers.get("retry-after-ms"))
    text = headers.get("retry-after")
    given = milliseconds / 1000 if milliseconds is not None else _seconds(text)
    if given is None and isinstance(text, str):
        given = _until(text)
    return None if given is None else min(MAX_RETRY_AFTER_S, max(0.0, given))


def _seconds(text: Any) -> float | None:
    try:
        value = float(text)
    except (TypeError, ValueError):
        return None
    return value if math.isfinite(value) and value >= 0 else None


def _until(text: str) -> float | None:
    from email.utils import parsedate_to_datetime

    from ledger_tui.domain import clock

    try:
        moment = parsedate_to_datetime(text)
        return (clock.to_us(moment) - clock.now_us()) / 1_000_000
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
