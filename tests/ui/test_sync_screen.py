"""Sharing in the workstation: it exchanges by itself, says how that stands without nagging, and asks what may leave."""

from __future__ import annotations

import itertools
import re
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from typing import Any

import psycopg
import pytest
from ledger_tui.domain import clock
from ledger_tui.domain.content import PromptContent
from ledger_tui.domain.sync.records import Delivered, Record
from ledger_tui.domain.sync.sharing import Share, Sharing
from ledger_tui.domain.values import SpanRecord
from ledger_tui.errors import KeyMissing, SyncError
from ledger_tui.ledger import PromptLedger
from ledger_tui.services.sync_values import Joined, SyncStatus
from ledger_tui.store import sync_asides, sync_receipts
from ledger_tui.sync.door import NoLedger, OtherLedger, PasswordWanted, RemoteRefused, RemoteUnavailable
from ledger_tui.sync.dsn import Target
from ledger_tui.sync.engine import Difference, Progress
from ledger_tui.sync.postgres_errors import translate, wrong_password
from ledger_tui.ui.app import LedgerApp
from ledger_tui.ui.places.settings.sync_dialogs import JoinDialog
from ledger_tui.ui.places.settings.sync_password import PasswordDialog
from ledger_tui.ui.sync_words import AWAY, bar, line_forms
from ledger_tui.ui.widgets.row_table import RowTable
from ledger_tui.ui.widgets.tab_line import TabLine
from ledger_tui.ui.widgets.top_line import LineFacts, TopLine
from textual.pilot import Pilot
from textual.widgets import Input

from tests.ui.conftest import Workstation, screen_text, settle, until
from tests.ui.team import Team

HOUR_US = 3_600_000_000
NOW = 1_795_000_000_000_000
SHARED = {"address": "a@b/c", "workspace": "w", "sharing": Sharing(), "numbers": {}}


@pytest.fixture
def team(tmp_path: Path, ledger: PromptLedger) -> Iterator[Team]:
    """The ledger of the workstation shared with a colleague's."""
    ledger.prepare()
    made = Team(tmp_path)
    made.share(ledger, "ada")
    yield made
    made.grace.close()


def app_of(pilot: Pilot[None]) -> LedgerApp:
    """The app as what it is."""
    app = pilot.app
    assert isinstance(app, LedgerApp)
    return app


async def agreed(pilot: Pilot[None]) -> str:
    """Wait until the top line says that both ends hold the same; the digits."""
    app = app_of(pilot)
    view = app.sync_view
    await until(lambda: app.facts.sync and app.facts.sync[0].startswith("= "), pilot, "agreement")
    assert view is not None
    return app.facts.sync[0].removeprefix("= ")


async def open_tab(pilot: Pilot[None], view: int = 0) -> None:
    """Go to the tab by its key, and to a view of it."""
    await pilot.press("ampersand")
    await until(lambda: pilot.app.screen.query("#sync-rows"), pilot, "the tab")
    await settle(pilot)
    await until(lambda: pilot.app.screen.query_one("#sync-rows").has_focus, pilot, "the focus")
    for _ in range(view):
        await pilot.press("right_square_bracket")
    await settle(pilot)


def status(**changes: Any) -> SyncStatus:
    """A shared ledger that stands so."""
    return SyncStatus(**{**SHARED, **changes})


REFUSED = "The shared server refused: there is no such shared ledger for this account"
WRONG = "The shared server refused the password: it is wrong"
FAILING = {"error": "it does not answer", "failing_since_us": NOW - 30 * HOUR_US}


@pytest.mark.parametrize(
    ("stands", "progress", "said"),
    [
        (SyncStatus("", None, Sharing()), None, None),
        (status(agreed="9f3c", agreed_us=NOW), None, "= 9f3c"),
        (status(waiting={"meta": 12}, agreed_us=NOW - 180_000_000), None, "▲ 12  agreed 3 m ago"),
        (status(agreed_us=NOW - 180_000_000, aside=1), None, "agreed 3 m ago  Ψ 2  ! 1"),
        (
            status(waiting={"meta": 2}, agreed_us=NOW - HOUR_US, error="x", failing_since_us=NOW - HOUR_US),
            None,
            "▲ 2  agreed 1 h ago",
        ),
        (status(waiting={"meta": 2}, agreed_us=NOW - 30 * HOUR_US, **FAILING), None, "▲ 2  no sync for 30 h"),
        (status(agreed="9f3c", agreed_us=NOW, error=REFUSED), None, "! no access"),
        (status(waiting={"meta": 2}, agreed_us=NOW, error=WRONG, aside=1), None, "▲ 2  ! wrong password  Ψ 2  ! 1"),
        (status(waiting={"telemetry": 9}), Progress("telemetry", "send", 3_000, 1_000_000), "▲ 3k/1M"),
        (status(waiting={"telemetry": 9}), Progress("telemetry", "receive", 400, 1_000), "▼ 40 %"),
        (status(agreed="9f3c"), Progress("meta", "receive", 2, 3), "= 9f3c"),
    ],
)
def test_the_top_line_says_how_sync_stands(stands: SyncStatus, progress: Progress | None, said: str | None) -> None:
    """Nothing for a ledger of one's own; else digits, what waits, an age, progress of a large exchange, words after a day of
    failure, or at once for one that does not end by itself; the shortest form has room beside the places at 80 columns."""
    forms = line_forms(stands, 2 if stands.aside else 0, progress, NOW)
    assert (forms[0] if forms else None) == said
    assert all(len(form) <= 16 for form in forms[-1:])


def test_failures_that_need_somebody_are_known_by_their_titles() -> None:
    """Refusals, passwords and other ledgers have words for the top line under the titles that their errors have; a server that is
    away has none."""
    target = Target("postgresql://ada@localhost/team")
    for error in (
        RemoteRefused("x"), PasswordWanted("x"), OtherLedger("x"), KeyMissing("x"), wrong_password(target), NoLedger("x"),
        translate(psycopg.errors.UndefinedObject("x"), target), translate(psycopg.OperationalError("certificate x"), target),
        translate(psycopg.OperationalError("server does not support SSL, x"), target),
    ):  # fmt: skip
        assert bar(status(error=f"{error.title}: {error.cause}")), error.title
    away = status(error=f"{RemoteUnavailable.default_title}: x")
    assert not bar(away) and away.error.startswith(AWAY)


def test_what_waits_goes_before_the_words_about_money() -> None:
    """On a narrow line a budget is shortened and goes before what waits or fails; digits that nobody misses go first."""
    budget = ("✗ this month $1.20 of $1.00 (120 %)", "✗ $1.20 of $1.00 (120 %)", "✗ 120 % of $1.00", "✗ 120 %")

    def shown(room: int, sync_state: str, *sync: str) -> str:
        line = TopLine("prompts")
        line.set_reactive(
            TopLine.facts, LineFacts(spend="today $1.20", budget=budget, sync=sync, sync_state=sync_state)
        )
        line.get_visual_style = lambda *_, **__: ""  # type: ignore[method-assign,assignment,return-value]
        return line._right(room)[0].plain

    assert shown(23, "waits", "▲ 2  agreed 1 h ago", "▲ 2  1 h") == "✗ 120 % · ▲ 2  1 h"
    assert shown(14, "bad", "▲ 2  ! no access", "! no access") == "! no access"
    assert shown(23, "ok", "= 9f3c") == "✗ 120 % · = 9f3c" and shown(12, "ok", "= 9f3c") == "✗ 120 %"


async def test_a_ledger_that_is_shared_with_nobody_is_left_alone(
    ledger: PromptLedger, workstation: Workstation
) -> None:
    """Nothing runs and nothing is said; the tab says what sharing is and what would leave, and lets the rules be set before."""
    async with workstation("settings", (80, 24)) as pilot:
        app = app_of(pilot)
        await until(lambda: app.sync_view.status is not None, pilot, "a look")
        assert app.facts.sync == () and app._thread is None
        await open_tab(pilot)
        text = screen_text(pilot)
        assert "shared with nobody" in text and "✓ goes" in text and "· stays" in text and "Sync now" not in text
        await pilot.press("n")
        await until(lambda: not ledger.sync.sharing().usual.numbers, pilot, "the rule")
        await settle(pilot)
        for key in ("t", "n"):
            await pilot.press(key)
            await until(lambda: "cannot be called back" in " ".join(screen_text(pilot).split()), pilot, "the question")
            await pilot.press("escape")
            assert ledger.sync.sharing().usual == Share(numbers=False, texts=False)


async def test_rules_by_folder(ledger: PromptLedger, workstation: Workstation) -> None:
    """A folder gets a rule of its own by its name and one of three levels, and loses it again; what is no folder is told there."""
    async with workstation("settings") as pilot:
        await open_tab(pilot)
        await pilot.press("a")
        await settle(pilot)
        await pilot.press(*"no good!", "enter")
        await until(lambda: "is no folder" in screen_text(pilot), pilot, "the problem")
        await pilot.press("ctrl+u", *"support/", "enter")
        await until(lambda: "Nothing: prompts and labels only" in screen_text(pilot), pilot, "the levels")
        await pilot.press("end", "enter")
        await until(lambda: "Share texts" in screen_text(pilot), pilot, "the question")
        await pilot.press("y")
        await until(lambda: ledger.sync.sharing().of("support/x").texts, pilot, "the rule")
        await settle(pilot)
        assert not ledger.sync.sharing().usual.texts
        await pilot.press("down", "delete")
        await until(lambda: not ledger.sync.sharing().folders, pilot, "its end")


async def test_it_exchanges_by_itself_and_says_so(team: Team, ledger: PromptLedger, workstation: Workstation) -> None:
    """What is saved here reaches a colleague without a word; the top line then shows the digits that the colleague sees."""
    async with workstation() as pilot:
        await agreed(pilot)
        await pilot.app.run_action("new")
        ledger.registry.save("support/triage", PromptContent.of_text("Hello"))
        app_of(pilot).registry_changed()
        await until(lambda: team.server.histories["meta"].end.seq >= 2, pilot, "the facts at the server")
        digits = await agreed(pilot)
        team.grace.sync.sync()
        assert team.grace.registry.prompt("support/triage").latest_number == 1
        assert team.grace.sync.status().agreed == ledger.sync.status().agreed
        assert len(digits) == 4 and not app_of(pilot)._notifications


@pytest.mark.parametrize("size", [(80, 24), (200, 60)])
async def test_the_words_lead_to_the_screen(team: Team, workstation: Workstation, size: tuple[int, int]) -> None:
    """A click on what the top line says of sync opens the tab, at both ends of the sizes; beside it other things are meant."""
    async with workstation("traces", size) as pilot:
        digits = await agreed(pilot)
        await settle(pilot)
        row = screen_text(pilot).splitlines()[0]
        assert f"= {digits}" in row
        await pilot.click(TopLine, offset=(row.index(f"= {digits}") + 1, 0))
        await until(lambda: "Both ends hold the same" in screen_text(pilot), pilot, "the tab")
        await until(lambda: "ada@localhost/team" in screen_text(pilot), pilot, "the server")


async def test_offline_is_normal(team: Team, ledger: PromptLedger, workstation: Workstation) -> None:
    """Without a server nothing nags: what waits is counted, the tab says why in grey, and no toast comes."""
    team.is_down = True
    ledger.registry.save("mine", PromptContent.of_text("Hello"))
    async with workstation("settings") as pilot:
        app = app_of(pilot)
        await until(lambda: app.sync_view.status is not None and app.sync_view.status.error, pilot, "the failure")
        await open_tab(pilot)
        text = screen_text(pilot)
        assert "▲ 2" in text.splitlines()[0] and "does not answer: connection refused" in text
        assert not app._notifications


async def test_a_rule_that_lets_more_go_is_asked_for(ledger: PromptLedger, workstation: Workstation) -> None:
    """Numbers of a folder that stayed here, and a folder's rule that kept them here, go only after a question; less needs none."""
    ledger.prepare()
    ledger.sync.set_sharing(Sharing().with_rule("private/", numbers=False))
    async with workstation("settings") as pilot:
        await open_tab(pilot)
        await pilot.press("down")
        for key in ("n", "delete"):
            await pilot.press(key)
            await until(lambda: "Numbers of calls of private/ leave" in screen_text(pilot), pilot, "the question")
            await pilot.press("escape")
            await settle(pilot)
            assert not ledger.sync.sharing().of("private/x").numbers
        await pilot.press("n", "y")
        await until(lambda: ledger.sync.sharing().of("private/x").numbers, pilot, "the rule")
        await settle(pilot)
        await pilot.press("n")
        await until(lambda: not ledger.sync.sharing().of("private/x").numbers, pilot, "the narrower rule")


async def test_a_refusal_is_said_at_once(team: Team, ledger: PromptLedger, workstation: Workstation) -> None:
    """An account that is dismissed reads so in the top line within one exchange, and the tab leads with the reason and what to do;
    that both ends hold the same is a thing of the past."""
    ledger.registry.save("mine", PromptContent.of_text("Hello"))
    async with workstation("settings", (120, 36)) as pilot:
        await agreed(pilot)
        await open_tab(pilot)
        team.refusal = RemoteRefused("there is no such shared ledger for this account")
        await pilot.press("s")
        await until(lambda: "! no access" in screen_text(pilot).splitlines()[0], pilot, "the top line")
        await until(lambda: "Both ends last held the same" in screen_text(pilot), pilot, "the tab")
        text = re.sub(r"[│\s]+", " ", screen_text(pilot))
        assert "Both ends hold the same" not in text
        assert text.index("✗ The shared server refused") < text.index("Both ends last held")
        assert "Ask the owner of the shared ledger" in text and "Password" not in text


async def test_an_exchange_that_was_asked_for_and_fails_says_so(
    team: Team, ledger: PromptLedger, workstation: Workstation
) -> None:
    """`s` against a server that is away ends with an error of title, cause and remedy, every time; the head says that it cannot be
    reached beside when both ends agreed."""
    async with workstation("settings", (120, 36)) as pilot:
        app = app_of(pilot)
        ledger.registry.save("mine", PromptContent.of_text("Hello"))
        await agreed(pilot)
        await open_tab(pilot)
        team.is_down = True
        for _ in range(2):
            app.clear_notifications()
            await pilot.press("s")
            await until(lambda: [n for n in app._notifications if n.severity == "error"], pilot, "the toast")
            (toast,) = [n for n in app._notifications if n.severity == "error"]
            assert (
                toast.title == "The shared server does not answer"
                and "Connection refused. Nothing is lost" in toast.message
            )
        await until(lambda: "cannot be reached at present" in screen_text(pilot), pilot, "the head")
        assert "Both ends last held the same" in screen_text(pilot)


async def test_a_password_can_be_given_on_the_tab(
    team: Team, ledger: PromptLedger, workstation: Workstation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the password is missing or wrong the tab asks for it in a field that hides it; a wrong one is told there, a right one
    is kept and the exchange goes on; where nothing can keep it, that is a warning."""
    team.refusal = PasswordWanted("none is known")
    monkeypatch.setattr(ledger.sync, "password_source", lambda url=None: "")

    def give(password: str) -> str:
        if password != "right":
            raise PasswordWanted("it is wrong", title="The shared server refused the password")
        team.refusal = None
        return "memory"

    monkeypatch.setattr(ledger.sync, "give_password", give)
    async with workstation("settings", (120, 36)) as pilot:
        app = app_of(pilot)
        await until(lambda: "! no password" in screen_text(pilot).splitlines()[0], pilot, "the top line")
        await open_tab(pilot)
        await until(lambda: "p takes the password here" in screen_text(pilot), pilot, "what to do")
        assert "LEDGER_SYNC_PASSWORD" not in screen_text(pilot)
        await pilot.press("p", *"wrong", "enter")
        await until(lambda: "Enter the password again" in screen_text(pilot), pilot, "the problem")
        assert "wrong" not in [line.strip("│ ") for line in screen_text(pilot).splitlines()]
        await pilot.press("ctrl+u", *"right", "enter")
        await agreed(pilot)
        assert any("NOT kept" in n.message and n.severity == "warning" for n in app._notifications)
        await until(lambda: "p takes" not in screen_text(pilot), pilot, "its end")


async def test_a_password_that_comes_from_elsewhere_is_not_asked_for(
    team: Team, ledger: PromptLedger, workstation: Workstation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong one in a variable, a file or the address is corrected there, and the tab says where; typing one is not offered."""
    team.refusal = PasswordWanted("it is wrong", title="The shared server refused the password")
    monkeypatch.setattr(ledger.sync, "password_source", lambda url=None: "environment")
    async with workstation("settings", (120, 36)) as pilot:
        await open_tab(pilot)
        await until(lambda: "comes from LEDGER_SYNC_PASSWORD" in screen_text(pilot), pilot, "what to do")
        await pilot.press("p")
        await settle(pilot)
        assert not isinstance(pilot.app.screen, PasswordDialog)


async def test_ages_go_on_while_the_tab_is_open(
    team: Team, ledger: PromptLedger, workstation: Workstation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the head and the rows say of how long ago something was grows with the time, and the cursor stays."""
    ledger.registry.save("mine", PromptContent.of_text("Hello"))
    async with workstation("settings", (120, 36)) as pilot:
        await agreed(pilot)
        await open_tab(pilot, 1)
        now_us = clock.now_us
        monkeypatch.setattr(clock, "now_us", lambda: now_us() + 3 * HOUR_US)
        app_of(pilot).look_at_sharing()
        await until(lambda: "Both ends hold the same, 3 h ago" in screen_text(pilot), pilot, "the head")
        await until(lambda: screen_text(pilot).count("3 h ago") > 1, pilot, "the rows")


async def test_an_earlier_moment_exchanges_nothing(team: Team, ledger: PromptLedger, workstation: Workstation) -> None:
    """Looking back stops the exchange and its words; coming back begins them again."""
    ledger.registry.save("mine", PromptContent.of_text("Hello"))
    async with workstation("settings") as pilot:
        app = app_of(pilot)
        await agreed(pilot)
        moment = clock.now()
        await app.show_moment(moment)
        assert app._thread is None and app.facts.sync == ()
        await open_tab(pilot)
        assert "An earlier moment is shown" in screen_text(pilot)
        await app.show_moment(None)
        await agreed(pilot)
        assert app._thread is not None


async def test_what_left_and_what_would(team: Team, ledger: PromptLedger, workstation: Workstation) -> None:
    """A receipt names what left by kind; the outlook counts and changes nothing; verify says that both ends hold the same."""
    ledger.registry.save("mine", PromptContent.of_text("Hello"))
    async with workstation("settings", (120, 40)) as pilot:
        await agreed(pilot)
        await open_tab(pilot, 1)
        await until(lambda: "1 version" in screen_text(pilot), pilot, "the receipt")
        assert "Left this machine:" in screen_text(pilot)
        await pilot.press("o")
        await until(lambda: "Nothing would leave this machine." in screen_text(pilot), pilot, "the outlook")
        await pilot.press("escape")
        await pilot.press("v")
        await until(lambda: "Both ends hold the same accepted records" in screen_text(pilot), pilot, "the proof")


async def test_verify_says_how_far_it_is_and_ends_with_its_dialog(
    team: Team, ledger: PromptLedger, workstation: Workstation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While both ends are compared the dialog counts the records; escape ends the comparison, which has changed nothing."""
    ended = Event()

    def slow(on_progress: Callable[[Progress], None]) -> list[Difference]:
        try:
            for done in itertools.count(120_000):
                on_progress(Progress("telemetry", "compare", done, 1_000_000))
        finally:
            ended.set()

    async with workstation("settings", (120, 40)) as pilot:
        await agreed(pilot)
        await open_tab(pilot, 1)
        monkeypatch.setattr(ledger.sync, "verify", slow)
        await pilot.press("v")
        await until(
            lambda: re.search(r"comparing numbers: [\d,]+ of 1,000,000 records", screen_text(pilot)), pilot, "a count"
        )
        await pilot.press("escape")
        await until(ended.is_set, pilot, "its end")


async def test_devices_are_asked_for_when_wanted(team: Team, ledger: PromptLedger, workstation: Workstation) -> None:
    """Who brought something is asked of the server with the view, with account and role; this machine is marked."""
    team.save("theirs", "Hello")
    ledger.registry.save("mine", PromptContent.of_text("Hello"))
    async with workstation("settings", (160, 40)) as pilot:
        await agreed(pilot)
        await open_tab(pilot, 4)
        await until(lambda: "grace" in screen_text(pilot), pilot, "the colleague")
        assert f"● {ledger.device()}" in screen_text(pilot) and "member" in screen_text(pilot)


def quarantined(ledger: PromptLedger, why: str, body: str = '{"rv":1}') -> None:
    """Put a record that came into quarantine."""
    row = Delivered(Record("meta", str(uuid.uuid4()), "label", body), 7, "0" * 64, "mallory")
    with ledger.database.lean_write() as lean:
        sync_asides.quarantine(lean, "meta", [(row, why)])


async def test_what_was_set_aside_can_be_looked_into(
    team: Team, ledger: PromptLedger, workstation: Workstation
) -> None:
    """The count is in the top line; what it is, the reason, the record as it came and a way to drop it are in the tab; without
    both, both ends are equal."""
    quarantined(ledger, "it names no prompt", '{"rv":1,"secret":"of the sea"}')
    ledger.registry.save("mine", PromptContent.of_text("Hello"), labels=["production"])
    async with workstation("settings", (120, 40)) as pilot:
        await until(lambda: any("! 2" in form for form in app_of(pilot).facts.sync), pilot, "the count")
        await open_tab(pilot, 3)
        text = screen_text(pilot)
        assert "Set aside 2" in text and "it names no prompt" in text and "this account may not write it" in text
        assert "label production of mine" in text and "! 2 set aside" in text
        table = pilot.app.screen.query_one("#sync-rows", RowTable)
        table.move_cursor(row=[key.value.startswith("in.") for key in table.rows].index(True))  # type: ignore[union-attr]
        await pilot.press("enter")
        await until(lambda: "of the sea" in screen_text(pilot) and "mallory" in screen_text(pilot), pilot, "the record")
        await pilot.press("escape")
        await pilot.press("delete")
        await until(lambda: "Drop this record" in screen_text(pilot), pilot, "the question")
        await pilot.press("y")
        await until(lambda: [row.way for row in ledger.sync.asides()] == ["out"], pilot, "its end")
        await until(lambda: "it names no prompt" not in screen_text(pilot), pilot, "the table")
        await settle(pilot)
        await pilot.press("delete")
        await until(lambda: "without effect" in screen_text(pilot), pilot, "the question")
        await pilot.press("y")
        await until(lambda: ledger.sync.asides() == [], pilot, "its end")
        await settle(pilot)
        await pilot.press("s")
        await agreed(pilot)
        assert ledger.registry.prompt("mine").labels == ()


# Joining, with a real server


async def test_making_a_shared_ledger_and_leaving_it(
    ledger: PromptLedger, workstation: Workstation, postgres_url: str
) -> None:
    """What is wrong with an address is told in the dialog; making one begins the exchange; leaving ends it and keeps everything."""
    ledger.prepare()
    ledger.registry.save("mine", PromptContent.of_text("Hello"))
    async with workstation("settings", (120, 40)) as pilot:
        await open_tab(pilot)
        await pilot.press("j")
        await settle(pilot)
        field = pilot.app.screen.query_one("#sync-address", Input)
        assert pilot.app.screen.query_one("#sync-password", Input).password
        field.value = "http://nowhere"
        await pilot.press("enter")
        await until(lambda: "The address of the shared server is refused" in screen_text(pilot), pilot, "the error")
        field.value = postgres_url
        await pilot.press("enter")
        await until(
            lambda: "✗" in screen_text(pilot) and "refused. It" not in screen_text(pilot), pilot, "no ledger there"
        )
        assert isinstance(pilot.app.screen, JoinDialog)
        await pilot.press("shift+tab", "right", "tab", "enter")
        await until(lambda: ledger.sync.status().is_shared, pilot, "the shared ledger")
        await agreed(pilot)
        await until(lambda: "Both ends hold the same" in screen_text(pilot), pilot, "the tab")
        await pilot.press("L")
        await until(
            lambda: (
                "Everything that was exchanged stays" in screen_text(pilot).replace("\n", " ")
                or "stays" in screen_text(pilot)
            ),
            pilot,
            "the question",
        )
        await pilot.press("y")
        await until(lambda: "shared with nobody" in screen_text(pilot), pilot, "its end")
        assert not ledger.sync.status().is_shared and app_of(pilot)._thread is None
        assert ledger.registry.prompt("mine").latest_number == 1


async def test_a_password_that_the_server_asks_for_is_typed_in_the_dialog(
    ledger: PromptLedger, workstation: Workstation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Joining without the password that the server wants leads to the field for it; one that is not kept is warned about."""

    def join(address: str, password: str | None = None) -> Joined:
        if password != "right":
            raise PasswordWanted("none is known")
        return Joined("w", address, False, "memory")

    ledger.prepare()
    monkeypatch.setattr(ledger.sync, "join", join)
    async with workstation("settings", (120, 40)) as pilot:
        await open_tab(pilot)
        await pilot.press("j")
        await settle(pilot)
        pilot.app.screen.query_one("#sync-address", Input).value = "postgresql://ada@localhost/team"
        await pilot.press("enter")
        await until(lambda: "Enter the password above" in screen_text(pilot), pilot, "what the server asks for")
        await until(lambda: pilot.app.screen.query_one("#sync-password").has_focus, pilot, "the field")
        assert "LEDGER_SYNC_PASSWORD" not in screen_text(pilot)
        await pilot.press(*"right", "enter")
        await until(lambda: [n for n in app_of(pilot)._notifications if "NOT kept" in n.message], pilot, "the warning")


async def test_who_may_not_make_one_gets_the_sql(
    ledger: PromptLedger, workstation: Workstation, postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An account without the rights is told so, and the SQL for the one who has them can be copied or saved."""
    monkeypatch.chdir(tmp_path)
    ledger.prepare()
    login = "poor_" + uuid.uuid4().hex[:8]
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {login} LOGIN PASSWORD 'secret'")
    try:
        async with workstation("settings", (120, 40)) as pilot:
            await open_tab(pilot)
            await pilot.press("j")
            await settle(pilot)
            address = psycopg.conninfo.make_conninfo(postgres_url, user=login, password=None)
            pilot.app.screen.query_one("#sync-address", Input).value = address
            pilot.app.screen.query_one("#sync-password", Input).value = "secret"
            await pilot.press("shift+tab", "right", "tab", "enter")
            await until(lambda: "may not make a shared ledger here" in screen_text(pilot), pilot, "the error")
            await settle(pilot)
            await pilot.click("#copy-script")
            assert "make_workspace" in pilot.app.clipboard
            await pilot.click("#save-script")
            (saved,) = await until(lambda: list(tmp_path.glob("shared-ledger-*.sql")), pilot, "the file")
            assert saved.read_text() == pilot.app.clipboard
    finally:
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            connection.execute(f"DROP ROLE {login}")


# What comes from colleagues


async def ready(pilot: Pilot[None], team: Team) -> None:
    """Wait for the first exchange: what came with it is not new."""
    await agreed(pilot)
    await settle(pilot)
    assert app_of(pilot).sync_view.news == {}


async def arrives(pilot: Pilot[None], name: str) -> None:
    """Exchange, and wait until something new came for a prompt."""
    app = app_of(pilot)
    app.exchange()
    await until(lambda: name in app.sync_view.news, pilot, "the arrival")
    await settle(pilot)


async def test_what_comes_is_marked_until_it_is_opened(
    team: Team, ledger: PromptLedger, workstation: Workstation
) -> None:
    """A colleague's prompt appears with a quiet mark; opening it takes the mark away, also for the next start; focus stays."""
    team.save("support/old", "Hello")
    async with workstation() as pilot:
        await ready(pilot, team)
        focused = pilot.app.screen.focused
        team.save("support/new", "Welcome")
        await arrives(pilot, "support/new")
        text = screen_text(pilot)
        assert "new •" in text and "old •" not in text and pilot.app.screen.focused is focused
        assert not app_of(pilot)._notifications
        pilot.app.open_prompt("support/old")  # type: ignore[attr-defined]
        await settle(pilot)
        assert "new •" in screen_text(pilot)
    async with workstation() as pilot:
        await until(lambda: "new •" in screen_text(pilot), pilot, "the mark of before")
        pilot.app.open_prompt("support/new")  # type: ignore[attr-defined]
        await until(lambda: "new •" not in screen_text(pilot), pilot, "its end")
        await until(lambda: "v1 •" in screen_text(pilot), pilot, "the version's mark")
        await until(lambda: not ledger.arrivals.look().news, pilot, "what is kept")


async def test_a_text_under_somebodys_hands_stays(team: Team, ledger: PromptLedger, workstation: Workstation) -> None:
    """A colleague's version replaces neither what is being read nor what was typed; the head says that it came, and saving goes on
    from the version that was edited."""
    team.save("support/triage", "one")
    async with workstation() as pilot:
        await ready(pilot, team)
        pilot.app.open_prompt("support/triage")  # type: ignore[attr-defined]
        place: Any = pilot.app.screen
        await until(lambda: place.subject is not None and place.editor.has_focus_within, pilot, "the editor")
        area = place.editor.blocks[0].area
        area.move_cursor((0, 2))
        team.save("support/triage", "two")
        await arrives(pilot, "support/triage")
        await until(lambda: "v2 by grace came" in screen_text(pilot), pilot, "the head")
        assert area.text == "one" and area.cursor_location == (0, 2) and area.has_focus
        await pilot.press("x")
        team.save("support/triage", "three")
        await arrives(pilot, "support/triage")
        await until(lambda: "v3 by grace came" in screen_text(pilot), pilot, "the head")
        assert area.text == "onxe" and area.cursor_location == (0, 3)
        assert place.subject.base.number == 1


async def test_what_is_only_shown_follows(team: Team, ledger: PromptLedger, workstation: Workstation) -> None:
    """A prompt that nobody is at shows the version that is active now, and the versions mark it."""
    team.save("support/triage", "one")
    async with workstation() as pilot:
        await ready(pilot, team)
        place: Any = pilot.app.screen
        await until(lambda: place.subject is not None, pilot, "the prompt under the cursor")
        team.save("support/triage", "two")
        await arrives(pilot, "support/triage")
        await until(lambda: place.editor.blocks[0].area.text == "two", pilot, "the new text")
        assert "v2 •" in screen_text(pilot)


async def test_a_colleagues_call_says_where_its_texts_are(team: Team, workstation: Workstation) -> None:
    """A step that came with its numbers only says that its texts stayed on the other machine, and how they would come."""
    moment = clock.now_us()
    step = SpanRecord(
        "t", "s", "call", "llm", "succeeded", moment, 5, model="m", provider="p", cost_nusd=7, input="secret"
    )
    team.grace.traces.record([step])
    team.grace.sync.sync()
    async with workstation("traces") as pilot:
        await agreed(pilot)
        await until(lambda: "call" in screen_text(pilot), pilot, "the trace")
        pilot.app.open_trace("t")  # type: ignore[attr-defined]
        await until(lambda: "stayed on the machine" in screen_text(pilot), pilot, "the words")
        assert "secret" not in screen_text(pilot)


async def test_no_text_from_outside_is_markup(team: Team, ledger: PromptLedger, workstation: Workstation) -> None:
    """Labels, reasons, records and devices with markup and escape sequences are shown as the characters they are."""
    nasty = "[bold red]x[/] [@click=app.quit]q[/] \x1b]52;c;pwned\x07\x1b[2J \u202e"
    team.share(ledger, "ada", label=nasty)
    quarantined(ledger, nasty, '{"rv":1,"x":"[/]"}')
    team.grace.__dict__["sync"]._device = lambda: nasty
    team.save("theirs", "Hello")
    with ledger.database.lean_write() as lean:
        sync_receipts.set_last(lean, error={"title": nasty, "cause": nasty, "remedy": nasty}, failing_since_us=1)
        sync_receipts.keep(lean, {"sent": {nasty: 3}, "came": {"meta": 1}, "why_not": nasty})
    async with workstation("settings", (160, 50)) as pilot:
        await open_tab(pilot)
        for view in range(5):
            pilot.app.screen.query_one(TabLine)._choose(view)
            await settle(pilot)
            text = screen_text(pilot)
            assert "[bold red]x[/]" in text and not set("\x1b\x07\u202e") & set(text)
            if view == 3:
                await pilot.press("enter")
                await settle(pilot)
                assert not set("\x1b\x07\u202e") & set(screen_text(pilot))
                await pilot.press("escape")


def test_errors_of_the_tab_have_a_way_out() -> None:
    """What goes wrong is told by title, cause and what to do."""
    from ledger_tui.ui.places.settings.sync_password import told

    assert (
        told(SyncError("it is old", title="The server is too old", remedy="Use 15."))
        == "✗ The server is too old. It is old. Use 15."
    )
