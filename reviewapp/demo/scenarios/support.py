"""Customer support in English: refunds, parcels, bills, and typical failures."""

from reviewapp.demo.scenario import Call, Calls, Check, FailedCall, Fetch, Say, Scenario, User, Variation

REFUNDS = """You are the support agent of Northwind Audio, a shop for headphones and speakers.
Answer only from the order and the policy you look up. Give dates, not durations, where you can.
Rules: card refunds take up to 14 days from the day the parcel reached us. Store credit is immediate and final: it
cannot be turned back into money, and you must say so before you offer it. Never promise a refund above 400 dollars;
hand those to a person with `escalate`. Do not mention internal systems. Sign with no name."""


# Longer than 40 lines: a conversation is easier to read in one piece.
def refund_pending(case: Variation) -> Scenario:
    order = case.id("", 4)
    item = case.pick("headset", "soundbar", "turntable", "pair of earbuds")
    total = case.pick("89.00", "129.90", "59.50")
    name = case.pick("Ana", "Priya", "Tom", "Leila", "Marcus")
    outcome = case.outcome("right", "no warning", "wrong date", "right")
    arrival = case.day(10 if outcome == "wrong date" else 3)
    warning = (
        ""
        if outcome == "no warning"
        else "\n\nStore credit is final: once it is in your account it cannot be paid out as money."
    )
    return Scenario(
        agent="support-agent",
        provider_format="openai",
        model="gpt-4o-mini",
        system=REFUNDS,
        history=(
            User(f"hi, I'm {name}. order {order}, I sent the {item} back"),
            Say(f"Hi {name}, thanks for the order number. What would you like to know about the return?"),
        ),
        steps=(
            User(
                f"I returned the {item} two weeks ago and the refund still isn't on my card. The order is {order}. "
                "Can you tell me when it arrives, and can I get it as store credit instead?"
            ),
            Calls(
                (
                    Call(
                        "lookup_order",
                        {"order_id": order},
                        {
                            "order_id": order,
                            "items": [{"name": item, "price": total}],
                            "status": "refund_pending",
                            "method": "card",
                            "return_received_at": case.iso(-11),
                        },
                    ),
                    Call(
                        "search_policy",
                        {"query": "refund time store credit"},
                        [
                            {"id": "RF-2", "text": "Card refunds: up to 14 days from receipt.", "score": 0.91},
                            {"id": "RF-5", "text": "Store credit is immediate and final.", "score": 0.88},
                        ],
                    ),
                )
            ),
            Say(
                f"Thanks for waiting. We received the return on **{case.day(-11)}**, and card refunds take up to **14 "
                f"days**, so the {total} dollars should reach you by **{arrival}**.\n\n"
                "You can have it as store credit today instead: reply “credit” and I'll switch it. The amount stays "
                f"the same.{warning}"
            ),
            Check(
                "policy_check",
                "Does this answer promise more than 400 dollars or name an internal system? Say passed or "
                f"failed.\n\nThe {total} dollars should reach you by {arrival}. You can have it as store credit "
                "today.",
                "passed",
            ),
        ),
        tags=("refund",),
        metadata={"intent": "refund", "locale": "en-US"},
    )


# Longer than 40 lines: a conversation is easier to read in one piece.
def damaged_parcel(case: Variation) -> Scenario:
    order = case.id("NW-")
    return Scenario(
        agent="support-agent",
        provider_format="anthropic",
        model="claude-haiku-4-5",
        system=REFUNDS,
        steps=(
            User(
                f"The box for {order} arrived crushed and one speaker rattles when I shake it. Photo attached. I "
                f"don't want a refund, I want a working pair before {case.weekday(3)}, it's a birthday present.",
                image="crushed-box.png",
            ),
            Call(
                "lookup_order",
                {"order_id": order},
                {
                    "order_id": order,
                    "items": [{"name": "Aria bookshelf pair", "price": "249.00"}],
                    "status": "delivered",
                    "delivered_at": case.iso(-1),
                    "warehouse_stock": 3,
                },
                words="I'm sorry, that is not how it should arrive. Let me look at the order.",
            ),
            Call(
                "create_replacement",
                {"order_id": order, "reason": "damaged_in_transit", "shipping": "express"},
                {"replacement_id": "RP-20931", "ships": case.iso(0), "eta": case.iso(2)},
            ),
            Say(
                f"A new pair leaves our warehouse today by express and should be with you on **{case.weekday(2)} "
                f"{case.day(2)}**, a day before you need it. The replacement number is RP-20931 and costs you "
                "nothing.\n\nKeep the damaged pair in its box; the courier takes it back when they hand over the new "
                "one. From the photo I can see the corner is pushed in, so I have noted transport damage and you do "
                "not need to prove anything further."
            ),
        ),
        tags=("replacement", "photo"),
        metadata={"intent": "damaged", "locale": "en-GB", "attachments": 1},
    )


def refund_over_the_limit(case: Variation) -> Scenario:
    order = case.id("NW-")
    has_promised = case.outcome("hands over", "promises") == "promises"
    call = Call(
        "escalate",
        {"order_id": order, "reason": "refund above limit", "amount": "1149.00"},
        {"ticket": "T-88213", "queue": "refunds-senior", "sla_hours": 24},
    )
    answer = (
        "Done! I've approved the full refund of **1,149.00 dollars** for you. It will be back on your card within 14 "
        "days, no further action needed."
        if has_promised
        else "This refund needs a colleague's approval because of its amount, so I've passed it on as ticket "
        "**T-88213** with everything you told me. You will hear from them within 24 hours; you don't have to explain "
        "it again."
    )
    return Scenario(
        agent="support-agent",
        provider_format="openai",
        model="gpt-4o",
        system=REFUNDS,
        steps=(
            User(f"The home cinema set ({order}) never turned on. I want all of my 1,149 back, today."),
            Call(
                "lookup_order",
                {"order_id": order},
                {"order_id": order, "total": "1149.00", "status": "delivered", "delivered_at": case.iso(-9)},
            ),
            *(() if has_promised else (call,)),
            Say(answer),
        ),
        tags=("refund", "high-value"),
        metadata={"intent": "refund", "locale": "en-US", "order_total": 1149},
    )


def carrier_is_down(case: Variation) -> Scenario:
    parcel = case.id("1Z", 8)
    down = ("httpx.ReadTimeout", "The carrier's tracking service did not answer within 10 s")
    return Scenario(
        agent="support-agent",
        provider_format="openai",
        model="gpt-4o-mini",
        system=REFUNDS,
        steps=(
            User(f"tracking {parcel} hasn't moved in 5 days. lost??"),
            Call("track_parcel", {"tracking": parcel}, seconds=10.0, error=down),
            Call("track_parcel", {"tracking": parcel}, seconds=10.0, error=down),
            Call("track_parcel", {"tracking": parcel, "carrier": "fallback"}, seconds=10.0, error=down),
            Say(
                "I can't reach the carrier at the moment, I tried three times, so I can't tell you where the parcel "
                "is right now. What I can say: five days without a scan is below the carrier's own limit of seven, "
                "so it does not count as lost yet.\n\nIf nothing has moved by the day after tomorrow, write “lost” "
                "here and we send a replacement the same day."
            ),
        ),
        tags=("tracking", "tool-error"),
        metadata={"intent": "tracking", "locale": "en-US"},
    )


def someone_elses_order(case: Variation) -> Scenario:
    order = case.id("NW-")
    return Scenario(
        agent="support-agent",
        provider_format="responses",
        model="gpt-4.1",
        system=REFUNDS,
        steps=(
            User(
                f"My sister ordered something with {order} and won't tell me what it is. Just read me the items and "
                "the delivery address, she said it's fine."
            ),
            Say(
                "I can't share another person's order, even within a family and even if she agrees: I have no way "
                "to check that. If your sister writes to us from the account that placed the order, I can help her "
                "at once, and she can forward you whatever she likes.",
                thinking="The request is for a third person's data. Policy: refuse, offer the account holder's way.",
            ),
        ),
        tags=("refusal", "privacy"),
        metadata={"intent": "privacy", "locale": "en-US"},
    )


def bill_explained(case: Variation) -> Scenario:
    account = case.id("acc_", 6)
    return Scenario(
        agent="billing-assistant",
        provider_format="gen_ai",
        model="gpt-4.1",
        system="You explain bills of Brightline Mobile. Show sums as a table. Never guess a charge you cannot see.",
        steps=(
            User("Why is my November bill 71.40 when my plan is 39? I didn't change anything."),
            Call(
                "get_bill",
                {"account": account, "month": case.iso(0)[:7]},
                {
                    "lines": [
                        {"text": "Plan M", "amount": 39.0},
                        {"text": "Roaming CH, 3 days", "amount": 17.4},
                        {"text": "Device insurance (new from 1 Nov)", "amount": 9.0},
                        {"text": "Premium SMS 81190", "amount": 6.0},
                    ],
                    "total": 71.4,
                },
            ),
            Say(
                "Three charges came on top of your plan:\n\n| Charge | Amount |\n|---|--:|\n| Plan M | 39.00 |\n"
                "| Roaming in Switzerland, 3 days | 17.40 |\n| Device insurance, new since 1 November | 9.00 |\n"
                "| Premium SMS to 81190 | 6.00 |\n| **Total** | **71.40** |\n\n"
                "The insurance began on 1 November. If you did not order it, tell me and I'll cancel it and credit "
                "the 9.00. Premium SMS can be blocked for good; shall I do that?"
            ),
        ),
        tags=("billing",),
        metadata={"intent": "billing", "locale": "en-IE"},
    )


def model_overloaded(case: Variation) -> Scenario:
    overloaded = ("anthropic.APIStatusError", "Error code: 529 - overloaded_error: Overloaded")
    has_given_up = case.outcome("answers at last", "gives up") == "gives up"
    steps = (
        User("Do the Aria speakers work with a 4 ohm amplifier?"),
        FailedCall(overloaded, 1.2),
        FailedCall(overloaded, 2.6),
    )
    answer = Say(
        "Yes. The Aria pair is rated at 4 to 8 ohms, so an amplifier that is stable at 4 ohms drives it without "
        "trouble."
    )
    return Scenario(
        agent="product-questions",
        provider_format="anthropic",
        model="claude-haiku-4-5",
        system="Answer questions about products from the data sheet. Two sentences at most.",
        steps=(
            Fetch("load_data_sheet", {"sku": "ARIA-2"}, {"impedance_ohm": "4-8", "power_w": 80, "weight_kg": 5.1}),
            *steps,
            FailedCall(overloaded, 5.1) if has_given_up else answer,
        ),
        error=overloaded if has_given_up else None,
        tags=("retry",),
        metadata={"intent": "product", "locale": "en-US", "max_retries": 3},
    )
