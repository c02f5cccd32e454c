"""Research with sources: a model with a search tool, and a lead agent with helpers."""

from reviewapp.demo.scenario import Call, Fetch, Say, Scenario, User, Variation

LIBRARIAN = """You answer from what the search returns and cite it as [1], [2].
Prefer measured figures over claims of makers. Say what you did not find."""
FIELD_TEST = {
    "title": "Heat pumps in 56 existing houses: a two-winter field test",
    "url": "https://example.org/field-test-56-houses",
    "text": "Mean seasonal performance factor of air-source units 3.1 (2.5 to 3.8), ground-source 4.1.",
}
GUIDE = {
    "title": "Radiators and flow temperature, a guide for installers",
    "url": "https://example.org/flow-temperature",
    "text": "Each degree less of flow temperature raises efficiency by about 2.5 percent.",
}


def heat_pumps(case: Variation) -> Scenario:
    is_wrong = case.outcome("right", "other figure") == "other figure"
    figure = "**4.1**" if is_wrong else "**3.1**"
    return Scenario(
        agent="research-assistant",
        provider_format="gemini",
        model="gemini-2.5-pro",
        system=LIBRARIAN,
        steps=(
            User("Do air-source heat pumps really work in an old house with radiators? Figures, please, no adverts."),
            Call(
                "search",
                {"q": "field test air source heat pump existing houses radiators"},
                [FIELD_TEST, GUIDE],
                seconds=1.4,
            ),
            Call(
                "open_page",
                {"url": FIELD_TEST["url"]},
                FIELD_TEST["text"] + " 43 of the houses kept their radiators.",
                seconds=0.9,
            ),
            Say(
                "Yes, in measured houses they do. In a two-winter test of 56 existing houses the air-source units "
                f"reached {figure} units of heat for one of electricity on average, between 2.5 and 3.8; 43 of the "
                "houses had kept their radiators [1].\n\nWhat decides is the flow temperature: each degree less "
                "brings about 2.5 % [2], so larger radiators in the two coldest rooms often do more than "
                f"insulation.\n\n[1] [{FIELD_TEST['title']}]({FIELD_TEST['url']})\n"
                f"[2] [{GUIDE['title']}]({GUIDE['url']})\n\nI found no measurements for houses without any "
                "insulation.",
                thinking="Use the field test for the figure and the guide for the lever.",
            ),
        ),
        tags=("retrieval", "citations"),
        metadata={"intent": "research", "retrieved_documents": 2, "locale": "en-GB"},
    )


# Longer than 40 lines: a conversation is easier to read in one piece.
def battery_recycling(case: Variation) -> Scenario:
    """A lead agent that sends out two helpers and combines their notes."""
    instructions = "You are a helper. Search, read, and return at most three facts with their source."
    return Scenario(
        agent="deep-research",
        provider_format="anthropic",
        model="claude-sonnet-4-5",
        system="You lead a research. Split the question, brief helpers with `delegate`, then write half a page.",
        steps=(
            User("How much of a lithium-ion car battery is recycled today in Europe, and what is lost?"),
            Call(
                "delegate",
                {"task": "Recovery rates by material in European plants"},
                "Nickel and cobalt 95 %, copper 93 %, lithium 50 to 80 % in hydrometallurgy; nearly 0 in smelting. "
                "[plant reports]",
                instructions=instructions,
                substeps=(
                    User("Recovery rates by material in European plants"),
                    Call(
                        "search",
                        {"q": "recovery rate lithium nickel cobalt hydrometallurgy plant Europe"},
                        ["3 plant reports"],
                    ),
                    Say(
                        "Nickel and cobalt 95 %, copper 93 %, lithium 50 to 80 % in hydrometallurgy; nearly 0 in "
                        "smelting."
                    ),
                ),
            ),
            Call(
                "delegate",
                {"task": "What the law asks for, and from when"},
                "EU 2023/1542: lithium recovery 50 % by end of 2027, 80 % by end of 2031.",
                instructions=instructions,
                substeps=(
                    User("What the law asks for, and from when"),
                    Call(
                        "search", {"q": "EU battery regulation lithium recovery targets"}, ["Regulation (EU) 2023/1542"]
                    ),
                    Call("open_page", {"url": "https://example.org/2023-1542"}, "Annex XII, part C", seconds=1.1),
                    Say("EU 2023/1542: lithium recovery 50 % by end of 2027, 80 % by end of 2031."),
                ),
            ),
            Say(
                "Metals that pay for themselves come back almost whole: nickel and cobalt 95 %, copper 93 %. "
                "**Lithium is the weak point**: plants that dissolve the cells recover 50 to 80 %, plants that melt "
                "them next to nothing.\n\nThe law now pushes exactly there: 50 % of the lithium by the end of 2027 "
                "and 80 % by the end of 2031 (Regulation 2023/1542, Annex XII). Lost today are lithium in smelters, "
                "graphite and the electrolyte nearly everywhere, for which I found no figures I would trust."
            ),
        ),
        tags=("research", "multi-agent"),
        metadata={"intent": "research", "agents": {"lead": 1, "helpers": 2}, "locale": "en-US"},
    )


def nothing_found(case: Variation) -> Scenario:
    return Scenario(
        agent="research-assistant",
        provider_format="vercel",
        model="gpt-4o",
        system=LIBRARIAN,
        steps=(
            Fetch(
                "rewrite_query",
                {"q": "that thing with the bees and the 5g"},
                {"q": "5G radiation honeybee orientation study"},
            ),
            User("is it true that 5g masts kill bees, a neighbour sent me a study"),
            Call("search", {"q": "5G radiation honeybee orientation study"}, [], seconds=1.0),
            Call("search", {"q": "honeybee mortality mobile phone radiation review"}, [], seconds=1.2),
            Say(
                "I found nothing in this library either way, so I can't tell you that it is true or false. If you "
                "send me the title of your neighbour's study I can look for it, and for who has repeated it since."
            ),
        ),
        tags=("retrieval", "no-source"),
        metadata={"intent": "research", "retrieved_documents": 0, "locale": "en-GB"},
    )
