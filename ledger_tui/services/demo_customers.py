"""The demo's prompts for customers and readers: support, the handbook, the first mail."""

from __future__ import annotations

from ledger_tui.services.demo_prompts import ANNA, BEN, FAST, MEI, SMART, TOM, DemoPrompt, Edit

TRIAGE = DemoPrompt(
    "support/triage",
    "Sorts an incoming ticket: category, urgency, and whether a person has to see it",
    "Support",
    ("json", "customer-facing"),
    (
        ("system", "You sort support tickets of {{ company }}.\nAnswer with JSON only."),
        ("user", "Subject: {{ subject }}\n\n{{ body }}"),
    ),
    (
        Edit(58, ANNA, "First draft", model="openai/gpt-4o-mini", params={"temperature": 0.4}),
        Edit(
            41,
            ANNA,
            "Name the fields, or every answer looks different",
            (
                (
                    "Answer with JSON only.",
                    "Answer with JSON only:\n"
                    '{"category": "billing|bug|account|question", "urgency": 1-5, "needs_human": true|false}',
                ),
            ),
            params={"temperature": 0},
        ),
        Edit(
            19,
            BEN,
            "Refunds above 200 EUR go to a person",
            (
                (
                    '"needs_human": true|false}',
                    '"needs_human": true|false, "reason": "..."}\n\nneeds_human is true for:\n'
                    "- refunds above 200 EUR\n- anything legal\n- a customer who asks for a person",
                ),
            ),
        ),
        Edit(
            3.2,
            MEI,
            "Cheaper model: same 98 % on the test tickets",
            (("You sort support tickets", "You are the front desk of support. You sort the tickets"),),
            model=FAST,
        ),
    ),
    {"production": 4, "staging": 4},
    {
        "double charge": {
            "company": "Northwind Coffee",
            "subject": "Charged twice for order 4471",
            "body": "Hi, my card was charged two times for the same order yesterday. Please fix this today.",
        },
        "angry, legal": {
            "company": "Northwind Coffee",
            "subject": "LAST WARNING",
            "body": "Third mail about my refund of 340 EUR. Next one comes from my lawyer.",
        },
    },
)

REPLY = DemoPrompt(
    "support/reply",
    "Drafts the answer to a ticket from the help articles that were found",
    "Support",
    ("customer-facing", "markdown"),
    (
        ("system", "You answer customers of {{ company }}. Be friendly and short."),
        ("user", "{{ customer }} wrote:\n\n{{ body }}\n\nHelp articles:\n{{ articles }}"),
    ),
    (
        Edit(57, ANNA, "First draft", model=FAST, params={"temperature": 0.7, "max_tokens": 800}),
        Edit(
            44,
            BEN,
            "Articles as a list, so that more than one fits",
            (
                (
                    "{{ articles }}",
                    "{% for article in articles %}\n## {{ article.title }}\n{{ article.text }}\n{% endfor %}",
                ),
            ),
        ),
        Edit(
            30,
            BEN,
            "Stop inventing refund dates",
            (
                (
                    "Be friendly and short.",
                    "Be friendly and short.\nPromise nothing that is not in the help articles: no dates, no amounts.\n"
                    "When they do not answer the question, say so and offer a person.",
                ),
            ),
            params={"temperature": 0.3},
        ),
        Edit(
            12,
            MEI,
            "Sonnet reads the articles better",
            (("Be friendly and short.", "Be warm and brief: three short paragraphs at most."),),
            model=SMART,
        ),
        Edit(
            2.1,
            ANNA,
            "Answer in the customer's language",
            (
                (
                    "three short paragraphs at most.",
                    "three short paragraphs at most.\nAnswer in the language of the customer"
                    "{% if language %} ({{ language }}){% endif %}.",
                ),
            ),
        ),
    ),
    {"production": 4, "staging": 5},
    {
        "late parcel": {
            "company": "Northwind Coffee",
            "customer": "Priya",
            "body": "Where is my grinder? It should have come on Monday.",
            "articles": [
                {"title": "Late parcels", "text": "Parcels take 3 to 5 working days. Tracking is in the mail."}
            ],
            "language": "",
        }
    },
)

ESCALATION = DemoPrompt(
    "support/escalation-summary",
    "Tells a person in five lines what happened before a ticket reached them",
    "Support",
    ("internal",),
    (("user", "Summarise this conversation for a colleague in five lines:\n\n{{ conversation }}"),),
    (
        Edit(36, TOM, "First draft", model=FAST, params={"temperature": 0.2}),
        Edit(
            22,
            TOM,
            "Say what was promised",
            (
                (
                    "in five lines:",
                    "in five lines: who, what they want, what was tried, what we promised, what to do next.",
                ),
            ),
        ),
        Edit(9, ANNA, "Tier changes the tone", (("Summarise", "The customer is on the {{ tier }} plan. Summarise"),)),
    ),
    {"production": 3},
)

ANSWER = DemoPrompt(
    "rag/answer",
    "Answers a question from retrieved passages, with citations",
    "Knowledge",
    ("rag", "markdown"),
    (("user", "Answer the question from these passages.\n\n{{ passages }}\n\nQuestion: {{ question }}"),),
    (
        Edit(60, MEI, "First draft", model="openai/gpt-4o-mini", params={"temperature": 0.5}),
        Edit(
            49,
            MEI,
            "Number the passages and ask for citations",
            (
                (
                    "{{ passages }}",
                    "{% for p in passages %}[{{ loop.index }}] {{ p.text }} ({{ p.source }})\n{% endfor %}",
                ),
                ("from these passages.", "from these passages only. Cite them like [2] after each claim."),
            ),
            params={"temperature": 0.1},
        ),
        Edit(
            33,
            BEN,
            "Say when the passages do not answer",
            (("Question:", "If the passages do not answer, write exactly: I could not find that.\n\nQuestion:"),),
        ),
        Edit(15, MEI, "Move to Sonnet after the September evaluation", model=SMART, params={"max_tokens": 1200}),
        Edit(
            4.5,
            BEN,
            "Steps as a list, readers scan",
            (
                (
                    "after each claim.",
                    "after each claim.\nStart with the answer in one sentence. Write steps as a list.",
                ),
            ),
        ),
    ),
    {"production": 5, "staging": 5, "evaluated": 4},
    {
        "holiday": {
            "question": "How many days of leave can I carry over?",
            "passages": [{"text": "Up to five days carry over until 31 March.", "source": "handbook/leave.md"}],
        }
    },
)

REWRITE = DemoPrompt(
    "rag/rewrite-query",
    "Turns a chat message into two or three search queries",
    "Knowledge",
    ("rag", "json"),
    (("user", "Write search queries for: {{ question }}"),),
    (
        Edit(48, MEI, "First draft", model=FAST, params={"temperature": 0}),
        Edit(
            34,
            MEI,
            "A JSON list",
            (("Write search queries for:", "Write two or three search queries as a JSON list.\n\nMessage:"),),
        ),
        Edit(
            16,
            TOM,
            "Use the conversation",
            (("Message:", "{% for turn in history %}{{ turn.role }}: {{ turn.text }}\n{% endfor %}\nMessage:"),),
        ),
    ),
    {"production": 3},
)

GROUNDING = DemoPrompt(
    "rag/grounding-check",
    "Guardrail: is every claim of an answer in its passages?",
    "Knowledge",
    ("rag", "guardrail", "json"),
    (
        ("system", "You check answers against their sources. You are strict."),
        ("user", 'Sources:\n{{ sources }}\n\nAnswer:\n{{ answer }}\n\nReply with JSON: {"grounded": true|false}'),
    ),
    (
        Edit(46, BEN, "First draft", model="openai/gpt-4o-mini", params={"temperature": 0}),
        Edit(
            27,
            BEN,
            "Name the claims that fail",
            (('{"grounded": true|false}', '{"grounded": true|false, "unsupported": ["..."]}'),),
        ),
        Edit(
            8,
            MEI,
            "Paraphrases are fine",
            (("You are strict.", "You are strict about facts and easy about wording."),),
            model=FAST,
        ),
    ),
    {"production": 3, "staging": 3},
)

WELCOME = DemoPrompt(
    "marketing/welcome-email",
    "The first mail to a new customer",
    "Marketing",
    ("customer-facing",),
    (("user", "Hello {{ name }}, welcome to {{ company }}!"),),
    (
        Edit(23, ANNA, "First draft", model=FAST, params={"temperature": 0.9}),
        Edit(
            10,
            ANNA,
            "Warmer, with one thing to do next",
            (
                (
                    "Hello {{ name }}, welcome to {{ company }}!",
                    "🎉 Write to {{ name }}, who is new at {{ company }}: warm, under 80 words, one thing to do next.",
                ),
            ),
        ),
    ),
    {"production": 2},
    {"Sarah": {"name": "Sarah", "company": "Northwind Coffee"}},
)

PROMPTS: tuple[DemoPrompt, ...] = (TRIAGE, REPLY, ESCALATION, ANSWER, REWRITE, GROUNDING, WELCOME)
