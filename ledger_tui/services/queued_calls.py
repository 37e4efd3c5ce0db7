"""What a queued call is between its submission and its end: a plan that outlives the process that made it."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ledger_tui.domain import clock
from ledger_tui.domain.calls import ChatMessage, ModelName
from ledger_tui.domain.content import PromptContent, canonical_json
from ledger_tui.errors import BudgetExceeded, InputError
from ledger_tui.services import run_record
from ledger_tui.services.recovery import WITHHELD
from ledger_tui.services.run_record import RunPlan, Turn
from ledger_tui.services.run_values import RunRequest
from ledger_tui.store import budgets, queue, telemetry, unfinished
from ledger_tui.store.unfinished import Ending

if TYPE_CHECKING:
    from ledger_tui.errors import ProviderError
    from ledger_tui.store.database import Database
    from ledger_tui.store.lean import Lean

log = logging.getLogger("ledger_tui")


@dataclass(frozen=True, slots=True)
class Job:
    """A claimed call: everything that is needed to make it once."""

    plan: RunPlan
    claimed_by: str
    attempt: int
    """1 for the first."""
    span_key: int
    span_started_us: int
    waited_us: int
    """From its submission to its first attempt."""
    tries: tuple[Mapping[str, Any], ...]
    """What the attempts before came to, as its span tells it."""

    @property
    def turn(self) -> Turn:
        """This attempt, for storing its end."""
        attributes: dict[str, Any] = {"mode": "async", "queue_wait_ms": self.waited_us / 1000}
        if self.tries:
            attributes["tries"] = list(self.tries)
        return Turn(self.claimed_by, self.attempt, self.span_started_us, attributes)


@dataclass(frozen=True, slots=True)
class Try:
    """An attempt that failed in passing."""

    attempt: int
    failure: ProviderError
    wait_s: float

    def told(self) -> dict[str, Any]:
        """As the span's attributes tell it."""
        kind = self.failure.error_type
        return {"attempt": self.attempt, "error_type": kind, "error": self.failure.title, "waits_s": self.wait_s}

    def columns(self) -> dict[str, Any]:
        """The execution's error until another attempt ends."""
        words = ": ".join(part for part in (self.failure.title, self.failure.cause) if part)
        return {"error_type": self.failure.error_type, "error": words}


def enqueue(database: Database, plan: RunPlan, waits_for: str | None) -> None:
    """Store a planned call as queued, for one worker or for any (None); raises KeyTaken, InputError for wrong ids."""
    run_record.span_record(plan, None)
    now_us = clock.now_us()
    columns = {
        "status": "queued",
        "mode": "async",
        "attempts": 0,
        "claimed_by": waits_for,
        "claimed_us": None,
        "not_before_us": now_us,
        "request": canonical_json(
            {"span": plan.place} if plan.is_private else {"call": _call(plan), "span": plan.place}
        ),
    }
    with database.lean_write() as lean:
        run_record.begin_call(lean, plan, columns)


def begin(database: Database, execution_id: str, claimed_by: str, private: RunPlan | None) -> Job | None:
    """Start or go on with the span of a claimed call; None when it cannot be made and has ended for that reason."""
    try:
        with database.lean_write() as lean:
            found = queue.call(lean, execution_id)
            if found is None:
                return None
            place = json.loads(found["request"])
            if private is None and "call" not in place:
                unfinished.end(lean, execution_id, clock.now_us(), WITHHELD)
                return None
            plan = private or _restored(found, place)
            try:
                budgets.admit_queued(lean, execution_id, plan.request.prompt_name, plan.environment, clock.now_us())
            except BudgetExceeded as refusal:
                unfinished.end(lean, execution_id, clock.now_us(), Ending("failed", "budget", str(refusal)))
                return None
            return _begun(lean, plan, place, found, claimed_by)
    except (ValueError, KeyError, TypeError, InputError) as error:
        log.warning("the queued call %s cannot be made: %s", execution_id, error)
        with database.lean_write() as lean:
            words = f"what was queued cannot be read: {type(error).__name__}"
            unfinished.end(lean, execution_id, clock.now_us(), Ending("failed", "unreadable", words))
        return None


def put_back(database: Database, job: Job, waits_for: str | None, not_before_us: int, failed: Try | None) -> bool:
    """Let a claimed call wait again, and let its span tell why; False when it is not this worker's any more."""
    execution_id, claim = job.plan.execution_id, (job.claimed_by, job.attempt)
    with database.lean_write() as lean:
        columns = failed.columns() if failed else {}
        done = queue.put_back(
            lean, execution_id, claim, waits_for=waits_for, not_before_us=not_before_us, columns=columns
        )
        if done and failed:
            request = queue.request_of(lean, execution_id)
            tries = [*job.tries, failed.told()]
            queue.set_columns(lean, execution_id, {"request": canonical_json({**request, "tries": tries})})
            prompt_id = telemetry.prompt_of_execution(lean, execution_id)
            attributes = {**run_record.span_record(job.plan, prompt_id).attributes, **job.turn.attributes}
            queue.tell_span(lean, job.span_key, json.dumps({**attributes, "tries": tries}, ensure_ascii=False))
        return done


def _call(plan: RunPlan) -> dict[str, Any]:
    request = plan.request
    call: dict[str, Any] = {
        "span_name": request.span_name,
        "span_kind": request.span_kind,
        "parent_span_id": request.parent_span_id,
        "tools": list(request.content.tools),
        "response_schema": request.content.response_schema,
    }
    messages = run_record.stored_messages(plan.messages, 2**62)
    if messages != plan.stored_messages:
        call["messages"] = [{"role": message.role, "text": message.text} for message in plan.messages]
    return {name: value for name, value in call.items() if value}


def _restored(found: Mapping[str, Any], place: Mapping[str, Any]) -> RunPlan:
    """The plan that a row tells, as it was made."""
    call, params = place["call"], json.loads(found["params"])
    messages = call.get("messages") or json.loads(found["messages"])
    return RunPlan(
        request=RunRequest(
            content=PromptContent(tools=tuple(call.get("tools", ())), response_schema=call.get("response_schema")),
            model=f"{found['provider']}/{found['model']}",
            variables=json.loads(found["parameters"]),
            prompt_name=found["prompt_name"],
            version_id=found["version_id"],
            parent_span_id=call.get("parent_span_id"),
            span_name=call.get("span_name"),
            span_kind=call.get("span_kind", "llm"),
            session_id=found["session_id"],
            user_identifier=found["user_identifier"],
            metadata=json.loads(found["metadata"]),
            source=found["source"],
        ),
        model=ModelName(found["provider"], found["model"]),
        messages=tuple(ChatMessage(message["role"], message["text"]) for message in messages),
        stored_messages=found["messages"],
        params=params,
        sent_params=params,
        environment=found["environment"],
        usage_id=found["usage_id"],
        execution_id=found["id"],
        trace_id=place["span"]["trace_id"],
        span_id=place["span"]["span_id"],
        started_us=clock.now_us(),
        claimed_by="",
    )


def _begun(lean: Lean, plan: RunPlan, request: dict[str, Any], found: Mapping[str, Any], claimed_by: str) -> Job:
    """The job of a claimed row; its span starts with the first attempt."""
    now_us = clock.now_us()
    begun = request.get("started")
    if begun is None:
        plan = replace(plan, started_us=now_us)
        waited_us = max(0, now_us - found["created_us"])
        prompt_id = telemetry.prompt_of_execution(lean, plan.execution_id)
        record = run_record.span_record(plan, prompt_id)
        attributes = {**record.attributes, "mode": "async", "queue_wait_ms": waited_us / 1000}
        key = telemetry.write_spans(lean, [replace(record, attributes=attributes)])[0]
        begun = {"key": key, "started_us": now_us, "waited_us": waited_us}
        queue.set_columns(lean, plan.execution_id, {"request": canonical_json({**request, "started": begun})})
    plan = replace(plan, started_us=begun["started_us"])
    return Job(
        plan=plan,
        claimed_by=claimed_by,
        attempt=found["attempts"],
        span_key=begun["key"],
        span_started_us=begun["started_us"],
        waited_us=begun["waited_us"],
        tries=tuple(request.get("tries", ())),
    )
