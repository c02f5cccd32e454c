"""Answers that are hard to read: from eight passages, after a long chat, and with a wide table."""

from reviewapp.demo.scenario import Fetch, Say, Scenario, User, Variation

PASSAGES = (
    ("Parental leave policy", "hr/parental-leave.md", 0.91, "Each parent has 16 weeks of paid leave within two years."),
    ("Parental leave policy", "hr/parental-leave.md#notice", 0.88, "Give six weeks' notice; two in an emergency."),
    (
        "Adoption and fostering",
        "hr/adoption.md",
        0.83,
        "Adoptive parents have the same leave from the day of placement.",
    ),
    ("Part-time return", "hr/part-time.md", 0.79, "For twelve weeks after leave you may work 60 % at 80 % pay."),
    ("Benefits overview", "hr/benefits.md", 0.71, "Health cover goes on during paid leave."),
    ("Sick leave", "hr/sick-leave.md", 0.58, "From the third day a doctor's note is needed."),
    ("Works agreement 2019", "archive/works-agreement-2019.pdf", 0.55, "Fathers have two weeks of paid leave."),
    ("Travel expenses", "finance/travel.md", 0.31, "Receipts are handed in within 30 days."),
)
CHAT = (
    ("We are 40 and want to eat outside on 12 June. Can you help?", "Gladly. Lunch or dinner, and in which town?"),
    ("Dinner, in Ghent.", "Then I'd start at 18:30, so that the main course is served in daylight."),
    ("Some of us can't climb stairs.", "Noted: ground level only, and a toilet without steps."),
    ("Six vegetarians, one with a nut allergy.", "I'll ask each place for a written list of allergens."),
    ("Our budget is 55 a head with drinks.", "That is 2,200 in all. It rules out the two places on the Graslei."),
    ("What about the old abbey?", "Its garden takes 60 people, but the path is gravel. Is that a problem?"),
    ("Yes, one of us uses a wheelchair.", "Then not the abbey. The boathouse has a level terrace and a ramp."),
    ("Does it have a roof if it rains?", "Half of it. For 40 people the indoor room is held free until 16:00."),
    ("Good. And music?", "Allowed until 22:00, without amplifiers."),
    ("Who else could we ask?", "The glasshouse in the park: level, dry, 58 a head."),
    ("58 is over the budget.", "By 3 a head, 120 in all. It would drop to 54 without the aperitif."),
)  # fmt: skip
TABLE = """Here are all eight vans. Only **V-03** and **V-07** lose money every month.[^1]

| Van | Model | Built | Depot | km in October | Litres | l/100 km | Repairs (EUR) | Income (EUR) | Result (EUR) |
|---|---|--:|:-:|--:|--:|--:|--:|--:|--:|
| V-01 | Transit Custom | 2019 | North | 4,120 | 333.7 | 8.1 | 210.00 | 3,980.50 | 2,914.20 |
| V-02 | Transit Custom | 2019 | North | 3,870 | 325.1 | 8.4 | 0.00 | 3,611.00 | 2,803.75 |
| V-03 | Sprinter 314 | 2014 | South | 2,214 | 243.5 | 11.0 | 1,845.90 | 1,702.40 | -868.10 |
| V-04 | Vito eTourer | 2022 | South | 3,305 | 0.0 | 0.0 | 64.00 | 3,120.00 | 2,651.30 |
| V-05 | Trafic L2H1 | 2020 | East | 4,480 | 349.4 | 7.8 | 120.50 | 4,215.80 | 3,288.95 |
| V-06 | Trafic L2H1 | 2020 | East | 4,011 | 320.9 | 8.0 | 0.00 | 3,770.20 | 2,998.40 |
| V-07 | Ducato Maxi | 2013 | North | 1,950 | 228.2 | 11.7 | 2,310.00 | 1,488.10 | -1,402.60 |
| V-08 | Vito eTourer | 2023 | East | 3,660 | 0.0 | 0.0 | 0.00 | 3,402.90 | 2,966.15 |

The consumption is $c = 100 \\cdot \\frac{litres}{km}$. What I would do next:

- [x] leave out the two electric vans when comparing fuel
- [ ] ask for the repair bills of V-03 since July
- [ ] get an offer for V-07

[^1]: October alone is one month; July to September say the same."""


def leave_policy(case: Variation) -> Scenario:
    is_wrong = case.outcome("right", "old agreement") == "old agreement"
    weeks = "two weeks of paid leave [7]" if is_wrong else "16 weeks of paid leave, within two years of the birth [1]"
    passages = [
        {"title": title, "source": source, "score": score, "text": text} for title, source, score, text in PASSAGES
    ]
    return Scenario(
        agent="hr-assistant",
        provider_format="openai",
        model="gpt-4o",
        system="You answer questions of employees from the passages you are given and cite each as [1], [2].",
        steps=(
            Fetch("retrieve_passages", {"query": "paternity leave how long notice part-time", "k": 8}, passages),
            User("My partner is due in March. How long can I stay at home, and can I come back part-time?"),
            Say(
                f"You have {weeks}. Tell your manager at least six weeks before you go; in an emergency two are enough "
                "[2].\n\nYes, you can come back part-time: for twelve weeks you may work 60 % and are paid 80 % [4]. "
                "Your health cover goes on while you are away [5]."
            ),
        ),
        tags=("retrieval", "citations"),
        metadata={"intent": "hr", "retrieved_documents": 8, "locale": "en-GB"},
    )


def dinner_for_forty(case: Variation) -> Scenario:
    history = tuple(step for question, answer in CHAT for step in (User(question), Say(answer)))
    return Scenario(
        agent="event-planner",
        provider_format="openai",
        model="gpt-4o",
        system="You plan dinners for groups. Keep to what was agreed earlier in the conversation.",
        history=history,
        steps=(
            User("Then please sum up what we have agreed, and which of the two you would take."),
            Say(
                "**12 June, Ghent, 40 people, 18:30.** Level ground and a toilet without steps; six vegetarians, one "
                "with a nut allergy; at most 55 a head with drinks.\n\nI would take the **boathouse**: level, a ramp, "
                "within the budget, and the indoor room is yours until 16:00 if it rains. The glasshouse is drier, but "
                "only fits the budget without the aperitif."
            ),
        ),
        tags=("long-chat",),
        metadata={"intent": "planning", "turns": 24, "locale": "en-GB"},
    )


def fleet_costs(case: Variation) -> Scenario:
    return Scenario(
        agent="fleet-analyst",
        provider_format="anthropic",
        model="claude-sonnet-4-5",
        system="You compare vehicles. Give every figure with its unit and say which ones you left out.",
        steps=(User("Which of our vans cost more than they bring in? All figures, please."), Say(TABLE)),
        tags=("table",),
        metadata={"intent": "analysis", "locale": "en-GB"},
    )
