"""The demo's texts: tickets, questions, changes and translations that look like a working week."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

COMPANY = "Northwind Coffee"


@dataclass(frozen=True)
class Ticket:
    """A support ticket with its answer."""

    customer: str
    subject: str
    body: str
    category: str
    urgency: int
    needs_human: bool
    article: str
    reply: str
    language: str = ""


TICKETS: tuple[Ticket, ...] = (
    Ticket(
        "Priya Raman",
        "Where is my grinder?",
        "I ordered the burr grinder on Tuesday and the tracking has not moved since. Should I worry?",
        "question",
        2,
        False,
        "Parcels take 3 to 5 working days. Tracking updates when the carrier scans the parcel.",
        "Hi Priya,\n\nno need to worry: parcels take **3 to 5 working days**, and the tracking only moves when the "
        "carrier scans yours.\n\nIf it has not arrived after five working days, answer this mail and a colleague "
        "takes over.\n\nWarmly,\nNorthwind Coffee",
    ),
    Ticket(
        "Jonas Weber",
        "Zweimal abgebucht",
        "Guten Tag, für die Bestellung 4471 wurde mein Konto zweimal belastet. Bitte prüfen Sie das.",
        "billing",
        4,
        False,
        "A second booking within 48 hours is a reservation of the bank and is released by itself.",
        "Guten Tag Herr Weber,\n\nvielen Dank für den Hinweis. Die zweite Buchung ist eine **Vormerkung Ihrer Bank** "
        "und wird von selbst freigegeben.\n\nSteht sie danach noch auf Ihrem Auszug, antworten Sie bitte hier: dann "
        "kümmert sich eine Kollegin darum.\n\nFreundliche Grüße\nNorthwind Coffee",
        "German",
    ),
    Ticket(
        "Lena Fischer",
        "App crashes on checkout",
        "Since the update the app closes when I tap Pay. iPhone 14, iOS 19.1. Happens every time.",
        "bug",
        4,
        False,
        "Version 8.3.1 fixes a crash in the payment sheet. Update in the App Store.",
        "Hi Lena,\n\nthat crash is fixed in **8.3.1**:\n\n1. Open the App Store and update the app.\n2. Start it once "
        "before you go to the checkout.\n\nIf it still closes, send us the time it happened and we look at the logs.",
    ),
    Ticket(
        "Marco Bianchi",
        "LAST WARNING about my refund",
        "This is my third mail about the refund of 340 EUR. The next one comes from my lawyer.",
        "billing",
        5,
        True,
        "Refunds above 200 EUR are decided by a person.",
        "Dear Marco,\n\nI am sorry that you had to write three times. A refund of this size is decided by a person, so "
        "I have handed your case to **Anna from our billing team**. She has all three of your mails.",
    ),
    Ticket(
        "Aiko Sato",
        "定期便の変更",
        "定期便を月1回から2か月に1回に変更したいです。アプリで見つかりませんでした。",
        "account",
        1,
        False,
        "Subscriptions: Account > Subscriptions > Rhythm. Changes count from the next parcel.",
        "佐藤様\n\nお問い合わせありがとうございます。変更は次の手順でできます。\n\n1. アプリで **アカウント → 定期便** を開く\n"
        "2. **お届け間隔** で「2か月に1回」を選ぶ\n\n次回のお届けから反映されます。☕️",
        "Japanese",
    ),
    Ticket(
        "Sam O'Neill",
        "Gift card does not work",
        "The code NW-7F3K says 'already used' but I got it yesterday for my birthday :(",
        "billing",
        3,
        False,
        "A gift card is used up by its first order. Support can see the order number.",
        "Hi Sam,\n\nhappy birthday! 🎂 The code was used for an order this morning. If that was not you, answer with the "
        "word **block** and we lock the rest of its balance while a person has a look.",
    ),
    Ticket(
        "Fatima Zahra",
        "Delete my account",
        "Please delete my account and all my data as required by the GDPR.",
        "account",
        3,
        True,
        "Deletion requests are legal matters and go to privacy@.",
        "Dear Fatima,\n\nyour request has gone to our privacy team, who confirm within the legal time. You need not do "
        "anything else.",
    ),
    Ticket(
        "Diego Morales",
        "Descaling light stays on",
        "I ran the descaling program twice and the orange light is still blinking. Model N2.",
        "question",
        2,
        False,
        "N2: hold Clean and Steam for five seconds after descaling to reset the light.",
        "Hi Diego,\n\nyou are nearly there: on the N2 the light has to be reset by hand.\n\n- Hold **Clean** and "
        "**Steam** together for five seconds\n- Let go when the light turns white\n\nThat is all.",
    ),
)


@dataclass(frozen=True)
class Question:
    """A question to the handbook, with what was found and answered."""

    text: str
    queries: tuple[str, ...]
    passages: tuple[tuple[str, str], ...]
    answer: str
    grounded: bool = True


QUESTIONS: tuple[Question, ...] = (
    Question(
        "What is our PTO policy?",
        ("paid time off policy", "annual leave days", "carry over leave"),
        (
            ("Everybody has 28 days of paid leave a year, 30 after three years.", "handbook/leave.md"),
            ("Up to five days carry over until 31 March.", "handbook/leave.md"),
            ("Leave of more than ten days is agreed four weeks ahead.", "handbook/planning.md"),
        ),
        "Everybody has **28 days** of paid leave a year, and 30 after three years [1].\n\n- Up to five days carry over "
        "until 31 March [2]\n- More than ten days in a row: agree it four weeks ahead [3]",
    ),
    Question(
        "How do I rotate the API key of the payment service?",
        ("rotate payment api key", "vault secrets rotation"),
        (
            (
                "`vault write -f payments/rotate` makes a new key and keeps the old one for an hour.",
                "runbooks/payments.md",
            ),
            (
                "After a rotation restart the workers: `kubectl rollout restart deploy/payments-worker`.",
                "runbooks/payments.md",
            ),
        ),
        "Rotate it in Vault and restart the workers.\n\n1. Make the new key [1]:\n   ```sh\n   vault write -f "
        "payments/rotate\n   ```\n2. Restart the workers within the hour that the old key stays valid [1][2]:\n   ```sh\n"
        "   kubectl rollout restart deploy/payments-worker\n   ```",
    ),
    Question(
        "Who approves a new supplier?",
        ("supplier approval", "procurement threshold"),
        (
            ("Suppliers below 10,000 EUR a year are approved by the team lead.", "handbook/buying.md"),
            ("Above that, finance and legal both sign.", "handbook/buying.md"),
        ),
        "It depends on the amount.\n\n| a year | who approves |\n|---|---|\n| below 10,000 EUR | the team lead [1] |\n"
        "| above | finance **and** legal [2] |",
    ),
    Question(
        "Can I bring my dog to the Lisbon office?",
        ("dog policy office", "Lisbon office rules"),
        (("The Lisbon office has a roof terrace and showers.", "offices/lisbon.md"),),
        "Dogs are welcome in Lisbon on Fridays.",
        grounded=False,
    ),
    Question(
        "Where do I report a security incident?",
        ("report security incident", "incident hotline"),
        (
            ("Write to #security-now and call the number on the back of your badge.", "handbook/security.md"),
            ("Do not switch the machine off.", "handbook/security.md"),
        ),
        "Write to **#security-now** and call the number on your badge [1]. Leave the machine running [2].",
    ),
    Question(
        "What is the on-call allowance?",
        ("on-call allowance", "stand-by pay"),
        (("On-call weeks are paid with 250 EUR and one day off in the following month.", "handbook/on-call.md"),),
        "A week on call is paid with **250 EUR** and one day off in the month after [1].",
    ),
)


@dataclass(frozen=True)
class Change:
    """A file of a change, and what the review said."""

    path: str
    language: str
    diff: str
    review: str


CHANGES: tuple[Change, ...] = (
    Change(
        "payments/refund.py",
        "Python",
        "@@ -41,7 +41,9 @@ def refund(order, amount):\n-    if amount > order.total:\n+    if amount >= order.total:\n"
        "         raise RefundTooLarge(order.id)\n+    session.commit()\n     gateway.refund(order.charge_id, amount)",
        "`high · 42 · a full refund is refused now (>= instead of >) · compare with >`\n\n`high · 44 · the session commits "
        "before the gateway answers, a failed refund stays booked · commit after the call`",
    ),
    Change(
        "web/src/cart.ts",
        "TypeScript",
        "@@ -12,6 +12,8 @@ export async function checkout(cart: Cart) {\n+  const total = cart.items\n"
        "+    .reduce((sum, item) => sum + item.price, 0);\n"
        "+  await pay(total);\n   cart.clear();",
        "`medium · 13 · quantity is ignored · multiply item.price by item.quantity`",
    ),
    Change(
        "infra/worker.yaml",
        "YAML",
        "@@ -8,3 +8,3 @@\n-  replicas: 2\n+  replicas: 6\n   image: registry/worker:8.3.1",
        "LGTM",
    ),
    Change(
        "search/index.go",
        "Go",
        "@@ -77,6 +77,9 @@ func (ix *Index) Add(doc Doc) {\n+\tgo func() {\n+\t\tix.docs[doc.ID] = doc\n+\t}()\n }",
        "`high · 78 · concurrent map write, the process panics under load · lock, or send to the owner goroutine`",
    ),
)

COMMITS: tuple[dict[str, str], ...] = (
    {"hash": "4e1f2a9", "subject": "Pay with several gift cards at once"},
    {"hash": "90bb1c3", "subject": "Fix the crash in the payment sheet on iOS 19"},
    {"hash": "c7710de", "subject": "Refactor cart reducer"},
    {"hash": "1d88f04", "subject": "Show the roast date in the order history"},
    {"hash": "aa02e6b", "subject": "CI: cache the simulator"},
)
NOTES = (
    "# 8.3.1\n\n## Added\n- Pay with **several gift cards** in one order\n- The order history shows the roast date\n\n"
    "## Fixed\n- The app no longer closes when you tap *Pay* on iOS 19"
)

TRANSLATIONS: tuple[tuple[str, str, str], ...] = (
    (
        "Japanese",
        "Press **Start** and wait for the green light. The first cup takes about 90 seconds.",
        "**Start** を押して、緑のランプが点灯するまでお待ちください。最初の一杯は約90秒で出来上がります。",
    ),
    (
        "German",
        "Rinse the tank once a week. Run `clean` from the app afterwards.",
        "Spülen Sie den Tank einmal pro Woche aus. Starten Sie danach in der App `clean`.",
    ),
    (
        "Arabic",
        "Store beans in the dark, below 25 °C.",
        "احفظ حبوب القهوة في مكان مظلم، تحت 25 درجة مئوية.",
    ),
    (
        "Spanish",
        "Descale every 200 cups. Your machine counts for you.",
        "Descalcifique la máquina cada 200 tazas. Ella lleva la cuenta por usted.",
    ),
)

WELCOMES: tuple[tuple[str, str], ...] = (
    ("Sarah", "Hi Sarah! 🎉\n\nLovely to have you with us. Your first bag is being roasted as you read this. ☕️\n\n"
     "**One thing to do:** tell the app how you brew, and the next bag is ground for it."),
    ("Emre", "Welcome aboard, Emre! 👋🏽\n\nGood coffee is mostly fresh coffee, so yours leaves us the day it is roasted. 🚚\n\n"
     "**One thing to do:** pick your delivery day in the app."),
    ("Chloé", "Bonjour Chloé! 🥐\n\nSo glad you found us. 💛 Your welcome box is packed.\n\n**One thing to do:** reply "
     "with the coffee you drink today and we suggest its better cousin."),
)  # fmt: skip

ERRORS: dict[str, str] = {
    "rate_limit": "429: Rate limit reached for requests per minute (limit 500). Try again in 1.2 s.",
    "timeout": "no answer within 30 s",
    "tool": "OrderNotFound: order 4471-B does not exist in the shop of EU-WEST",
    "guardrail": "the answer makes a claim that no source supports: 'Dogs are welcome in Lisbon on Fridays'",
    "unavailable": "503: The server is overloaded or not ready yet.",
}


def order_json(rng: Any, customer: str) -> dict[str, Any]:
    """What the shop says of an order."""
    number = rng.randint(4100, 4999)
    return {
        "order": f"{number}",
        "customer": customer,
        "status": rng.choice(["paid", "packed", "in transit", "delivered"]),
        "items": [{"sku": rng.choice(["grinder-b2", "beans-house-1kg", "machine-n2"]), "quantity": 1}],
        "total_eur": rng.choice([18.9, 24.5, 89.0, 340.0]),
        "carrier": {"name": "DHL", "tracking": f"00{rng.randint(10**9, 10**10)}", "events": []},
    }
