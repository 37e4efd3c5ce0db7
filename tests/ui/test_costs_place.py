"""The Costs place shows exact sums, never takes unknown for nothing, and leads from every number to its traces."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import nullcontext
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from ledger_tui.domain import clock, measure
from ledger_tui.domain.values import SpanRecord, TokenUsage
from ledger_tui.ledger import PromptLedger
from ledger_tui.ui.dialogs.receipt import SumDialog
from ledger_tui.ui.places.costs.cost_table import CostTable
from ledger_tui.ui.places.costs.plot_drawing import METRICS
from ledger_tui.ui.places.costs.price_form import PriceForm
from ledger_tui.ui.places.costs.prices import PriceBookPage
from ledger_tui.ui.places.costs.reading import Wish, read_look, read_measures
from ledger_tui.ui.places.costs.spend_plot import SpendPlot
from ledger_tui.ui.places.costs.what_if import WhatIfPage
from textual.pilot import Pilot
from textual.widgets import Button, Input

from tests.ui.conftest import Workstation, screen_text, settle, until

DAY_US = 86_400_000_000
SIZES = [(80, 24), (200, 60)]


def today() -> date:
    """The UTC day that it is."""
    return clock.now().date()


def call(number: int, days_ago: int = 0, **facts: Any) -> SpanRecord:
    """A call of a minute past midnight, UTC."""
    midnight = datetime.combine(today() - timedelta(days_ago), datetime.min.time(), UTC)
    given: dict[str, Any] = {
        "trace_id": f"t{number}", "span_id": "s", "name": "call", "kind": "llm", "status": "succeeded",
        "started_us": clock.to_us(midnight) + number, "duration_us": 1_000_000, "first_token_us": 200_000,
        "provider": "openai", "model": "gpt-x", "tokens": TokenUsage(input=100, output=20), "cost_nusd": 500_000_000,
        "environment": "dev",
    }  # fmt: skip
    return SpanRecord(**(given | facts))


OWN: dict[str, Any] = {"model": "own", "cost_nusd": None, "unpriced": True}


def spend(ledger: PromptLedger, calls: Iterable[SpanRecord] = ()) -> None:
    """Record calls: without any given two priced ones, and an unpriced, failed one, all of today."""
    ledger.prepare()
    usual = [call(0, cost_nusd=1_500_000_000), call(1), call(2, status="failed", **OWN)]
    ledger.traces.record([*calls] or usual)


def groups(pilot: Pilot[None]) -> CostTable:
    """The table of groups."""
    return pilot.app.screen.query_one("#group-table", CostTable)


def cells(table: CostTable, key: str) -> dict[str, str]:
    """The texts of a row by the keys of the columns."""
    return dict(zip(table.keys, (text.plain for text in table.get_row(key.replace("/", "\0"))), strict=True))


def go_to(table: CostTable, key: str) -> None:
    """Put the cursor on a row."""
    table.move_cursor(row=table.get_row_index(key.replace("/", "\0")))


async def in_traces(pilot: Pilot[None]) -> list[str]:
    """Wait for the filtered traces; their ids."""
    await until(
        lambda: pilot.app.screen.PLACE == "traces" and pilot.app.screen.filter_text, pilot, "the filtered traces"
    )
    await settle(pilot)
    return sorted(row.trace_id for row in pilot.app.screen.trace_list.traces)


async def test_sums_count_the_unpriced(workstation: Workstation, ledger: PromptLedger) -> None:
    """Totals and rows add up, and calls without a price are counted instead of costing $0."""
    spend(ledger)
    async with workstation("costs", (200, 60)) as pilot:
        shown = screen_text(pilot)
        assert "$2.00 +? · 3 calls · ⚠ 1 unpriced p · ✗ 1 failed (33.3 %) · 66.7 % ok" in shown
        own = cells(groups(pilot), "openai/own")
        assert own["cost"] == "—" and own["unpriced"] == "+1 ?" and own["failed"] == "✗ 100 %"
        priced = cells(groups(pilot), "openai/gpt-x")
        assert priced["cost"] == "$2.00" and priced["unpriced"] == "" and priced["share"].endswith("100%")


@pytest.mark.parametrize("size", SIZES)
async def test_the_plot_and_the_table_of_days_say_the_same(
    workstation: Workstation, ledger: PromptLedger, size: tuple[int, int]
) -> None:
    """Each day has a bar and a row with the same figure; unpriced days, today and days without a call are marked."""
    spend(ledger, [call(0), call(1, 2, cost_nusd=1_000_000_000), call(2, 2, **OWN), call(3, 5, status="failed")])
    async with workstation("costs", size) as pilot:
        await pilot.press("left_square_bracket")
        await settle(pilot)
        plot = pilot.app.screen.query_one(SpendPlot).plot
        assert plot is not None
        assert [bar.value for bar in plot.bars] == [None, 500_000_000, None, None, 1_000_000_000, None, 500_000_000]
        drawn = "\n".join("".join(text for text, _ in line) for line in plot.lines)
        assert "$1" in drawn and "$0" in drawn and "▒" in drawn and "█" in drawn
        marks = pilot.app.screen.query_one(SpendPlot).render().plain.splitlines()[-2]
        assert marks.count("?") == 1 and marks.count("▲") == 1 and marks.index("?") < marks.index("▲")
        if size[0] == 80:
            await pilot.press("t")
            await settle(pilot)
        table = pilot.app.screen.query_one("#day-table", CostTable)
        assert table.region.area > 0
        rows = [cells(table, (today() - timedelta(ago)).isoformat()) for ago in range(7)]
        assert [row["cost"] for row in rows] == ["$0.5000", "", "$1.00 +?", "", "", "$0.5000", ""]
        assert "▒" in rows[0]["name"] and rows[2]["unpriced"] == "+1 ?" and rows[1]["calls"] == "·"


async def test_every_figure_of_the_plot_has_its_axis(workstation: Workstation, ledger: PromptLedger) -> None:
    """m goes through cost, calls, tokens, p95 and error rate, each with the unit on its axis."""
    spend(ledger, [call(0), call(1), call(2, status="failed"), call(3, 1)])
    async with workstation("costs") as pilot:
        units = []
        for metric in METRICS:
            plot = pilot.app.screen.query_one(SpendPlot)
            await settle(pilot)
            assert f"{metric.title} by day" in screen_text(pilot) and plot.plot is not None
            units.append(plot.plot.lines[0][0][0].split("┤")[0].strip())
            await pilot.press("m")
        assert units == ["$1.50", "3", "400", "1.50s", "40%"]
        assert f"{METRICS[0].title} by day" in screen_text(pilot)


@pytest.mark.parametrize("size", SIZES)
async def test_a_row_and_a_day_open_the_traces_behind_them(
    workstation: Workstation, ledger: PromptLedger, size: tuple[int, int]
) -> None:
    """Enter on a group, a double click on it and enter on a bar lead to just its traces."""
    spend(ledger, [call(0), call(1, 1), call(2, 1, **OWN)])
    async with workstation("costs", size) as pilot:
        table = groups(pilot)
        await until(lambda: table.has_focus, pilot)
        go_to(table, "openai/own")
        await pilot.press("enter")
        assert await in_traces(pilot) == ["t2"]
        await pilot.press("f5")
        await settle(pilot)
        go_to(table, "openai/own")
        row = table.get_row_index("openai\0gpt-x")
        await pilot.click("#group-table", offset=(5, row + 1), times=2)
        assert await in_traces(pilot) == ["t0", "t1"]
        await pilot.press("f5")
        await settle(pilot)
        pilot.app.screen.query_one(SpendPlot).focus()
        await pilot.press("left", "enter")
        assert await in_traces(pilot) == ["t1", "t2"]


async def test_a_click_on_a_bar_chooses_its_day(workstation: Workstation, ledger: PromptLedger) -> None:
    """The mouse moves the cursor of the plot, and the detail tells of that day beside the day before."""
    spend(ledger, [call(0), call(1, 1), call(2, 2, cost_nusd=250_000_000)])
    async with workstation("costs", (200, 60)) as pilot:
        widget = pilot.app.screen.query_one(SpendPlot)
        plot = widget.plot
        assert plot is not None
        await pilot.click("#plot", offset=(plot.left + plot.start(len(plot.bars) - 2), 5))
        await settle(pilot)
        assert widget.current is not None and widget.current.first == today() - timedelta(1)
        shown = screen_text(pilot)
        assert (today() - timedelta(1)).isoformat() in shown and "▲ 100 % more" in shown


async def test_groupings_go_round_by_key_and_mouse(workstation: Workstation, ledger: PromptLedger) -> None:
    """g and a click on a name group by provider, prompt, version, environment, user and session; calls without are named."""
    spend(ledger, [call(0, user_identifier="anna", session_id="s-1"), call(1, environment="prod")])
    async with workstation("costs") as pilot:
        seen = []
        for _ in range(7):
            await settle(pilot)
            seen.append((pilot.app.screen.wish.by, groups(pilot).row_count))
            await pilot.press("g")
        assert seen == [
            ("model", 1), ("provider", 1), ("prompt", 1), ("version", 1), ("environment", 2), ("user", 1), ("session", 1),
        ]  # fmt: skip
        await settle(pilot)
        await pilot.press("G", "G")
        await settle(pilot)
        assert "anna" in screen_text(pilot) and "1 user · 1 call without one" in screen_text(pilot)


def test_percentiles_stay_while_they_are_read_again(ledger: PromptLedger) -> None:
    """The first look has none, the next ones show the last ones until theirs are there; a new group has none until then."""
    spend(ledger, [call(0), call(1, duration_us=3_000_000)])
    first = read_look(ledger, Wish())
    assert {row.p95_us for row in (*first.days, *first.groups.rows)} == {None}
    measured = read_measures(ledger, first)
    assert [row.p95_us for row in measured.groups.rows] == [
        row.p95_us for row in ledger.analytics.breakdown("model", first.question.selection).rows
    ]
    spend(ledger, [call(2, model="other", duration_us=5_000_000)])
    again = read_look(ledger, Wish(), measured)
    shown = {row.key[-1]: row.p95_us for row in again.groups.rows}
    assert shown == {measured.groups.rows[0].key[-1]: measured.groups.rows[0].p95_us, "other": None}
    after = read_measures(ledger, again)
    assert after.groups.rows == ledger.analytics.breakdown("model", first.question.selection).rows
    assert after.days[-1].p95_us == ledger.analytics.breakdown("day", first.question.selection).rows[-1].p95_us


async def test_users_have_percentiles_once_their_calls_are_read(workstation: Workstation, ledger: PromptLedger) -> None:
    """The table of users stands at once; latency and time to first token follow, worked out from the calls themselves."""
    spend(ledger, [call(0, user_identifier="anna"), call(1, user_identifier="anna", duration_us=3_000_000)])
    async with workstation("costs", (200, 60)) as pilot:
        await settle(pilot)
        await pilot.press("G", "G")
        await until(lambda: "anna" in screen_text(pilot) and "3.00s" in screen_text(pilot), pilot, "the percentile")
        row = cells(groups(pilot), "anna")
        assert (row["p50"], row["p95"]) == ("1.00s", "3.00s")


async def test_sorting_by_key_and_by_a_heading(workstation: Workstation, ledger: PromptLedger) -> None:
    """s sorts by the next column, S turns the order round, a click on a heading sorts and turns; the cursor keeps its row."""
    spend(
        ledger,
        [call(0, model="a"), call(1, model="b"), call(2, model="b"), call(3, model="c", cost_nusd=9_000_000_000)],
    )

    def order(table: CostTable) -> list[str]:
        return [str(key.value)[-1] for key in table.rows]

    async with workstation("costs") as pilot:
        table = groups(pilot)
        assert order(table) == ["c", "b", "a"]
        go_to(table, "openai/b")
        await pilot.press("S")
        await settle(pilot)
        assert order(table) == ["a", "b", "c"] and table.selected_key == "openai\0b"
        await pilot.click("#group-table", offset=(3, 0))
        await settle(pilot)
        assert order(table) == ["a", "b", "c"] and "model ▼" in screen_text(pilot)
        await pilot.click("#group-table", offset=(3, 0))
        await settle(pilot)
        assert order(table) == ["c", "b", "a"]
        await pilot.press("s")
        await settle(pilot)
        assert order(table) == ["b", "a", "c"] and "calls ▼" in screen_text(pilot)
        assert table.selected_key == "openai\0b"


async def test_periods_by_key_mouse_list_and_days_of_ones_own(workstation: Workstation, ledger: PromptLedger) -> None:
    """The brackets, a click, the list and written days change the period; days that are none are refused where they stand."""
    spend(ledger, [call(0), call(1, 40), call(2, 400)])
    async with workstation("costs") as pilot:
        place = pilot.app.screen
        await pilot.press("right_square_bracket")
        await settle(pilot)
        assert place.wish.period == "90 d" and "2 calls" in screen_text(pilot)
        await pilot.click("#period", offset=(2, 0))
        await settle(pilot)
        assert place.wish.period == "Today" and place.look.question.selection.days == 1
        await pilot.press("d", "end", "enter")
        await settle(pilot)
        field = pilot.app.screen.query_one(Input)
        field.value = "2026-02-30.."
        await pilot.press("enter")
        await settle(pilot)
        assert "is no day" in screen_text(pilot)
        field.value = f"{today() - timedelta(400)}..{today() - timedelta(40)}"
        await pilot.press("enter")
        await settle(pilot)
        assert place.wish.period == "Custom" and "361 days" in screen_text(pilot) and "2 calls" in screen_text(pilot)
        assert len(place.query_one(SpendPlot).plot.bars) < 361


async def test_this_period_stands_beside_the_last(workstation: Workstation, ledger: PromptLedger) -> None:
    """A group's cost is set beside as many days before, in the table, the totals and, in words, the detail."""
    spend(ledger, [call(0), call(1), call(2, 8), call(3, model="fresh"), call(4, 9, model="gone")])
    async with workstation("costs", (200, 60)) as pilot:
        await pilot.press("left_square_bracket")
        await settle(pilot)
        table = groups(pilot)
        assert cells(table, "openai/gpt-x")["delta"] == "▲ 100 %"
        assert cells(table, "openai/fresh")["delta"] == "new"
        assert "$1.50 ▲ 50 % · 3 calls ▲ 50 %" in screen_text(pilot)
        go_to(table, "openai/gpt-x")
        await settle(pilot)
        line = next(line for line in screen_text(pilot).splitlines() if "cost  " in line and "more" in line)
        assert "$1.00" in line and "$0.5000" in line and "▲ 100 % more" in line


async def test_words_and_terms_narrow(workstation: Workstation, ledger: PromptLedger) -> None:
    """Words leave rows, terms limit what everything counts, n takes the row's own; what is no term is told beside the field."""
    spend(ledger, [call(0), call(1, model="other", environment="prod"), call(2, model="other")])
    async with workstation("costs") as pilot:
        table, place = groups(pilot), pilot.app.screen
        await pilot.press("slash", *"OTH")
        await settle(pilot)
        assert [key.value for key in table.rows] == ["openai\0other"] and "3 calls" in screen_text(pilot)
        await pilot.press("escape")
        await until(lambda: table.has_focus and table.row_count == 2, pilot)
        await pilot.press("slash", *"env:prod", "enter")
        await until(lambda: "1 call ·" in screen_text(pilot), pilot)
        assert table.has_focus and table.row_count == 1
        await pilot.press("slash", *" cost:3", "enter")
        await settle(pilot)
        assert "costs are not limited by cost:" in screen_text(pilot) and place.look.total.calls == 1
        await pilot.press("slash", "escape")
        await until(lambda: table.row_count == 2, pilot)
        go_to(table, "openai/other")
        await pilot.press("n")
        await until(lambda: place.look.total.calls == 2, pilot)
        assert "provider:openai model:other" in screen_text(pilot)


async def test_an_environment_is_chosen_from_those_there_are(workstation: Workstation, ledger: PromptLedger) -> None:
    """v lists the environments of the period; all figures then count only its calls."""
    spend(ledger, [call(0), call(1, environment="prod"), call(2, environment="prod")])
    async with workstation("costs") as pilot:
        place = pilot.app.screen
        await until(lambda: place.more.environments, pilot)
        await pilot.press("v", "home", "down", "enter")
        await until(lambda: place.look.total.calls == (2 if place.wish.environment == "prod" else 1), pilot)
        assert f"env {place.wish.environment}" in screen_text(pilot) and place.wish.environment in ("prod", "dev")


async def test_the_receipt_key_shows_what_a_row_is_made_of(workstation: Workstation, ledger: PromptLedger) -> None:
    """$ on a group shows its calls by model to the nano-dollar, with the unpriced counted."""
    spend(ledger)
    async with workstation("costs") as pilot:
        await pilot.press("g")
        await settle(pilot)
        await pilot.press("dollar_sign")
        await until(lambda: isinstance(pilot.app.screen, SumDialog), pilot)
        await settle(pilot)
        shown = screen_text(pilot)
        assert "openai/gpt-x" in shown and "openai/own" in shown
        assert (
            "$2.000000000 in 3 calls, ⚠ 1 of them unpriced" in shown or "$2 in 3 calls, ⚠ 1 of them unpriced" in shown
        )


async def test_unpriced_calls_are_one_key_from_being_priced(workstation: Workstation, ledger: PromptLedger) -> None:
    """p opens the price form with the model filled in; the price entered, the calls are priced once that is confirmed."""
    spend(ledger)
    async with workstation("costs") as pilot:
        await pilot.press("p")
        await until(lambda: isinstance(pilot.app.screen, PriceForm), pilot)
        form = pilot.app.screen
        assert form.query_one("#price-model", Input).value == "openai/own"
        form.query_one("#price-input", Input).value = "10"
        form.query_one("#price-output", Input).value = "20"
        form.query_one("#price-from", Input).value = (today() - timedelta(3)).isoformat()
        await pilot.press("enter")
        await until(lambda: "would be charged" in screen_text(pilot), pilot)
        await pilot.press("y")
        await until(lambda: isinstance(pilot.app.screen, PriceBookPage), pilot)
        await until(lambda: "every call has a price" in screen_text(pilot), pilot)
        await pilot.press("escape")
        await until(lambda: pilot.app.screen.look.total.unpriced == 0, pilot)
        assert ledger.analytics.totals(ledger.analytics.last_days()).cost_nusd == 2_000_000_000 + 1_400_000


async def test_other_prices_begin_with_the_row(workstation: Workstation, ledger: PromptLedger) -> None:
    """w opens what-if over just the calls under the cursor."""
    spend(ledger)
    async with workstation("costs") as pilot:
        go_to(groups(pilot), "openai/own")
        await pilot.press("w")
        await until(lambda: isinstance(pilot.app.screen, WhatIfPage), pilot)
        text = pilot.app.screen.query_one("#what-filter", Input).value
        assert "model:own" in text and [row.trace_id for row in ledger.traces.page(text).rows] == ["t2"]


async def test_a_call_that_ends_shows_by_itself(workstation: Workstation, ledger: PromptLedger) -> None:
    """What ends meanwhile is counted without a key; cursor and focus stay."""
    spend(ledger, [call(0, model="a"), call(1, model="b")])
    async with workstation("costs") as pilot:
        table = groups(pilot)
        go_to(table, "openai/b")
        ledger.traces.record([call(2, model="c", cost_nusd=9_000_000_000)])
        await until(lambda: "3 calls" in screen_text(pilot), pilot, "the new call")
        assert table.selected_key == "openai\0b" and table.has_focus


async def test_nothing_spent_says_what_to_press(workstation: Workstation, ledger: PromptLedger) -> None:
    """An empty ledger says what will be here, an empty period how to look further, and both which key runs something."""
    async with workstation("costs", (80, 24)) as pilot:
        await until(lambda: "No call to a model yet" in screen_text(pilot), pilot)
        assert "f3" in screen_text(pilot)
        ledger.traces.record([call(0, 60)])
        await until(lambda: "No call to a model in this period" in screen_text(pilot), pilot)
        await pilot.press("right_square_bracket")
        await until(lambda: "1 call ·" in screen_text(pilot), pilot)


@pytest.mark.parametrize("size", SIZES)
async def test_every_pane_can_be_reached(workstation: Workstation, ledger: PromptLedger, size: tuple[int, int]) -> None:
    """t goes through what shares room; nothing is cut off at the right."""
    spend(ledger)
    async with workstation("costs", size) as pilot:
        seen = set()
        for _ in range(3):
            for name in ("plot", "day-table", "detail", "group-table"):
                if pilot.app.screen.query_one(f"#{name}").region.area:
                    seen.add(name)
            await pilot.press("t")
            await settle(pilot)
        assert seen == {"plot", "day-table", "detail", "group-table"}
        assert groups(pilot).max_scroll_x == 0


async def test_a_narrow_terminal_shows_every_figure(workstation: Workstation, ledger: PromptLedger) -> None:
    """In 80 columns a long name of a model is cut, never a number."""
    name = "a-very-long-name-of-a-model-that-someone-tuned-for-one-purpose"
    tokens = TokenUsage(input=123_456, output=98_765)
    spend(ledger, [call(0, provider="openrouter", **OWN | {"model": name, "status": "failed", "tokens": tokens})])
    async with workstation("costs", (80, 24)) as pilot:
        row = cells(groups(pilot), f"openrouter/{name}")
        assert row["name"].endswith("…") and row["name"].startswith("openrouter/a-very")
        assert row["failed"] == "✗ 100 %" and row["unpriced"] == "+1 ?" and row["calls"] == "1"
        assert groups(pilot).max_scroll_x == 0
        await pilot.press("t", "t")
        await settle(pilot)
        pilot.app.screen.query_one("#detail").scroll_end(animate=False)
        await settle(pilot)
        assert measure.count(123_456) in screen_text(pilot)


async def test_hostile_names_stay_text(workstation: Workstation, ledger: PromptLedger) -> None:
    """Names with markup and escape sequences are shown as plain text in table, title and detail."""
    spend(ledger, [call(0, model="[red]x[/]\x1b[31m", user_identifier="[bold]\x07")])
    async with workstation("costs", (200, 60)) as pilot:
        shown = screen_text(pilot)
        assert "[red]x[/]" in shown and "\x1b" not in shown and "\x07" not in shown


async def test_code_and_copy_say_what_is_shown(workstation: Workstation, ledger: PromptLedger) -> None:
    """f8 asks the same question in Python and in the shell; y copies the rows with nothing for what is unknown."""
    spend(ledger)
    async with workstation("costs") as pilot:
        place = pilot.app.screen
        code = place.code_subject()
        assert code is not None and f"--by day,model --from {today() - timedelta(29)} --until {today()}" in code.cli
        printed: list[tuple[object, ...]] = []
        python = code.python.replace("PromptLedger() as", "opened as")
        exec(python, {"opened": nullcontext(ledger), "print": lambda *words: printed.append(words)})
        assert {words[0] for words in printed} == {"openai/gpt-x", "openai/own"}
        text = place.copy_source()
        assert text is not None and "openai/own\t1\t1\t0\t100\t20\t0\t1" in text


async def test_many_groups_are_found_by_words_and_by_sorting(workstation: Workstation, ledger: PromptLedger) -> None:
    """A table holds the first hundred groups and says so; a word finds one that is further down."""
    spend(ledger, [call(number, session_id=f"session-{number}", cost_nusd=number) for number in range(130)])
    async with workstation("costs") as pilot:
        await pilot.press("G")
        await settle(pilot)
        assert groups(pilot).row_count == 100 and "100 of 130 sessions, first by cost" in screen_text(pilot)
        await pilot.press("slash", *"session-7 ", "enter")
        await until(lambda: groups(pilot).row_count == 11, pilot)
        assert "11 of 130 sessions" in screen_text(pilot)


async def test_another_theme_colours_the_tables_anew(workstation: Workstation, ledger: PromptLedger) -> None:
    """Cells take the colours of the theme that is on."""
    spend(ledger)
    async with workstation("costs", (200, 60)) as pilot:
        table = groups(pilot)

        def colour() -> str:
            return str(table.get_row("openai\0own")[table.keys.index("unpriced")].style)

        before = colour()
        pilot.app.theme = "ledger-light"
        await until(lambda: colour() != before, pilot, "the other colour")


async def test_what_stands_out_is_marked_with_the_numbers_behind(
    workstation: Workstation, ledger: PromptLedger
) -> None:
    """A day with unusual failures is marked in plot, tables and detail, which says the value, the usual one and the limit."""
    usual = [call(100 * ago + number, ago) for ago in range(1, 11) for number in range(25)]
    bad = [call(number, status="failed" if number < 15 else "succeeded") for number in range(25)]
    spend(ledger, [*usual, *bad])
    async with workstation("costs", (200, 60)) as pilot:
        place, table = pilot.app.screen, groups(pilot)
        await until(lambda: place.more.spikes, pilot, "what stands out")
        await settle(pilot)
        assert cells(table, "openai/gpt-x")["name"] == "⚠ openai/gpt-x"
        assert "⚠" in cells(place.query_one("#day-table", CostTable), today().isoformat())["name"]
        assert "⚠" in place.query_one(SpendPlot).render().plain.splitlines()[-2]
        told = " ".join(screen_text(pilot).replace("│", " ").split())
        assert "⚠ Error rate 60.0 % on" in told and "usually 0 %" in told and "marked from" in told


async def test_the_mouse_leads_to_prices_and_what_if(workstation: Workstation, ledger: PromptLedger) -> None:
    """Where there is room, buttons open the price book and what-if."""
    spend(ledger)
    async with workstation("costs") as pilot:
        for name, page in (("price_book", PriceBookPage), ("what_if", WhatIfPage)):
            button = next(button for button in pilot.app.screen.query(Button) if button.name == name)
            await pilot.click(button)
            await until(lambda page=page: isinstance(pilot.app.screen, page), pilot, name)
            await settle(pilot)
            await pilot.press("escape")
            await until(lambda: pilot.app.screen.PLACE == "costs" and pilot.app.screen.query("#plot"), pilot)
