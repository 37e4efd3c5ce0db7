"""The command line: one group, whose commands are imported when they are called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import click

from ledger_tui import __version__
from ledger_tui.cli import output
from ledger_tui.cli.front import DONE, FAILED, INTERRUPTED, NOT_HELD, WRONG_USAGE, Front
from ledger_tui.errors import BudgetExceeded, FilterError, LedgerError, NameRefused

COMMANDS: Mapping[str, str] = {
    "demo": "ledger_tui.cli.demo:demo",
    "run": "ledger_tui.cli.run:run",
    "result": "ledger_tui.cli.queue:result",
    "worker": "ledger_tui.cli.queue:worker",
    "prompts": "ledger_tui.cli.prompts:prompts",
    "traces": "ledger_tui.cli.traces:traces",
    "costs": "ledger_tui.cli.costs:costs",
    "stats": "ledger_tui.cli.costs:stats",
    "budgets": "ledger_tui.cli.budgets:budgets",
    "alerts": "ledger_tui.cli.budgets:alerts",
    "conflicts": "ledger_tui.cli.conflicts:conflicts",
    "drift": "ledger_tui.cli.drift:drift",
    "export": "ledger_tui.cli.export:export",
    "import": "ledger_tui.cli.folder:import_prompts",
    "prices": "ledger_tui.cli.prices:prices",
    "what-if": "ledger_tui.cli.prices:what_if",
    "models": "ledger_tui.cli.models:models",
    "keys": "ledger_tui.cli.models:keys",
    "sync": "ledger_tui.cli.sync.group:sync",
    "doctor": "ledger_tui.cli.care:doctor",
    "backup": "ledger_tui.cli.care:backup",
    "retention": "ledger_tui.cli.retention:retention",
}
"""Every command and where it is written."""


class LazyGroup(click.Group):
    """A group that imports a command when somebody calls it or asks for help."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names in the order of a first acquaintance."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name, None when there is none."""
        where = COMMANDS.get(cmd_name)
        if where is None:
            return None
        module, _, attribute = where.partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command


@click.group(
    cls=LazyGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 done, 1 it failed, 2 wrong usage, 3 a check did not hold, 130 interrupted.",
)
@click.option("--database-url", metavar="URL", help="A SQLite file or postgresql:// address; else LEDGER_DATABASE_URL.")
@click.option(
    "--environment", metavar="NAME", help="Environment that runs are recorded under; else LEDGER_ENVIRONMENT."
)
@click.option("--theme", metavar="NAME", help="Colour theme of the workstation; else LEDGER_THEME.")
@click.option(
    "--as-of", metavar="MOMENT", help="Show the ledger as it stood: an age (2h, 7d), yesterday, a date or a time (UTC)."
)
@click.version_option(__version__, message="%(prog)s %(version)s")
@click.pass_context
def main(
    ctx: click.Context, database_url: str | None, environment: str | None, theme: str | None, as_of: str | None
) -> None:
    """Prompt Ledger: every prompt, every run and what it cost, in one local ledger.

    Without a command it opens the workstation.
    """
    front: Front = ctx.obj
    front.database_url, front.environment, front.theme, front.as_of = database_url, environment, theme, as_of
    if ctx.invoked_subcommand is None:
        ctx.exit(front.open_workstation(front.make_ledger(), theme))


def run(arguments: Sequence[str], front: Front) -> int:
    """Run the command line and return the exit code; unexpected errors go on to the caller."""
    try:
        code: Any = main.main(list(arguments), prog_name="ledger-tui", standalone_mode=False, obj=front)
        return code if isinstance(code, int) else DONE
    except click.UsageError as error:
        if error.ctx is not None:
            output.say(error.ctx.get_usage())
        output.say(f"✗ {error.format_message()}")
        return WRONG_USAGE
    except (click.Abort, KeyboardInterrupt):
        output.say("Interrupted.")
        return INTERRUPTED
    except click.ClickException as error:
        output.say(f"✗ {error.format_message()}")
        return FAILED
    except LedgerError as error:
        output.complain(error)
        if isinstance(error, BudgetExceeded):
            return NOT_HELD
        return WRONG_USAGE if isinstance(error, FilterError | NameRefused) else FAILED
    except output.ReaderGone:
        output.close_quietly()
        return DONE
