"""The demo's two hundred traces: the workflows of a small company over two weeks, with what goes wrong in them."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from ledger_tui.domain.values import SpanRecord
from ledger_tui.services import demo_texts as texts
from ledger_tui.services.demo_story import Failed, Story, World

DAY_US = 86_400_000_000
WORKFLOWS: tuple[tuple[str, int], ...] = (
    ("support", 68),
    ("handbook", 56),
    ("review", 26),
    ("welcome", 16),
    ("translate", 14),
    ("notes", 8),
    ("evaluation", 2),
)
"""How many traces of each workflow; the demo's runs make up the rest of the two hundred."""


def traces(world: World, now_us: int) -> list[list[SpanRecord]]:
    """The spans of every trace, oldest trace first."""
    rng = world.rng
    names = [name for name, count in WORKFLOWS for _ in range(count)]
    rng.shuffle(names)
    starts = sorted(_moment(rng, now_us) for _ in names)
    made: list[list[SpanRecord]] = []
    counts: dict[str, int] = {}
    for name, start_us in zip(names, starts, strict=True):
        counts[name] = counts.get(name, 0) + 1
        story = Story(world, f"{name}-{rng.getrandbits(40):010x}", start_us, **_where(rng, name))
        try:
            _WORKFLOWS[name](story, counts[name])
        except Failed:
            pass
        made.append(story.spans)
    _oddities(made, now_us)
    return made


def _moment(rng: random.Random, now_us: int) -> int:
    """A moment of the last two weeks, mostly in working hours and more often lately."""
    day = int(14 * rng.random() ** 1.4)
    hour = min(23.5, max(0.2, rng.gauss(13, 3.2)))
    moment = now_us - now_us % DAY_US - day * DAY_US + int(hour * 3_600_000_000)
    return moment if moment < now_us - 120_000_000 else now_us - int(rng.uniform(0.05, 9) * 3_600_000_000)


def _where(rng: random.Random, name: str) -> dict[str, Any]:
    environment = rng.choices(["production", "staging", "dev"], [7, 2, 1])[0]
    if name in ("review", "notes", "evaluation"):
        environment = "ci"
    where: dict[str, Any] = {"environment": environment}
    if name in ("support", "handbook"):
        where |= {"session_id": f"s-{rng.randint(100, 180)}", "user_identifier": f"user-{rng.randint(1, 40):03d}"}
    return where


def _support(story: Story, number: int) -> None:
    rng = story.rng
    ticket = rng.choice(texts.TICKETS)
    mail = {"subject": ticket.subject, "body": ticket.body, "from": ticket.customer}
    sorted_as = json.dumps({"category": ticket.category, "urgency": ticket.urgency, "needs_human": ticket.needs_human})
    with story.inside("support-agent", "agent", input=mail, output=ticket.reply, agent="support-agent"):
        story.step("pii_filter", "guardrail", (6, 20), input=ticket.body, output={"found": [], "passed": True})
        facts = {"company": texts.COMPANY, "subject": ticket.subject, "body": ticket.body}
        if number % 11 == 0:
            story.call("support/triage", facts, "", error_type="rate_limit", error=texts.ERRORS["rate_limit"])
            story.step("wait", "other", (1_150, 1_300), attributes={"seconds": 1.2})
        story.call("support/triage", facts, sorted_as, context=(180, 420), cached=0.6)
        with story.inside("look_up", "chain"):
            story.together(lambda: _order(story, ticket.customer, number), lambda: _articles(story, ticket))
        if ticket.needs_human:
            talk = {"conversation": ticket.body, "tier": "plus"}
            story.call(
                "support/escalation-summary", talk, f"- {ticket.customer}: {ticket.subject}\n- hand over to billing"
            )
            story.step(
                "hand_over",
                "tool",
                (90, 240),
                input={"queue": "billing"},
                output={"ticket": f"T-{rng.randint(8000, 9999)}"},
            )
        _draft(story, ticket, number)
        story.step(
            "send_reply",
            "tool",
            (120, 400),
            input={"to": ticket.customer},
            output={"sent": True, "id": f"m-{rng.getrandbits(24):06x}"},
        )


def _order(story: Story, customer: str, number: int) -> None:
    asked = {"customer": customer, "limit": 1}
    if number % 17 == 5:
        story.fail("shop.orders", "tool", (80, 160), "tool_error", texts.ERRORS["tool"], input=asked)
    story.step("shop.orders", "tool", (60, 380), input=asked, output=texts.order_json(story.rng, customer))


def _articles(story: Story, ticket: texts.Ticket) -> None:
    found = [{"title": ticket.subject, "text": ticket.article, "score": round(story.rng.uniform(0.71, 0.94), 3)}]
    with story.inside("help_center", "retrieval", input=ticket.body, output=found):
        story.step(
            "embed",
            "embedding",
            (18, 60),
            input=ticket.body,
            attributes={"encoder": "bge-small-en-v1.5", "dimensions": 384},
        )
        story.step("vector_search", "tool", (9, 40), input={"top_k": 4}, output=found)


def _draft(story: Story, ticket: texts.Ticket, number: int) -> None:
    facts = {
        "company": texts.COMPANY,
        "customer": ticket.customer,
        "body": ticket.body,
        "articles": [{"title": ticket.subject, "text": ticket.article}],
        "language": ticket.language,
    }
    if number % 23 == 7:
        story.call("support/reply", facts, "", error_type="timeout", error=texts.ERRORS["timeout"])
        raise Failed("support/reply: " + texts.ERRORS["timeout"])
    # Staging tries a model of one's own, which no price book knows.
    own = "vllm/qwen3-32b" if story.where["environment"] == "staging" and number % 2 else ""
    story.call("support/reply", facts, ticket.reply, model=own, context=(900, 2_600), cached=0.7)


def _handbook(story: Story, number: int) -> None:
    rng = story.rng
    question = rng.choice(texts.QUESTIONS)
    passages = [{"text": text, "source": source} for text, source in question.passages]
    with story.inside("handbook-question", "chain", input={"question": question.text}, output=question.answer):
        asked = {"question": question.text, "history": []}
        story.call("rag/rewrite-query", asked, str(list(question.queries)).replace("'", '"'), context=(60, 160))
        with story.inside("retrieve", "retrieval", input=list(question.queries), output=passages):
            searches = [lambda query=query: _search(story, query, passages) for query in question.queries]
            story.together(*searches)
            story.step("rerank", "tool", (30, 90), input={"candidates": 12}, output={"kept": len(passages)})
        if number % 19 == 4:
            story.call(
                "rag/answer",
                {"question": question.text, "passages": passages},
                "",
                error_type="unavailable",
                error=texts.ERRORS["unavailable"],
            )
            raise Failed("rag/answer: " + texts.ERRORS["unavailable"])
        story.call(
            "rag/answer",
            {"question": question.text, "passages": passages},
            question.answer,
            context=(1_200, 3_800),
            cached=0.5,
        )
        checked = {"sources": "\n".join(text for text, _ in question.passages), "answer": question.answer}
        verdict = '{"grounded": true, "unsupported": []}'
        if not question.grounded:
            verdict = '{"grounded": false, "unsupported": ["Dogs are welcome in Lisbon on Fridays"]}'
        story.call(
            "rag/grounding-check", checked, verdict, context=(80, 200), name="grounding_guardrail", kind="guardrail"
        )
        if not question.grounded:
            story.fail("refuse_ungrounded", "guardrail", (1, 3), "guardrail", texts.ERRORS["guardrail"], input=verdict)


def _search(story: Story, query: str, passages: Sequence[dict[str, str]]) -> None:
    with story.inside(f"search: {query}", "retrieval", input=query):
        story.step(
            "embed", "embedding", (15, 50), input=query, attributes={"encoder": "bge-small-en-v1.5", "dimensions": 384}
        )
        hits = [{"source": p["source"], "score": round(story.rng.uniform(0.55, 0.93), 3)} for p in passages]
        story.step("vector_search", "tool", (8, 45), input={"query": query, "top_k": 4}, output=hits)


def _review(story: Story, number: int) -> None:
    rng = story.rng
    changes = rng.sample(texts.CHANGES, rng.randint(2, 4))
    with story.inside("code-review", "agent", input={"pull_request": rng.randint(300, 480)}, agent="reviewer"):
        task = {"task": f"Review {len(changes)} files", "tools": ["git.diff", "review_file", "comment"]}
        plan = '[{"tool": "git.diff", "input": "HEAD~1", "why": "see what changed"}]'
        story.call("agents/planner", task, plan, context=(600, 1_500), cached=0.8)
        story.step("git.diff", "tool", (20, 90), input={"base": "main"}, output={"files": [c.path for c in changes]})
        with story.inside("review_files", "chain"):
            story.together(*(lambda change=change: _review_file(story, change) for change in changes))
        if number % 13 == 6:
            story.fail(
                "github.comment", "tool", (300, 600), "tool_error", "403: Resource not accessible by integration"
            )
        story.step("github.comment", "tool", (180, 500), output={"comments": len(changes)})


def _review_file(story: Story, change: texts.Change) -> None:
    with story.inside(change.path, "chain"):
        facts = {"path": change.path, "language": change.language, "diff": change.diff}
        story.call("code/review", facts, change.review, context=(1_500, 6_000), cached=0.4)


def _welcome(story: Story, number: int) -> None:
    name, mail = story.rng.choice(texts.WELCOMES)
    story.call("marketing/welcome-email", {"name": name, "company": texts.COMPANY}, mail, context=(20, 60))


def _translate(story: Story, number: int) -> None:
    language, source, target = texts.TRANSLATIONS[number % len(texts.TRANSLATIONS)]
    with story.inside("translate-article", "chain", input=source, output=target):
        facts = {"language": language, "text": source, "address": "polite"}
        # The cheap model of one's own goes first; nobody prices it.
        if number % 3 == 0:
            story.call(
                "docs/translate", facts, target, model="ollama/llama3.1:8b", name="first draft", context=(10, 40)
            )
        story.call("docs/translate", facts, target, context=(40, 120))
        story.step(
            "check_links",
            "guardrail",
            (3, 12),
            input=target,
            output={"links": 0, "code_spans": target.count("`") // 2, "passed": True},
        )


def _notes(story: Story, number: int) -> None:
    with story.inside("release-notes", "chain", output=texts.NOTES):
        story.step("github.list_commits", "tool", (200, 700), input={"since": "8.3.0"}, output=list(texts.COMMITS))
        story.call("docs/release-notes", {"version": f"8.3.{number}", "commits": list(texts.COMMITS)}, texts.NOTES)


def _evaluation(story: Story, number: int) -> None:
    """A nightly evaluation: one trace of exactly 400 spans, and a short one."""
    cases = 133 if number == 1 else 6
    with story.inside("nightly-evaluation", "agent", input={"suite": "handbook", "cases": cases}, agent="evaluator"):
        for case in range(cases):
            question = texts.QUESTIONS[case % len(texts.QUESTIONS)]
            passages = [{"text": text, "source": source} for text, source in question.passages]
            with story.inside(f"case {case + 1:03d}", "chain", input=question.text):
                story.call(
                    "rag/answer",
                    {"question": question.text, "passages": passages},
                    question.answer,
                    context=(300, 700),
                    cached=0.5,
                )
                wrong = not question.grounded
                story.step(
                    "score",
                    "guardrail",
                    (1, 4),
                    output={"passed": not wrong, "similarity": round(story.rng.uniform(0.62, 0.99), 3)},
                )


_WORKFLOWS: dict[str, Callable[[Story, int], None]] = {
    "support": _support,
    "handbook": _handbook,
    "review": _review,
    "welcome": _welcome,
    "translate": _translate,
    "notes": _notes,
    "evaluation": _evaluation,
}


def _oddities(made: list[list[SpanRecord]], now_us: int) -> None:
    """Three cancelled traces, one whose middle step was never recorded, and one that is still running."""
    by_name: dict[str, list[int]] = {}
    for place, spans in enumerate(made):
        by_name.setdefault(spans[0].name, []).append(place)
    for place in by_name["marketing/welcome-email"][-3:]:
        spans = made[place]
        half = (spans[-1].output or "")[:60]
        made[place] = [*spans[:-1], replace(spans[-1], status="canceled", output=half, error_type="canceled")]
    lost = by_name["code-review"][-2]
    made[lost] = [span for span in made[lost] if span.name != "review_files"]
    running = by_name["support-agent"][-1]
    made[running] = _still_running(made[running], now_us)


def _still_running(spans: list[SpanRecord], now_us: int) -> list[SpanRecord]:
    """The first half of a trace, moved to half a minute ago, with its agent still open."""
    shift = now_us - 25_000_000 - spans[0].started_us
    kept = [replace(span, started_us=span.started_us + shift) for span in spans[: max(4, len(spans) // 2)]]
    opened = {kept[0].span_id} | {span.parent_span_id for span in kept[-1:]}
    return [
        replace(span, status="running", duration_us=None, output=None, error=None, error_type=None)
        if span.span_id in opened
        else span
        for span in kept
    ]
