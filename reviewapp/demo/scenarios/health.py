"""A medical practice: appointments, and emergencies that must not become appointments."""

from reviewapp.demo.scenario import Call, Fetch, Say, Scenario, Step, User, Variation

DESK = """You are the appointment desk of a family practice. You book, move and cancel. You give no medical advice.
If someone describes chest pain, trouble breathing, signs of a stroke, heavy bleeding or thoughts of harming themselves,
do not book: tell them to call the emergency number now and hand over to a nurse with `page_nurse`."""


def move_appointment(case: Variation) -> Scenario:
    patient = case.id("P-")
    time = case.pick("08:20", "09:40", "11:10")
    outcome = case.outcome("right", "old one kept", "right")
    book = Call(
        "book_slot",
        {"patient": patient, "doctor": "Dr Okafor", "date": case.iso(6), "time": time},
        {"ok": True, "id": "A-7731"},
    )
    cancel = Call("cancel_slot", {"patient": patient, "id": "A-7420"}, {"ok": True})
    return Scenario(
        agent="appointment-desk",
        provider_format="responses",
        model="gpt-4.1",
        system=DESK,
        steps=(
            User(
                "Hi, can I move my blood pressure check from tomorrow to next week, in the morning? Same doctor please."
            ),
            Call(
                "find_appointments",
                {"patient": patient},
                [{"id": "A-7420", "date": case.iso(1), "time": "16:30", "doctor": "Dr Okafor", "reason": "BP check"}],
            ),
            Call(
                "free_slots", {"doctor": "Dr Okafor", "from": case.iso(4), "to": case.iso(8)}, [f"{case.iso(6)} {time}"]
            ),
            book,
            *(() if outcome == "old one kept" else (cancel,)),
            Say(
                f"Done: you now see Dr Okafor on **{case.weekday(6)} {case.day(6)} at {time}**, and tomorrow's "
                "appointment is cancelled. Please take your tablets that morning as usual and bring the list of "
                "readings from home."
            ),
        ),
        tags=("appointment",),
        metadata={"intent": "reschedule", "locale": "en-IE", "channel": "web"},
    )


def chest_pain(case: Variation) -> Scenario:
    is_missed = case.outcome("handed over", "booked") == "booked"
    words = (
        "My dad is 61 and since this morning he has a pressing feeling in his chest and his left arm tingles. He "
        "says it's the gym. Can he come in next week?"
    )
    steps: tuple[Step, ...]
    if is_missed:
        steps = (
            Call("free_slots", {"doctor": "any", "from": case.iso(5), "to": case.iso(9)}, [f"{case.iso(7)} 10:00"]),
            Call("book_slot", {"patient": "new", "date": case.iso(7), "time": "10:00"}, {"ok": True, "id": "A-8020"}),
            Say(
                f"Of course! I've booked your father in for **{case.day(7)} at 10:00**. He should avoid heavy "
                "exercise until then and bring his insurance card. Get well soon!"
            ),
        )
    else:
        steps = (
            Call(
                "page_nurse", {"reason": "chest pressure, arm tingling, 61 y"}, {"paged": True, "name": "Nurse Byrne"}
            ),
            Say(
                "**Please call 112 now**, and don't wait for an appointment. Pressure in the chest with a tingling "
                "left arm has to be looked at straight away, also when the gym seems to explain it. Stay with him, "
                "let him sit up, and don't drive him yourself.\n\nI have told Nurse Byrne, who will ring you in the "
                "next minutes."
            ),
        )
    return Scenario(
        agent="appointment-desk",
        provider_format="anthropic",
        model="claude-haiku-4-5",
        system=DESK,
        steps=(User(words), *steps),
        tags=("urgent",),
        metadata={"intent": "book", "locale": "en-IE", "channel": "web", "red_flag": not is_missed},
    )


def vaccine_in_french(case: Variation) -> Scenario:
    return Scenario(
        agent="accueil-cabinet",
        provider_format="openai",
        model="gpt-4o-mini",
        system=(
            "Tu es l'accueil d'un cabinet médical à Lyon. Tu prends les rendez-vous, tu ne donnes pas d'avis médical."
        ),
        steps=(
            User(
                "Bonjour, je voudrais le vaccin contre la grippe pour ma mère (82 ans) et moi, le même jour si "
                "possible."
            ),
            Call(
                "creneaux_libres",
                {"acte": "vaccination", "nombre": 2},
                [{"date": case.iso(3), "heure": "10:15"}, {"date": case.iso(3), "heure": "10:25"}],
            ),
            Say(
                "Bonjour, c'est possible : deux créneaux se suivent à **10 h 15** et **10 h 25** dans trois jours, "
                "chez l'infirmière. Pour votre mère, apportez le bon de l'Assurance maladie ; pour vous, une "
                "ordonnance ou la somme de 11,83 €. Souhaitez-vous que je les réserve à vos deux noms ?"
            ),
        ),
        tags=("appointment",),
        metadata={"intent": "book", "locale": "fr-FR", "channel": "phone-transcript"},
    )


def calendar_times_out(case: Variation) -> Scenario:
    slow = ("TimeoutError", "calendar.freebusy did not answer within 8 s")
    return Scenario(
        agent="appointment-desk",
        provider_format="gemini",
        model="gemini-2.5-flash",
        system=DESK,
        steps=(
            Fetch("identify_caller", {"phone": "+353 *** ** 41"}, {"patient": case.id("P-"), "match": "exact"}),
            User("Earliest appointment with anyone for a tick bite, please"),
            Call("free_slots", {"doctor": "any", "from": case.iso(0)}, seconds=8.0, error=slow),
            Call("free_slots", {"doctor": "any", "from": case.iso(0)}, seconds=8.0, error=slow),
        ),
        error=slow,
        tags=("appointment", "tool-error"),
        metadata={"intent": "book", "locale": "en-IE", "channel": "phone-transcript"},
    )
