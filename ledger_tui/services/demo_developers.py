"""The demo's prompts for the people who build: documents, code, agents."""

from __future__ import annotations

from ledger_tui.services.demo_prompts import ANNA, BEN, FAST, MEI, SMART, TOM, DemoPrompt, Edit

RELEASE_NOTES = DemoPrompt(
    "docs/release-notes",
    "Release notes for users from a list of commits",
    "Developer experience",
    ("docs", "markdown"),
    (("user", "Write release notes for version {{ version }} from these commits:\n\n{{ commits }}"),),
    (
        Edit(52, TOM, "First draft", model=FAST, params={"temperature": 0.4}),
        Edit(
            39,
            TOM,
            "Sections",
            (("from these commits:", "with the sections Added, Changed and Fixed, from these commits:"),),
        ),
        Edit(
            25,
            ANNA,
            "Users do not care about refactoring",
            (("these commits:", "these commits. Leave out what users cannot notice (refactoring, tests, CI):"),),
        ),
        Edit(
            6,
            TOM,
            "Loop over commits",
            (("{{ commits }}", "{% for c in commits %}- {{ c.hash }} {{ c.subject }}\n{% endfor %}"),),
            model="openai/gpt-4.1",
        ),
    ),
    {"production": 4},
)

TRANSLATE = DemoPrompt(
    "docs/translate",
    "Translates help articles and keeps code and links as they are",
    "Developer experience",
    ("docs", "i18n"),
    (
        ("system", "You translate help articles into {{ language }}. Code, links and product names stay as they are."),
        ("user", "{{ text }}"),
    ),
    (
        Edit(31, MEI, "First draft", model=FAST, params={"temperature": 0.2}),
        Edit(
            11,
            MEI,
            "Form of address",
            (("stay as they are.", "stay as they are.\nForm of address: {{ address | default('polite') }}."),),
        ),
    ),
    {"production": 2},
    {
        "Japanese": {
            "language": "Japanese",
            "text": "Press **Start** and wait for the green light.",
            "address": "polite",
        }
    },
)

REVIEW = DemoPrompt(
    "code/review",
    "Reviews one file of a change, most serious finding first",
    "Developer experience",
    ("code", "markdown"),
    (
        ("system", "You are an experienced {{ language }} reviewer."),
        ("user", "Review this change of {{ path }}:\n\n```diff\n{{ diff }}\n```"),
    ),
    (
        Edit(37, BEN, "First draft", model=SMART, params={"temperature": 0.2, "max_tokens": 2000}),
        Edit(
            21,
            BEN,
            "Fewer nits",
            (("reviewer.", "reviewer. Report bugs, races and security problems. Leave style to the formatter."),),
        ),
        Edit(
            5,
            TOM,
            "Severity first",
            (
                (
                    "Review this change",
                    "List findings as `severity · line · problem · fix`, or write LGTM.\n\nReview this change",
                ),
            ),
        ),
    ),
    {"production": 3, "staging": 3},
)

COMMIT = DemoPrompt(
    "code/commit-message",
    "One imperative line and a reason from a staged diff",
    "Developer experience",
    ("code",),
    (("user", "Write a commit message for:\n\n{{ diff }}"),),
    (
        Edit(29, TOM, "First draft", model="ollama/llama3.1:8b", params={"temperature": 0.2}),
        Edit(
            14,
            TOM,
            "50 characters",
            (("a commit message", "a commit message (subject of at most 50 characters, then why)"),),
        ),
    ),
    {"production": 2},
)

PLANNER = DemoPrompt(
    "agents/planner",
    "Breaks a task into steps for the tools at hand",
    "Agents",
    ("agent", "json"),
    (
        (
            "system",
            "You plan. Tools: {% for tool in tools %}{{ tool }}{% if not loop.last %}, {% endif %}{% endfor %}.",
        ),
        ("user", "{{ task }}"),
    ),
    (
        Edit(40, BEN, "First draft", model=SMART, params={"temperature": 0.3}),
        Edit(
            18, BEN, "Steps as JSON", (("You plan.", 'You plan. Answer with a JSON list of {"tool", "input", "why"}.'),)
        ),
        Edit(7, MEI, "At most six steps", (("You plan.", "You plan with as few steps as you can, six at most."),)),
    ),
    {"production": 2, "staging": 3},
    active=2,
)

HAIKU = DemoPrompt(
    "experiments/haiku-status",
    "The weekly status as a haiku (nobody used it)",
    "Agents",
    ("fun",),
    (("user", "Write the status of this week as a haiku:\n\n{{ status }}"),),
    (Edit(45, TOM, "For the Friday meeting", model="offline"),),
    archived=True,
)

PROMPTS: tuple[DemoPrompt, ...] = (RELEASE_NOTES, TRANSLATE, REVIEW, COMMIT, PLANNER, HAIKU)
