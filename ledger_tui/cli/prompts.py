"""``ledger-tui prompts``: the registry from a script."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ledger_tui.cli import output, shapes
from ledger_tui.cli.front import NOT_HELD, Front, json_option, pass_front
from ledger_tui.cli.given import params_of
from ledger_tui.cli.unregistered import register, unregistered

if TYPE_CHECKING:
    from ledger_tui.domain.content import PromptContent
    from ledger_tui.ledger import PromptLedger


@click.group()
def prompts() -> None:
    """Prompts, their versions and labels."""


prompts.add_command(unregistered)
prompts.add_command(register)


@prompts.command("list")
@click.option("--archived", is_flag=True, help="Archived prompts too.")
@click.option("--search", metavar="TEXT", default="", help="Only prompts whose name, description or text holds TEXT.")
@json_option
@pass_front
def list_prompts(front: Front, archived: bool, search: str, as_json: bool) -> None:
    """List prompts by name."""
    with front.ledger() as ledger:
        rows = ledger.registry.prompts(archived=archived)
        if search:
            found = {hit.name for hit in ledger.registry.search(search, limit=1_000)}
            rows = [row for row in rows if row.name in found]
    if as_json:
        output.document({"prompts": [shapes.prompt_shape(row) for row in rows]})
        return
    cells = [
        [
            row.name + (" (archived)" if row.archived else ""),
            f"v{row.active_number}",
            str(row.version_count),
            " ".join(f"{label}=v{number}" for label, number in row.labels),
            row.model or "",
            shapes.age(row.updated_us),
            row.description,
        ]
        for row in rows
    ]
    output.table(["NAME", "ACTIVE", "VERSIONS", "LABELS", "MODEL", "AGE", "DESCRIPTION"], cells, right=(2,))
    if not rows:
        output.say("No prompts here. Save one with: ledger-tui prompts save NAME --file FILE")


@prompts.command()
@click.argument("name")
@click.option("--version", "ref", metavar="REF", help="Number, label or hash prefix; else the active version.")
@click.option("--role", metavar="ROLE", help="Only the messages of this role.")
@json_option
@pass_front
def show(front: Front, name: str, ref: str | None, role: str | None, as_json: bool) -> None:
    """Print the text of a version; its facts go to standard error."""
    with front.ledger() as ledger:
        prompt = ledger.registry.prompt(name)
        version = ledger.registry.version(name, ref)
        content = ledger.registry.content(version.id)
    if as_json:
        facts = shapes.prompt_shape(prompt) | {"version": shapes.version_shape(version)}
        output.document(facts | {"content": shapes.content_shape(content)})
        return
    chosen = [message for message in content.messages if role in (None, message.role)]
    if not chosen:
        raise click.UsageError(f"v{version.number} has no message of the role {role}")
    labels = f" · {', '.join(version.labels)}" if version.labels else ""
    output.say(f"{name} v{version.number} · {version.short_hash}{labels} · {version.author} · {version.message}")
    if content.model or content.params:
        output.say(f"{content.model or 'any model'} {json.dumps(dict(content.params), ensure_ascii=False)}")
    if len(chosen) == 1:
        output.text(chosen[0].text)
        return
    for message in chosen:
        output.line(f"── {message.role} ──")
        output.line(message.text.removesuffix("\n"))


@prompts.command()
@click.argument("name")
@click.option("--facts", is_flag=True, help="Every registry fact instead of the versions.")
@json_option
@pass_front
def history(front: Front, name: str, facts: bool, as_json: bool) -> None:
    """List the versions of a prompt, newest first."""
    with front.ledger() as ledger:
        rows = ledger.registry.versions(name)
        journal = ledger.registry.history(name, limit=1_000) if facts else []
    if facts:
        _show_facts([shapes.journal_shape(row) for row in journal], as_json)
        return
    if as_json:
        output.document({"name": name, "versions": [shapes.version_shape(row) for row in rows]})
        return
    cells = [
        [row.name, row.short_hash, " ".join(row.labels), row.author, shapes.age(row.created_us), row.message]
        for row in rows
    ]
    output.table(["VERSION", "HASH", "LABELS", "AUTHOR", "AGE", "MESSAGE"], cells)


def _show_facts(facts: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        output.document({"facts": facts})
        return
    cells = [
        [f["at"][:19], f["actor"], f["kind"], f["field"], json.dumps(f["value"], ensure_ascii=False)] for f in facts
    ]
    output.table(["AT (UTC)", "WHO", "KIND", "FIELD", "VALUE"], cells)


@prompts.command()
@click.argument("name")
@click.argument("old")
@click.argument("new", required=False)
@click.option("--exit-code", is_flag=True, help=f"End with {NOT_HELD} when the versions differ.")
@json_option
@pass_front
def diff(front: Front, name: str, old: str, new: str | None, exit_code: bool, as_json: bool) -> int:
    """Show what differs between two versions (number, label or hash prefix); NEW is the active one by default."""
    from ledger_tui.domain.diff import diff_contents

    with front.ledger() as ledger:
        before, after = ledger.registry.version(name, old), ledger.registry.version(name, new)
        found = diff_contents(ledger.registry.content(before.id), ledger.registry.content(after.id))
    if as_json:
        sections = [
            {
                "title": section.title,
                "kind": section.kind,
                "lines": [[line.sign, line.text] for line in section.diff.unified()],
            }
            for section in found.sections
            if section.kind != "same"
        ]
        output.document(
            {"name": name, "old": before.number, "new": after.number, "same": found.same, "sections": sections}
        )
    else:
        output.say(f"{name} v{before.number} → v{after.number}: +{found.added} −{found.removed} lines")
        for section in found.sections:
            if section.kind == "same":
                continue
            output.line(f"@@ {section.title} ({section.kind}) @@")
            for line in section.diff.unified():
                output.line(line.sign + line.text)
    return NOT_HELD if exit_code and not found.same else 0


@prompts.command()
@click.argument("name")
@click.option(
    "--file", "file", metavar="FILE", required=True, help="The text, or a .json file as 'show --json' has in 'content'."
)
@click.option("--system", metavar="FILE", help="A file with the system message.")
@click.option("--message", "-m", default="", help="Why this version was written.")
@click.option("--description", help="What the prompt is for.")
@click.option("--model", metavar="PROVIDER/MODEL", help="The model of this version.")
@click.option("--param", multiple=True, metavar="K=V", help="A parameter of this version, e.g. temperature=0.2.")
@click.option("--label", multiple=True, metavar="LABEL", help="Point this label at the version too.")
@click.option("--no-activate", is_flag=True, help="Leave the active version as it is.")
@json_option
@pass_front
def save(front: Front, /, name: str, file: str, system: str | None, as_json: bool, **options: Any) -> None:
    """Save a version. Content that exists makes no new one.

    A text file becomes the last user message; other messages, model and parameters stay as in the active version.
    """
    from ledger_tui.services.executing import saved_prompt

    with front.ledger() as ledger:
        content = _content(ledger, name, file, system)
        if options["model"]:
            content = content.with_changes(model=options["model"])
        if options["param"]:
            content = content.with_changes(params={**content.params, **params_of(options["param"])})
        saved = ledger.registry.save(
            name,
            content,
            message=options["message"],
            description=options["description"],
            labels=options["label"],
            activate=not options["no_activate"],
        )
    if as_json:
        output.document(saved_prompt(saved) | {"created": saved.created, "moved": saved.moved})
        return
    what = (
        "saved"
        if saved.created
        else "is that content already, now active"
        if saved.moved
        else "is that content already"
    )
    output.say(f"{name} v{saved.version.number} ({saved.version.short_hash}) {what}")


def _content(ledger: PromptLedger, name: str, file: str, system: str | None) -> PromptContent:
    """The content that the files and the active version make together."""
    from ledger_tui.domain.content import MAX_CONTENT_BYTES, Message, PromptContent
    from ledger_tui.errors import NotFound
    from ledger_tui.services.reading import read_text_file

    text = read_text_file(file, MAX_CONTENT_BYTES)
    try:
        active = ledger.registry.content(ledger.registry.version(name).id)
    except NotFound:
        active = PromptContent()
    if Path(file).suffix.lower() == ".json":
        content = _from_json(text, file)
    else:
        messages = list(active.messages) or [Message("user", "")]
        places = [place for place, message in enumerate(messages) if message.role == "user"]
        if places:
            messages[places[-1]] = Message("user", text)
        else:
            messages.append(Message("user", text))
        content = active.with_changes(messages=tuple(messages))
    if system is not None:
        head = Message("system", read_text_file(system, MAX_CONTENT_BYTES))
        rest = [message for message in content.messages if message.role != "system"]
        content = content.with_changes(messages=(head, *rest))
    return content


def _from_json(text: str, file: str) -> PromptContent:
    from ledger_tui.domain.content import Message, PromptContent
    from ledger_tui.errors import InputError

    try:
        data = json.loads(text)
        messages = tuple(Message(str(item["role"]), str(item["text"])) for item in data["messages"])
        return PromptContent(
            messages,
            data.get("model"),
            dict(data.get("params") or {}),
            tuple(dict(tool) for tool in data.get("tools") or ()),
            data.get("response_schema"),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(
            f"{file}: {error}",
            title="This file is not a prompt's content",
            remedy="It has 'messages' with 'role' and 'text'; see: ledger-tui prompts show NAME --json",
        ) from error


@prompts.command()
@click.argument("name")
@click.argument("label")
@click.argument("ref", required=False)
@click.option("--remove", is_flag=True, help="Take the label off.")
@json_option
@pass_front
def label(front: Front, name: str, label: str, ref: str | None, remove: bool, as_json: bool) -> None:
    """Point a label at a version (REF: number, label or hash prefix)."""
    if remove == (ref is not None):
        raise click.UsageError("give a version, or --remove")
    with front.ledger() as ledger:
        if remove:
            ledger.registry.remove_label(name, label)
            number = None
        else:
            number = ledger.registry.set_label(name, label, ref).number
    if as_json:
        output.document({"name": name, "label": label, "version": number})
    else:
        output.say(f"{name}: {label} points to {'nothing' if number is None else f'v{number}'}")


@prompts.command()
@click.argument("name")
@click.option("--restore", is_flag=True, help="Bring it back.")
@pass_front
def archive(front: Front, name: str, restore: bool) -> None:
    """Put a prompt away; nothing of it is deleted."""
    with front.ledger() as ledger:
        ledger.registry.set_field(name, "archived", not restore)
    output.say(f"{name} is {'back' if restore else 'archived'}")


@prompts.command()
@json_option
@pass_front
def undo(front: Front, as_json: bool) -> None:
    """Take back this device's newest registry action."""
    with front.ledger() as ledger:
        done = ledger.registry.undo()
    if as_json:
        output.document({"undone": done})
    else:
        output.say(f"Undone: {done}")
