"""``ledger-tui models`` and ``ledger-tui keys``."""

from __future__ import annotations

import asyncio
import sys

import click

from ledger_tui.cli import output
from ledger_tui.cli.front import Front, json_option, pass_front
from ledger_tui.errors import LedgerError

MAX_KEY = 4_096


@click.command()
@click.argument("provider", required=False)
@click.option("--refresh", is_flag=True, help="Ask the providers now instead of using what they said before.")
@json_option
@pass_front
def models(front: Front, provider: str | None, refresh: bool, as_json: bool) -> None:
    """List the models that can be called now."""
    from ledger_tui.services.executing import closing

    with front.ledger() as ledger:
        if refresh:
            asyncio.run(closing(ledger, ledger.models.refresh(provider)))
            for name, error in ledger.models.refresh_errors.items():
                output.say(f"✗ {name}: {error}")
        found = [one for one in ledger.models.choices() if provider in (None, one.provider)]
    if as_json:
        shown = [
            {
                "name": m.name,
                "provider": m.provider,
                "model": m.model,
                "title": m.title,
                "context_tokens": m.context_tokens,
            }
            for m in found
        ]
        output.document({"models": shown})
        return
    output.table(["MODEL", "TITLE"], [[model.name, model.title] for model in found])


@click.group()
def keys() -> None:
    """Keys of the providers. A key is never an argument: it is asked for, or read from standard input."""


@keys.command("list")
@json_option
@pass_front
def list_keys(front: Front, as_json: bool) -> None:
    """List the providers and where each one's key comes from; keys are never printed."""
    with front.make_ledger() as ledger:
        found = ledger.models.status()
    if as_json:
        shown = [{"provider": p.name, "title": p.title, "base_url": p.base_url, "key": p.key_source} for p in found]
        output.document({"providers": shown})
        return
    output.table(["PROVIDER", "KEY", "ADDRESS"], [[p.name, p.key_source, p.base_url] for p in found])


@keys.command("set")
@click.argument("provider")
@pass_front
def set_key(front: Front, provider: str) -> None:
    """Keep a provider's key in the system's keyring."""
    asked = sys.stdin.isatty()
    given = click.prompt(f"Key for {provider}", hide_input=True, err=True) if asked else sys.stdin.readline(MAX_KEY)
    secret = given.strip()
    if not secret:
        raise click.UsageError("the key is empty")
    with front.make_ledger() as ledger:
        where = ledger.models.set_key(provider, secret)
    if where == "memory":
        variable = provider.upper().replace("-", "_") + "_API_KEY"
        raise LedgerError(
            "this system has no keyring that can be trusted",
            title=f"The key for {provider} was not kept",
            remedy=f"Set {variable} in the environment, or {variable}_FILE to the path of a private file.",
        )
    output.say(f"The key for {provider} is kept in the {where}.")


@keys.command()
@click.argument("provider")
@pass_front
def forget(front: Front, provider: str) -> None:
    """Forget a provider's key that was kept in the keyring."""
    with front.make_ledger() as ledger:
        forgotten = ledger.models.forget_key(provider)
    output.say(f"The key for {provider} is forgotten." if forgotten else f"There was no kept key for {provider}.")
