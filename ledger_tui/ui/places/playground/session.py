"""What the playground works on, and what it remembers between visits; everything here reads or writes: not for the loop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ledger_tui.domain.content import Message, PromptContent
from ledger_tui.domain.includes import Origin
from ledger_tui.errors import LedgerError
from ledger_tui.services.run_values import RunRequest
from ledger_tui.ui.places.playground.field_values import Filled, filled, from_set, is_cheap, to_set, values_of
from ledger_tui.ui.subject import PlaygroundSubject

if TYPE_CHECKING:
    from ledger_tui.domain.template import Analysis
    from ledger_tui.ledger import PromptLedger
    from ledger_tui.services.forecast import Forecast

DRAFT = "playground:"
"""How the keys of the playground's drafts begin; no prompt can have such a name."""
MAX_COLUMNS = 4
MAX_REPEAT = 20
Columns = tuple[tuple[str, Mapping[str, Any]], ...]


@dataclass(frozen=True)
class Session:
    """A prompt in the playground. ``content`` gives what is not edited here: parameters, tools, schema."""

    content: PromptContent = field(default_factory=lambda: PromptContent((Message("user", ""),)))
    prompt_name: str | None = None
    version_id: str | None = None
    number: int | None = None
    """The version's number, None when the text was never saved."""
    saved_sha256: str = ""
    """The identity of the saved version, to see whether the text was changed."""


@dataclass(frozen=True)
class Arrival:
    """A session with the values and models to begin with."""

    session: Session
    messages: tuple[Message, ...]
    values: Mapping[str, Filled]
    columns: Columns


@dataclass(frozen=True)
class Plan:
    """What is run: an edited copy of the prompt, the form, how often."""

    session: Session
    messages: tuple[Message, ...]
    fields: tuple[Filled, ...]
    repeat: int = 1

    @property
    def content(self) -> PromptContent:
        """The content with the messages as edited."""
        return self.session.content.with_changes(messages=self.messages)

    @property
    def edited(self) -> bool:
        """Whether the messages are not those of the session any more."""
        return self.messages != self.session.content.messages

    @property
    def origin(self) -> Origin:
        """Whose text it is, for what it includes."""
        return Origin(self.session.prompt_name, None if self.edited else self.session.version_id)

    @property
    def key(self) -> str:
        """Where this is remembered."""
        return DRAFT + (self.session.prompt_name or "")


def arrive(ledger: PromptLedger, subject: PlaygroundSubject) -> Arrival:
    """Begin with a subject; values that it lacks are those of the last visit."""
    remembered = _remembered(ledger, DRAFT + (subject.prompt_name or ""))
    values = {**from_set(remembered.get("values", {})), **{n: filled(n, v) for n, v in subject.variables.items()}}
    columns: Columns = tuple((name, {}) for name in subject.models)
    if not columns and subject.content.model:
        columns = ((subject.content.model, {}),)
    columns = columns or _columns(remembered) or ((ledger.settings.default_model or "offline", {}),)
    return Arrival(_session(ledger, subject), subject.content.messages, values, columns[:MAX_COLUMNS])


def arrive_at(ledger: PromptLedger, name: str) -> Arrival:
    """Begin with the active version of a prompt; raises NotFound."""
    version = ledger.registry.version(name)
    content = ledger.registry.content(version.id)
    return arrive(ledger, PlaygroundSubject(content, name, version.id))


def come_back(ledger: PromptLedger) -> Arrival:
    """The last visit; an empty text and the default model when there was none or when it cannot be read."""
    for draft in ledger.drafts.all():
        if draft.key.startswith(DRAFT):
            try:
                content = PromptContent.from_json(str(draft.content["content"]))
                subject = PlaygroundSubject(content, draft.key[len(DRAFT) :] or None, draft.based_on)
                messages = tuple(Message(str(m["role"]), str(m["text"])) for m in draft.content["messages"])
                columns = _columns(draft.content) or (("offline", {}),)
                session = _session(ledger, subject)
            except (LedgerError, KeyError, TypeError, ValueError):
                continue
            return Arrival(session, messages, from_set(draft.content.get("values", {})), columns)
    blank = Session()
    return Arrival(blank, blank.content.messages, {}, ((ledger.settings.default_model or "offline", {}),))


def _session(ledger: PromptLedger, subject: PlaygroundSubject) -> Session:
    number, sha256 = None, ""
    if subject.prompt_name and subject.version_id:
        version = ledger.registry.version(subject.prompt_name, subject.version_id)
        number, sha256 = version.number, version.sha256
    return Session(subject.content, subject.prompt_name, subject.version_id, number, sha256)


def _remembered(ledger: PromptLedger, key: str) -> Mapping[str, Any]:
    try:
        draft = ledger.drafts.get(key)
    except LedgerError:
        return {}
    return draft.content if draft is not None else {}


def _columns(remembered: Mapping[str, Any]) -> Columns:
    found = remembered.get("columns")
    if not isinstance(found, list):
        return ()
    return tuple((str(item[0]), dict(item[1])) for item in found if isinstance(item, list) and len(item) == 2)[
        :MAX_COLUMNS
    ]


def remember(ledger: PromptLedger, plan: Plan, columns: Columns) -> None:
    """Keep texts, values and models for the next visit, whatever happens to this process."""
    from ledger_tui.services.drafts import Draft

    content = {
        "content": plan.session.content.canonical,
        "messages": [{"role": message.role, "text": message.text} for message in plan.messages],
        "values": to_set(plan.fields),
        "columns": [[model, dict(params)] for model, params in columns],
    }
    ledger.drafts.keep(plan.key, Draft(plan.key, content=content, based_on=plan.session.version_id))


def request_for(
    plan: Plan, model: str, params: Mapping[str, Any], values: Mapping[str, Any], session_id: str
) -> RunRequest:
    """One call; it names the version only when the text is that version's."""
    content = plan.content
    unchanged = bool(plan.session.saved_sha256) and content.sha256 == plan.session.saved_sha256
    return RunRequest(
        content=content,
        model=model,
        variables=values,
        prompt_name=plan.session.prompt_name,
        version_id=plan.session.version_id if unchanged else None,
        params=params,
        session_id=session_id,
        source="playground",
    )


def analyses(ledger: PromptLedger, plan: Plan) -> list[Analysis]:
    """Variables and problems of each message, with those of what it includes."""
    roles = [message.role for message in plan.messages]
    return ledger.templates.analyse([message.text for message in plan.messages], roles, plan.origin)


def forecasts(ledger: PromptLedger, plan: Plan, models: Sequence[str]) -> dict[str, Forecast]:
    """What one run of each model would take; of the template where it cannot be rendered yet."""
    subject: Any = plan.content
    if is_cheap(plan.fields):
        try:
            subject = ledger.templates.render(plan.content, values_of(plan.fields), plan.origin)
        except LedgerError:
            pass
    found: dict[str, Forecast] = {}
    for model in models:
        try:
            found[model] = ledger.forecasts.forecast(subject, [model], prompt=plan.session.prompt_name)[0]
        except LedgerError:
            continue
    return found
