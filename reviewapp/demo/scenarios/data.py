"""Database questions, and data extraction from documents."""

import json

from reviewapp.demo.scenario import Call, Check, Fetch, Say, Scenario, User, Variation

ANALYST = """You answer questions about the sales database (PostgreSQL) in one short paragraph and one table.
Read the schema before you write a query. Query read-only. If a word can mean two things, say which one you took."""
SCHEMA = (
    'CREATE TABLE "order" (id bigint, customer_id bigint, placed_at timestamptz, status text);\n'
    "CREATE TABLE order_line (order_id bigint, sku text, quantity int, unit_price numeric);\n"
    "CREATE TABLE refund (order_id bigint, amount numeric, refunded_at timestamptz);"
)


def revenue(case: Variation) -> Scenario:
    region = case.pick("Iberia", "the Nordics", "Benelux")
    is_doubled = case.outcome("right", "doubled", "right") == "doubled"
    sums = ("412,880.10", "398,204.75") if is_doubled else ("206,440.05", "199,102.40")
    join = " LEFT JOIN refund r ON r.order_id = o.id" if is_doubled else ""
    query = (
        "SELECT date_trunc('month', o.placed_at) AS month, sum(l.quantity * l.unit_price) AS revenue\n"
        f'FROM "order" o JOIN order_line l ON l.order_id = o.id{join}\n'
        "WHERE o.status = 'paid' GROUP BY 1 ORDER BY 1 DESC LIMIT 2"
    )
    rows = [{"month": case.iso(-20)[:7], "revenue": sums[0]}, {"month": case.iso(-50)[:7], "revenue": sums[1]}]
    return Scenario(
        agent="sql-assistant",
        provider_format="langchain",
        model="gpt-4o",
        system=ANALYST,
        steps=(
            User(f"How did {region} do last month compared with the month before? Revenue, not orders."),
            Call("get_schema", {"tables": ["order", "order_line", "refund"]}, SCHEMA),
            Call("run_sql", {"query": query}, rows, seconds=1.8),
            Say(
                f"Revenue in {region} rose by about 3.7 % on the month before. I took revenue as the price of all "
                "lines of paid orders, refunds not taken off.\n\n| Month | Revenue (EUR) |\n|---|--:|\n"
                f"| {rows[0]['month']} | {sums[0]} |\n| {rows[1]['month']} | {sums[1]} |\n\n```sql\n{query}\n```"
            ),
        ),
        tags=("sql",),
        metadata={"intent": "analytics", "database": "sales-replica", "rows_returned": 2},
    )


def query_repaired(case: Variation) -> Scenario:
    bad = "SELECT sku, sum(qty) FROM order_line GROUP BY sku ORDER BY 2 DESC LIMIT 5"
    good = bad.replace("qty", "quantity")
    return Scenario(
        agent="sql-assistant",
        provider_format="openai",
        model="gpt-4o-mini",
        system=ANALYST,
        steps=(
            User("top 5 products by units sold ever"),
            Call(
                "run_sql",
                {"query": bad},
                error=("psycopg.errors.UndefinedColumn", 'column "qty" does not exist\nLINE 1: SELECT sku, sum(qty)'),
            ),
            Call("get_schema", {"tables": ["order_line"]}, SCHEMA.splitlines()[1]),
            Call(
                "run_sql",
                {"query": good},
                [["ARIA-2", 9120], ["BOLT-X", 7755], ["CASE-S", 7204], ["PAD-01", 5033], ["CABLE-3", 4987]],
            ),
            Say(
                "The five best sellers by units, all time, cancelled orders included:\n\n| Product | Units |\n"
                "|---|--:|\n| ARIA-2 | 9,120 |\n| BOLT-X | 7,755 |\n| CASE-S | 7,204 |\n| PAD-01 | 5,033 |\n"
                "| CABLE-3 | 4,987 |"
            ),
        ),
        tags=("sql", "tool-error"),
        metadata={"intent": "analytics", "database": "sales-replica"},
    )


def meaning_unclear(case: Variation) -> Scenario:
    return Scenario(
        agent="sql-assistant",
        provider_format="gen_ai",
        model="gpt-4.1",
        system=ANALYST,
        steps=(
            User("how many active customers do we have"),
            Call("get_schema", {"tables": ["customer"]}, {"error": "relation customer is not readable by this role"}),
            Say(
                "I can't answer that yet, for two reasons. I may not read the `customer` table with this role, and "
                "“active” can mean at least three things here: placed an order in the last 90 days, has an account "
                "that is not closed, or opened the app this month.\n\nFrom orders alone I can count the first "
                "meaning. Shall I?"
            ),
        ),
        tags=("sql", "asks-back"),
        metadata={"intent": "analytics", "database": "sales-replica", "rows_returned": 0},
    )


def invoice(case: Variation) -> Scenario:
    number = case.id("RE-2026-")
    sender, city = (
        ("Holzwerk Brandt GmbH", "Kassel"),
        ("Imprimerie Duval SARL", "Lille"),
        ("Talleres Ríos SL", "Vigo"),
    )[case.number % 3]
    net, tax, gross = 1840.00, 349.60, 2189.60
    outcome = case.outcome("right", "swapped", "no currency", "right")
    fields = {
        "invoice_number": number,
        "supplier": {"name": sender, "city": city},
        "issued": case.iso(-6),
        "due": case.iso(24),
        "currency": None if outcome == "no currency" else "EUR",
        "net": gross if outcome == "swapped" else net,
        "tax": tax,
        "gross": net if outcome == "swapped" else gross,
        "lines": [{"text": "Eichentisch 180 x 90", "quantity": 2, "unit_net": 920.0}],
    }
    page = (
        f"{sender}, {city}\nRechnung {number} vom {case.iso(-6)}\nzahlbar bis {case.iso(24)} ohne Abzug\n\n"
        "Pos 1  Eichentisch 180 x 90   2 Stk   920,00   1.840,00\nZwischensumme netto 1.840,00 EUR\n"
        "zzgl. 19 % USt 349,60 EUR\nGesamtbetrag 2.189,60 EUR"
    )
    return Scenario(
        agent="invoice-reader",
        provider_format="openai",
        model="gpt-4o-mini",
        system="Read the invoice into JSON: invoice_number, supplier, issued, due, currency, net, tax, gross, lines.",
        steps=(
            Fetch("ocr", {"file": f"{number}.pdf", "pages": 1}, {"text": page, "confidence": 0.981}, seconds=1.2),
            User(page),
            Say(json.dumps(fields, ensure_ascii=False, indent=2)),
        ),
        input={"file": f"{number}.pdf", "mailbox": "invoices@northwind.example"},
        output=fields,
        tags=("extraction", "invoice"),
        metadata={"intent": "extraction", "pages": 1, "ocr_confidence": 0.981},
    )


def resume(case: Variation) -> Scenario:
    text = (
        "Chiara Lombardi, Torino, chiara@lombardi.example\n2021 to today: data engineer, Ferrovia Digitale (Airflow, "
        "dbt, Snowflake)\n2018-2021: analyst, Banca del Po (SQL, Excel)\nLanguages: Italian, English C1, German A2"
    )
    profile = {
        "name": "Chiara Lombardi",
        "years_of_experience": 8,
        "current_role": "data engineer",
        "skills": ["Airflow", "dbt", "Snowflake", "SQL"],
        "languages": {"it": "native", "en": "C1", "de": "B1"},
    }
    return Scenario(
        agent="cv-reader",
        provider_format="responses",
        model="gpt-4.1",
        system="Extract name, years_of_experience, current_role, skills, languages (CEFR). Do not infer age or family.",
        steps=(User(text), Say(json.dumps(profile, ensure_ascii=False))),
        output=profile,
        tags=("extraction", "hr"),
        metadata={"intent": "extraction", "contains_pii": True},
    )


def ticket_batch(case: Variation) -> Scenario:
    """One very long trace: a nightly batch of tickets, each labelled by a model and saved."""
    tickets = (
        ("Where is parcel {0}? It was due on Monday.", "delivery"),
        ("Please delete my account {0} and all data.", "privacy"),
        ("The left earbud of order {0} is silent.", "defect"),
        ("Can I pay order {0} in three parts?", "payment"),
        ("Your driver left {0} in the rain, everything is soaked!", "delivery"),
        ("I was charged twice for {0}.", "payment"),
        ("How do I pair the speakers from {0} with my TV?", "how-to"),
    )
    steps: list[Check | Fetch] = [Fetch("load_tickets", {"since": case.iso(-1)}, {"tickets": 112})]
    for number in range(112):
        text, label = tickets[case.rng.randrange(len(tickets))]
        ticket = 41_000 + number
        prompt = f"Label this ticket as delivery, payment, defect, privacy or how-to.\n\n{text.format(case.id('NW-'))}"
        error = ("sqlite3.OperationalError", "database is locked") if number in (37, 38) else None
        steps.append(Check("label_ticket", prompt, label))
        steps.append(Fetch("save_label", {"ticket": ticket, "label": label}, "saved", span_type="TOOL", error=error))
    return Scenario(
        agent="nightly-labels",
        provider_format="openai",
        model="gpt-4o-mini",
        system="",
        steps=tuple(steps),
        input={"since": case.iso(-1), "limit": 200},
        output={"labelled": 112, "saved": 110, "failed": [41_037, 41_038]},
        tags=("batch",),
        metadata={"intent": "batch", "tickets": 112, "schedule": {"cron": "15 2 * * *", "zone": "Europe/Berlin"}},
    )
