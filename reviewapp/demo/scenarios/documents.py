"""Contracts and policies: summaries, comparisons, answers from clauses."""

from reviewapp.demo.scenario import Check, Fetch, Say, Scenario, User, Variation

LEASE = """LEASE AGREEMENT between Harbour Estates Ltd (Landlord) and the Tenant named in Schedule 1

1. Term. Five years from 1 March. 2. Rent. 4,200 a month, payable in advance on the first day; from the second year
it follows the consumer price index, at most 4 % a year. 3. Deposit. Three months' rent, returned within 60 days after
the end of the term less the cost of repairs. 4. Use. Office only. Signs outside need written consent.
5. Repairs. The Tenant keeps the inside, the Landlord the roof, the outer walls and the lift. 6. Insurance. Each party
insures its own property. 7. Liability. The Landlord's liability for loss of business is limited to six months' rent.
8. Notice. The Tenant may end the lease after the third year with nine months' notice in writing. The Landlord may not.
9. Assignment. Not without consent, which shall not be unreasonably withheld. 10. Disputes. Courts of Bristol."""
LAWYER = """You summarise contracts for the person who is about to sign. Plain words, no advice. Always name: term,
money, how to get out, who is liable for what, and anything unusual. Cite the clause number after each point."""


def lease_summary(case: Variation) -> Scenario:
    is_complete = case.outcome("complete", "no cap") == "complete"
    cap = (
        "- **Liability:** if your business loses money through the landlord's fault, they pay six months' rent at "
        "most (7).\n"
        if is_complete
        else ""
    )
    return Scenario(
        agent="contract-summary",
        provider_format="anthropic",
        model="claude-sonnet-4-5",
        system=LAWYER,
        steps=(
            Fetch("read_file", {"file": "lease-harbour-12.docx"}, LEASE, seconds=0.6),
            User(f"Summarise this lease for a small design studio. What should worry us?\n\n{LEASE}"),
            Say(
                "**In one sentence:** five years, 4,200 a month rising with prices, and only you can leave early, "
                "after year three.\n\n- **Term:** five years from 1 March (1).\n"
                "- **Money:** 4,200 a month in advance; from year two it follows the price index, at most 4 % a "
                "year (2). Deposit 12,600, back within 60 days after the end, less repairs (3).\n"
                "- **Getting out:** after the third year, with nine months' notice in writing; the landlord cannot "
                f"(8).\n{cap}- **Repairs:** everything inside is yours; roof, outer walls and lift are theirs "
                "(5).\n\n**Worth a second look:** the deposit is returned late compared with what is usual, and a "
                "sign at the door needs written consent (4).",
                thinking="Points: 1,2,3,5,8 and the cap in 7. Unusual: one-sided break, 60 days, signs.",
            ),
        ),
        input={"file": "lease-harbour-12.docx", "audience": "small design studio"},
        tags=("contract", "summary"),
        metadata={"intent": "summary", "locale": "en-GB", "document_pages": 11},
    )


def nda_in_german(case: Variation) -> Scenario:
    return Scenario(
        agent="vertragsvergleich",
        provider_format="gen_ai",
        model="gpt-4.1",
        system="Du vergleichst zwei Fassungen eines Vertrags und nennst nur, was sich für unsere Seite ändert.",
        steps=(
            User(
                "Fassung A: § 4 Die Geheimhaltung gilt drei Jahre ab Offenlegung. § 6 Vertragsstrafe 10.000 € je "
                "Verstoß.\nFassung B: § 4 Die Geheimhaltung gilt zeitlich unbegrenzt. § 6 Vertragsstrafe 10.000 € je "
                "Verstoß, bei Vorsatz 50.000 €. § 9 Es gilt das Recht von Delaware.\n\n"
                "Was ist anders, und was ist riskant?"
            ),
            Say(
                "Drei Änderungen gegenüber Fassung A:\n\n| § | Vorher | Jetzt | Folge für uns |\n|---|---|---|---|\n"
                "| 4 | drei Jahre | unbegrenzt | Akten müssen dauerhaft getrennt bleiben |\n"
                "| 6 | 10.000 € | bei Vorsatz 50.000 € | fünffaches Risiko, Beweislast prüfen |\n"
                "| 9 | nicht geregelt | Recht von Delaware | Streit wäre in den USA zu führen |\n\n"
                "Am schwersten wiegt § 9: Ohne ihn gälte deutsches Recht, nach dem eine unangemessen hohe Strafe "
                "herabgesetzt werden kann."
            ),
        ),
        tags=("contract", "comparison"),
        metadata={"intent": "comparison", "locale": "de-DE", "document_pages": 4},
    )


# Longer than 40 lines: a conversation is easier to read in one piece.
def clause_question(case: Variation) -> Scenario:
    is_invented = case.outcome("grounded", "invented") == "invented"
    days = "48 hours" if not is_invented else "72 hours"
    source = "(DPA 7.2)" if not is_invented else "(DPA 9.4)"
    return Scenario(
        agent="policy-search",
        provider_format="langchain",
        model="gpt-4o-mini",
        system="Answer from the passages only and cite them. If they do not hold the answer, say so.",
        steps=(
            Fetch(
                "embed_query",
                {"text": "how quickly must the processor report a breach"},
                {"dimensions": 1536, "norm": 1.0},
                seconds=0.12,
            ),
            Fetch(
                "vector_search",
                {"index": "contracts", "k": 3},
                [
                    {
                        "id": "DPA 7.2",
                        "score": 0.84,
                        "text": "Processor notifies Controller within 48 hours of becoming aware.",
                    },
                    {"id": "DPA 7.5", "score": 0.71, "text": "The notice names the categories of data concerned."},
                    {
                        "id": "MSA 12",
                        "score": 0.55,
                        "text": "Notices are given by e-mail to the contact in Schedule C.",
                    },
                ],
            ),
            User(
                "Passages:\n[DPA 7.2] Processor notifies Controller within 48 hours of becoming aware.\n"
                "[DPA 7.5] The notice names the categories of data concerned.\n"
                "[MSA 12] Notices are given by e-mail to the contact in Schedule C.\n\n"
                "Question: How long do they have to tell us about a data breach, and how?"
            ),
            Say(
                f"Within **{days}** of becoming aware of it {source}, by e-mail to the contact in Schedule C (MSA "
                "12). The notice has to name the categories of data concerned (DPA 7.5)."
            ),
            Check(
                "groundedness",
                f"Are all statements supported by the passages? Answer: within {days} {source}. Say yes or no.",
                "no" if is_invented else "yes",
            ),
        ),
        input={"question": "How long do they have to tell us about a data breach, and how?"},
        tags=("retrieval", "contract"),
        metadata={"intent": "question", "retrieved_documents": 3, "retriever": {"name": "hybrid", "k": 3}},
    )


def minutes(case: Variation) -> Scenario:
    return Scenario(
        agent="meeting-notes",
        provider_format="gemini",
        model="gemini-2.5-pro",
        system="Turn a transcript into decisions, open points and tasks with an owner. Nothing that was not said.",
        steps=(
            User(
                "Ines: the mock-ups are done. Olu: legal wants the consent box unticked by default. Ines: fine, I "
                "change it by Thursday. Pat: do we ship before the holidays? Olu: only if the load test passes. Pat: "
                "I run it tonight. Ines: and the French texts? Olu: nobody has them yet."
            ),
            Say(
                "**Decisions**\n- The consent box is unticked by default (legal's wish, via Olu).\n"
                "- Shipping before the holidays depends on the load test.\n\n**Open**\n"
                "- French texts: no owner yet.\n\n**Tasks**\n1. Ines: change the consent box, by Thursday.\n"
                "2. Pat: run the load test, tonight."
            ),
        ),
        tags=("summary",),
        metadata={"intent": "summary", "locale": "en-US", "speakers": 3},
    )
