"""Rendering a program's own prompts: in its own process, with the usage appended to its spool.

The version behind a name, its compiled templates and what they include are kept as long as the registry does not change.
Each line of ``render`` counts: a loop over it costs little more than one over Jinja2's sandbox. What looks unusual in the
values, in the text or in the rules of the ledger goes the long way, which gives the same.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ledger_tui.domain import clock, ids
from ledger_tui.domain.calls import ChatMessage
from ledger_tui.domain.includes import NO_PLAN, Included, Origin, Plan
from ledger_tui.domain.plain_json import quick_json
from ledger_tui.domain.template import MAX_OUTPUT_BYTES, NO_TEXTS, at, check_variables
from ledger_tui.errors import StoreError, TemplateError
from ledger_tui.sdk.context import current, innermost
from ledger_tui.services.executing import included_infos
from ledger_tui.services.kept import Kept
from ledger_tui.services.run_values import RunRequest
from ledger_tui.services.templates import plain_copy
from ledger_tui.services.usages import included_ids
from ledger_tui.store import spool_usage

if TYPE_CHECKING:
    from ledger_tui.domain.content import PromptContent
    from ledger_tui.sdk.host import Host
    from ledger_tui.sdk.results import RenderOptions, RenderResult
    from ledger_tui.services.executing import Chosen
    from ledger_tui.services.registry import VersionRef

SOURCE = "sdk"
NOTHING: dict[str, Any] = {}
Text = tuple[str, str]
"""A role and a text."""
_OPTIONS = frozenset({"version", "label", "environment", "session_id", "user_identifier", "metadata"})


class Ready:
    """A version with everything that rendering it needs."""

    def __init__(self, ledger: Host, name: str, version: Chosen, in_process: bool) -> None:
        self.version = version
        self.origin = Origin(name, version.version_id)
        self.prompt_id = ids.prompt_id(name)
        self.head = ""
        """The texts of a usage between its id and its parameters, when its caller and its text say nothing special."""
        self.plan = NO_PLAN
        self.made: tuple[Any, ...] = ()
        if in_process:
            try:
                self.plan = ledger.templates.plan(version.content, self.origin, in_process=True)
            except TemplateError as error:
                raise at(error, error.message_number) from None
            self.made = tuple(_compiled(version.content, self.plan))
            fixed = (self.prompt_id, version.version_id, ledger.usages.environment, "", "", SOURCE, "[]", "")
            self.head = "\x00".join(fixed)
            self.separators = len(fixed) - 1


def _compiled(content: PromptContent, plan: Plan) -> Iterator[tuple[int, str, Any, Mapping[str, str]]]:
    """Number, role, compiled template and included texts of each message; raises the TemplateError family."""
    from ledger_tui.domain import sandbox

    texts = plan.texts or (NO_TEXTS,) * len(content.messages)
    for number, (message, known) in enumerate(zip(content.messages, texts, strict=True), 1):
        try:
            yield number, message.role, sandbox.compiled(message.text), known
        except TemplateError as error:
            raise at(error, number) from error.__cause__


class Renderer:
    """Renders for one ledger. Thread-safe."""

    def __init__(self, ledger: Host) -> None:
        from ledger_tui.domain import sandbox

        self._ledger = ledger
        self._usages = ledger.usages
        self._in_process = ledger.settings.render_in_process
        self._kept = Kept(ledger.database)
        self._render = sandbox.render_compiled
        self._prepared = False

    def render(self, name: str, variables: Mapping[str, Any], options: RenderOptions) -> RenderResult:
        """Fill the templates of a prompt and record the usage; raises what ``PromptLedger.render`` says."""
        given, ref = NOTHING, None
        if options or innermost() is not None:
            given, ref = self._given(options)
        ready = self._ready(name, ref)
        if not self._in_process:
            return self._by_helper(name, variables, ready, given)
        parameters = quick_json(variables) if type(variables) is dict else None
        if parameters is None:
            check_variables(variables)
            messages, used = self._filled(ready, plain_copy(variables))
        else:
            messages, used = self._filled(ready, variables)
        included = ready.plan.used(used) if used else ()
        usage_id = None
        if parameters is not None and not self._usages.hides:
            usage_id = self._kept_quickly(ready, parameters, messages, included, given)
        if usage_id is None:
            usage_id = self._kept_carefully(name, variables, ready, messages, included, given)
        return _result(usage_id, name, ready, messages, included)

    def _given(self, options: RenderOptions) -> tuple[dict[str, Any], VersionRef]:
        """What the caller and the span around it say of the usage, and which version is meant."""
        if not options.keys() <= _OPTIONS:
            raise TypeError(f"render takes no option {min(options.keys() - _OPTIONS)!r}")
        given: dict[str, Any] = {key: value for key, value in options.items() if value is not None}
        if (here := current(self._ledger)) is not None:
            inherited = ("environment", "session_id", "user_identifier")
            given = {key: value for key in inherited if (value := getattr(here, key))} | given
        ref: Any = given.pop("version", None)
        return given, given.pop("label", None) or ref

    def _ready(self, name: str, ref: VersionRef) -> Ready:
        """The version that is meant, as it was prepared for an earlier render when nothing changed since."""
        kept, ledger = self._values(), self._ledger
        key: Hashable = (name, ref)
        version: Chosen | None = None
        if ledger.is_tracking and ref is None:
            from ledger_tui.sdk.saving import chosen

            version = chosen(ledger, name, ref)
            key = (name, version.version_id, version.number)
        found: Ready | None = kept.get(key)
        if found is None:
            from ledger_tui.services.executing import from_registry

            version = version or from_registry(ledger, name, ref)
            found = kept[key] = Ready(ledger, name, version, self._in_process)
        return found

    def _values(self) -> dict[Hashable, Any]:
        if self._prepared:
            try:
                return self._kept.values()
            except StoreError:
                pass  # The file may have been replaced; preparing it says what is wrong, if anything is.
        self._ledger.prepare()
        self._prepared = True
        return self._kept.values()

    def _filled(self, ready: Ready, variables: Mapping[str, Any]) -> tuple[list[Text], list[str]]:
        """Roles and texts, and the names of what was included."""
        left = MAX_OUTPUT_BYTES
        messages: list[Text] = []
        used: list[str] = []
        for number, role, made, known in ready.made:
            try:
                text = self._render(made, variables, left, known, used)
            except TemplateError as error:
                raise at(error, number) from error.__cause__
            left -= len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
            messages.append((role, text))
        return messages, used

    def _by_helper(self, name: str, variables: Mapping[str, Any], ready: Ready, given: dict[str, Any]) -> RenderResult:
        rendered = self._ledger.templates.rendered(ready.version.content, variables, ready.origin)
        messages = [(message.role, message.text) for message in rendered.messages]
        usage_id = self._kept_carefully(name, variables, ready, messages, rendered.included, given)
        return _result(usage_id, name, ready, messages, rendered.included)

    def _kept_quickly(
        self,
        ready: Ready,
        parameters: str,
        messages: list[Text],
        included: tuple[Included, ...],
        given: dict[str, Any],
    ) -> str | None:
        """Record a usage of plain texts within limits; None when it needs a closer look."""
        usages, noted = self._usages, "{}"
        if given and (metadata := given.get("metadata")):
            found = quick_json(metadata) if type(metadata) is dict else None
            if found is None:
                return None
            noted = found
        now_us = clock.now_us()
        usage_id = ids.new_id(now_us)
        if given or included:
            joined = 0
            texts = [
                usage_id, ready.prompt_id, ready.version.version_id, given.get("environment") or usages.environment,
                given.get("session_id") or "", given.get("user_identifier") or "", SOURCE,
                included_ids(included) if included else "[]", "", parameters, noted,
            ]  # fmt: skip
        else:
            joined = ready.separators
            texts = [usage_id, ready.head, parameters, noted]
        for message in messages:
            texts += message
        try:
            body = spool_usage.encode(now_us, texts, joined)
        except TypeError:
            return None
        if body is None or len(body) > usages.limit_bytes:
            return None
        usages.append(body)
        return usage_id

    def _kept_carefully(
        self,
        name: str,
        variables: Mapping[str, Any],
        ready: Ready,
        messages: list[Text],
        included: tuple[Included, ...],
        given: dict[str, Any],
    ) -> str:
        version = ready.version
        request = RunRequest(
            version.content, "", variables, prompt_name=name, version_id=version.version_id, source=SOURCE, **given
        )
        return self._usages.keep(request, [ChatMessage(role, text) for role, text in messages], included)


def _result(
    usage_id: str, name: str, ready: Ready, messages: list[Text], included: tuple[Included, ...]
) -> RenderResult:
    version = ready.version
    content = version.content
    texts = [text for role, text in messages if role == "user"]
    return {
        "usage_id": usage_id,
        "prompt": name,
        "version": version.number,
        "messages": [{"role": role, "content": text} for role, text in messages],
        "text": texts[-1] if texts else messages[-1][1],
        "model": content.model,
        "params": dict(content.params),
        "included": included_infos(included) if included else [],
    }
