"""Travel: itineraries, rebookings, entry rules."""

from reviewapp.demo.scenario import Call, Calls, Fetch, Say, Scenario, User, Variation

PLANNER = """You plan short trips. Check the weather and opening hours with your tools before you name a place.
Plan at most three things a day, with the walking time between them. Say what needs a booking."""


# Longer than 40 lines: a conversation is easier to read in one piece.
def weekend(case: Variation) -> Scenario:
    city, sight, dish, closed = (
        ("Porto", "Livraria Lello", "a francesinha in Baixa", "Casa da Música"),
        ("Ghent", "St Bavo's Cathedral", "stoverij on the Vrijdagmarkt", "STAM"),
        ("Bologna", "the Archiginnasio", "tagliatelle al ragù in the Quadrilatero", "MAMbo"),
    )[case.number % 3]
    is_wrong = case.outcome("right", "closed", "right") == "closed"
    monday = f"{closed}, which also has a good café" if is_wrong else f"the market hall ({closed} is closed on Mondays)"
    return Scenario(
        agent="trip-planner",
        provider_format="vercel",
        model="gpt-4o",
        system=PLANNER,
        steps=(
            User(f"Saturday to Monday in {city} with a 6 year old, no car, we like food and hate queues."),
            Calls(
                (
                    Call(
                        "getWeather",
                        {"city": city, "days": 3},
                        {"sat": "19, dry", "sun": "17, showers", "mon": "18, dry"},
                    ),
                    Call(
                        "getOpeningHours",
                        {"places": [sight, closed]},
                        {sight: "daily 9:30-19:00, tickets online", closed: "Tue-Sun 10:00-18:00, closed Mondays"},
                    ),
                )
            ),
            Say(
                f"## Three days in {city}\n\n| | Morning | Afternoon | Evening |\n|---|---|---|---|\n"
                f"| **Sat** (dry) | old town on foot | {sight}, slot at 15:00 | {dish} |\n"
                "| **Sun** (showers) | covered market | puppet museum, 12 min walk | early night, card games |\n"
                f"| **Mon** (dry) | {monday} | playground by the river | train at 18:05 |\n\n"
                f"**Book before you go:** {sight}, online, the first or last slot has no queue. Everything else needs "
                "no ticket. The longest walk with small legs is 15 minutes."
            ),
        ),
        tags=("itinerary",),
        metadata={"intent": "plan", "locale": "en-GB", "travellers": {"adults": 2, "children": 1}},
    )


def rebooking(case: Variation) -> Scenario:
    code = case.pick("QX7LMB", "R2D9KE", "ZP41TT")
    outcome = case.outcome("right", "wrong day", "right")
    arrival = "**Wednesday 07:15**" if outcome == "wrong day" else "**Thursday 07:15**"
    return Scenario(
        agent="rebooking-agent",
        provider_format="langchain",
        model="gpt-4o",
        system=(
            "You rebook flights after a cancellation. Never rebook without showing the choice first. Times are local "
            "to each airport; say the weekday of an arrival on another day."
        ),
        history=(
            User(f"My flight home was cancelled. Booking {code}."),
            Say("I'm sorry. I have your booking: Frankfurt to Singapore, Tuesday evening. Shall I look for the next?"),
        ),
        steps=(
            User("Yes, next possible one, and I must be there before Thursday 9 am, there's a board meeting."),
            Call(
                "search_flights",
                {"from": "FRA", "to": "SIN", "after": f"{case.iso(1)}T18:00", "cabin": "Y"},
                [
                    {"flight": "LH778", "departs": "Wed 22:05 FRA", "arrives": "Thu 17:00 SIN", "seats": 4},
                    {"flight": "SQ325", "departs": "Wed 11:40 FRA", "arrives": "Thu 07:15 SIN", "seats": 2},
                ],
                seconds=2.7,
            ),
            Call("hold_seat", {"flight": "SQ325", "booking": code}, {"held_until": f"{case.iso(1)}T21:30Z", "fee": 0}),
            Say(
                f"One flight makes it: **SQ325**, Wednesday 11:40 from Frankfurt, arriving {arrival} in Singapore. "
                "That leaves an hour and three quarters until nine: tight, but possible without checked bags.\n\n"
                "I'm holding one of the two last seats until 22:30 your time, at no cost. Write **yes** and I book "
                "it."
            ),
        ),
        tags=("rebooking",),
        metadata={"intent": "rebook", "locale": "en-SG", "airline": "LH"},
    )


def visa_from_memory(case: Variation) -> Scenario:
    return Scenario(
        agent="trip-planner",
        provider_format="gemini",
        model="gemini-2.5-flash",
        system=PLANNER + "\nFor visa questions quote the official page you found, or say that you found none.",
        steps=(
            User("I have a Kenyan passport and a 4 hour layover in Frankfurt on the way to Toronto. Do I need a visa?"),
            Fetch("search_rules", {"query": "airport transit visa Germany Kenya"}, [], seconds=0.4),
            Say(
                "No, you don't need a visa. Kenyan citizens may stay in the international transit area of any German "
                "airport for up to 24 hours without one, as long as you don't pass border control. Just keep your "
                "boarding pass for Toronto at hand. Have a good flight!"
            ),
        ),
        tags=("visa", "no-source"),
        metadata={"intent": "visa", "locale": "en-KE", "retrieved_documents": 0},
    )


def hotel_in_french(case: Variation) -> Scenario:
    nights = case.pick("2", "3")
    return Scenario(
        agent="concierge",
        provider_format="anthropic",
        model="claude-sonnet-4-5",
        system="Tu es le concierge de l'Hôtel des Remparts, à Saint-Malo. Vouvoie les clients et réponds brièvement.",
        steps=(
            User(
                f"Bonjour, nous arrivons vendredi pour {nights} nuits avec notre chien, un labrador. Est-ce possible, "
                "et où peut-on le promener tôt le matin ?"
            ),
            Call(
                "regle_de_la_maison",
                {"sujet": "animaux"},
                "Chiens acceptés, 15 € par nuit, pas dans la salle du petit-déjeuner.",
            ),
            Say(
                "Bonjour, votre labrador est le bienvenu : comptez **15 € par nuit**, et la salle du petit-déjeuner "
                "lui reste fermée, mais nous vous servons volontiers en chambre.\n\n"
                "Pour la promenade, la plage du Sillon est à quatre minutes à pied. D'octobre à avril, les chiens y "
                "sont admis toute la journée ; avant huit heures, vous y serez presque seuls."
            ),
        ),
        tags=("hotel",),
        metadata={"intent": "question", "locale": "fr-FR"},
    )
