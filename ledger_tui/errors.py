"""Every error a person can meet, each with a title, a cause and what to do next.

::

    LedgerError
    ├── InputError            what was given cannot be taken as it is
    │   ├── NameRefused
    │   ├── ContentRefused
    │   ├── FilterError       (position in the filter text)
    │   └── TemplateError     (line, column)
    │       ├── UndefinedVariable
    │       ├── TemplateRefused   the sandbox said no
    │       │   └── IncludeRefused    what an include names is missing, or leads back to itself
    │       └── TemplateTooExpensive
    ├── NotFound              prompt, version, label, trace, span
    ├── Conflict              somebody or something got there first
    │   └── KeyTaken          (execution_id)
    ├── BudgetExceeded        (budget, spent_nusd, limit_nusd)
    ├── StoreError
    │   ├── DatabaseLocked
    │   ├── DatabaseFull
    │   ├── DatabaseDamaged
    │   ├── DatabaseForeign   another program's file
    │   ├── DatabaseNewer     written by a newer release
    │   ├── DatabaseUnavailable
    │   ├── ReadOnlyMoment    an earlier moment is shown
    │   └── MigrationFailed
    ├── ProviderError         (provider, retryable, retry_after_s)
    │   ├── KeyMissing
    │   ├── AuthRefused
    │   ├── RateLimited
    │   ├── ProviderTimeout
    │   ├── ProviderUnavailable
    │   ├── RequestRefused
    │   ├── BadResponse
    │   └── AddressRefused
    ├── SyncError             exchanging with a shared server (sync/door.py has its kinds)
    └── SettingsError         (file, line)
"""

from __future__ import annotations


class LedgerError(Exception):
    """Base of all. ``str(error)`` is one line; the three parts are for screens.

    title: what happened, a short sentence without a full stop.
    cause: why, may hold foreign text: show it only through ``domain.text.printable``.
    remedy: what to do next.
    """

    default_title = "Something went wrong"
    default_remedy = ""

    def __init__(self, cause: str = "", *, title: str = "", remedy: str = "") -> None:
        self.title = title or self.default_title
        self.cause = cause
        self.remedy = remedy or self.default_remedy
        super().__init__(self.title + (f": {cause}" if cause else ""))

    @property
    def explained(self) -> str:
        """Cause and remedy as sentences, without the title."""
        cause = self.cause.strip()
        if cause and cause[-1] not in ".!?…":
            cause += "."
        return " ".join(part for part in (cause[:1].upper() + cause[1:], self.remedy) if part)


class InputError(LedgerError):
    default_title = "That cannot be taken as it is"


class NameRefused(InputError):
    default_title = "This name cannot be used"
    default_remedy = "Use letters, digits, '-', '_' and '.', with '/' between folders, up to 200 characters."


class ContentRefused(InputError):
    default_title = "This content cannot be stored"


class FilterError(InputError):
    """A trace filter that does not parse; ``position`` is the 0-based column in the filter text."""

    default_title = "The filter is not understood"
    default_remedy = 'Example: status:failed prompt:summarise cost>0.01 since:2h "text"'

    def __init__(self, cause: str = "", *, position: int = 0, title: str = "", remedy: str = "") -> None:
        super().__init__(cause, title=title, remedy=remedy)
        self.position = position


class TemplateError(InputError):
    """A template that does not compile or render; ``line`` and ``column`` are 1-based, 0 when unknown."""

    default_title = "The template has an error"

    def __init__(self, cause: str = "", *, line: int = 0, column: int = 0, title: str = "", remedy: str = "") -> None:
        super().__init__(cause, title=title, remedy=remedy)
        self.line = line
        self.column = column
        self.message_number = 0
        """Which message of a prompt, 1-based; 0 when it is about a single text."""


class UndefinedVariable(TemplateError):
    default_title = "A variable has no value"
    default_remedy = "Give the variable a value, or remove it from the template."


class TemplateRefused(TemplateError):
    default_title = "The template asks for something it may not use"
    default_remedy = "Templates work on plain values only: text, numbers, lists and mappings."


class IncludeRefused(TemplateRefused):
    default_title = "A prompt cannot be included"
    default_remedy = 'Write {% include "name" %}, "name@label" or "name@3" of a prompt that this ledger has.'


class TemplateTooExpensive(TemplateError):
    default_title = "The template took too much time or memory"
    default_remedy = "Look for a loop or a repetition that grows without bound."


class NotFound(LedgerError):
    default_title = "Not found"


class Conflict(LedgerError):
    default_title = "Somebody was faster"
    default_remedy = "Look at the newest state and try again."


class KeyTaken(Conflict):
    """An idempotency key that another call has; ``execution_id`` is that call's, '' when it is a call of another prompt."""

    default_title = "This idempotency key was used before"
    default_remedy = "Give every call a key of its own; only a repetition of the same call has the same one."

    def __init__(self, cause: str = "", *, execution_id: str = "") -> None:
        super().__init__(cause)
        self.execution_id = execution_id


class BudgetExceeded(LedgerError):
    """A call that was not sent because it would cost more than a budget has left; amounts in nano-dollars."""

    default_title = "The budget does not allow this call"
    default_remedy = "Raise or remove the budget, or wait for its next period."

    def __init__(self, cause: str = "", *, budget: str = "", spent_nusd: int = 0, limit_nusd: int = 0) -> None:
        super().__init__(cause)
        self.budget = budget
        self.spent_nusd = spent_nusd
        self.limit_nusd = limit_nusd


class StoreError(LedgerError):
    default_title = "The ledger could not be read or written"


class DatabaseLocked(StoreError):
    default_title = "The ledger is locked by another program"
    default_remedy = "Nothing was lost. Close the other program or try again in a moment."


class ReadOnlyMoment(StoreError):
    default_title = "An earlier moment cannot be changed"
    default_remedy = "Come back to the present to write."


class DatabaseFull(StoreError):
    default_title = "There is no room left to write"
    default_remedy = "Nothing was written. Free some space on the disk and try again."


class DatabaseDamaged(StoreError):
    default_title = "The ledger file is damaged"
    default_remedy = "Run 'ledger-tui doctor' to see what is left, and restore a file from the backups folder."


class DatabaseForeign(StoreError):
    default_title = "This file is not a Prompt Ledger"
    default_remedy = "Name another file; this one was left as it is."


class DatabaseNewer(StoreError):
    default_title = "This ledger was written by a newer release"
    default_remedy = "Upgrade ledger-tui, or restore a backup from before the upgrade. The file was left as it is."


class DatabaseUnavailable(StoreError):
    default_title = "The database does not answer"
    default_remedy = "Check the address, the network and that the server runs."


class MigrationFailed(StoreError):
    default_title = "The ledger could not be brought to this release"
    default_remedy = "Nothing was changed. The backup made before is in the backups folder."


class ProviderError(LedgerError):
    """A call to a model that did not succeed. ``retryable`` follows the contract: time-outs, 429 and 5xx only."""

    default_title = "The model could not be called"
    error_type = "provider"
    retryable = False

    def __init__(
        self,
        cause: str = "",
        *,
        provider: str = "",
        status_code: int | None = None,
        retry_after_s: float | None = None,
        title: str = "",
        remedy: str = "",
    ) -> None:
        super().__init__(cause, title=title, remedy=remedy)
        self.provider = provider
        self.status_code = status_code
        self.retry_after_s = retry_after_s


class KeyMissing(ProviderError):
    default_title = "There is no key for this provider"
    error_type = "key_missing"


class AuthRefused(ProviderError):
    default_title = "The provider refused the key"
    default_remedy = "Check the key in Settings; it may be expired or belong to another address."
    error_type = "auth"


class RateLimited(ProviderError):
    default_title = "The provider asks to slow down"
    default_remedy = "Wait a moment and run again."
    error_type = "rate_limit"
    retryable = True


class ProviderTimeout(ProviderError):
    default_title = "The provider did not answer in time"
    default_remedy = "Run again, or raise the time-out in Settings."
    error_type = "timeout"
    retryable = True


class ProviderUnavailable(ProviderError):
    default_title = "The provider cannot be reached"
    default_remedy = "Check the network and the provider's address in Settings."
    error_type = "unavailable"
    retryable = True


class RequestRefused(ProviderError):
    default_title = "The provider refused the request"
    error_type = "bad_request"


class BadResponse(ProviderError):
    default_title = "The provider's answer makes no sense"
    default_remedy = "Check that the address in Settings is a model server and not a web page."
    error_type = "bad_response"


class AddressRefused(ProviderError):
    default_title = "This address is not allowed"
    default_remedy = "Use https, or plain http on this machine only."
    error_type = "address"


class SyncError(LedgerError):
    default_title = "The exchange with the shared server did not succeed"


class SettingsError(LedgerError):
    """A settings, theme or keymap file with a mistake; ``file`` and ``line`` (1-based, 0 unknown) say where."""

    default_title = "A settings file has a mistake"

    def __init__(self, cause: str = "", *, file: str = "", line: int = 0, title: str = "", remedy: str = "") -> None:
        super().__init__(cause, title=title, remedy=remedy)
        self.file = file
        self.line = line
