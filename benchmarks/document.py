"""`python -m benchmarks.document`: write the recorded figures into docs/benchmarks.md."""

import sys

from benchmarks import records
from benchmarks.environment import ROOT

FILE = ROOT / "docs" / "benchmarks.md"
BEGIN, END = "<!-- recorded: python -m benchmarks.document -->", "<!-- recorded: end -->"


def render(text: str, recorded: dict[str, records.Record]) -> str:
    """Return the document with its table of recorded figures replaced; all else stays as it is."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    rows = ["| benchmark | figure | value | on | fixed loop | load |", "|---|---|---|---|---|---|"]
    for name, record in sorted(recorded.items()):
        speed = record["machine"]
        for figure, value in sorted(record["figures"].items()):
            number = f"{value:,.2f}".rstrip("0").rstrip(".")
            cells = (f"`{name}`", figure, number, record["at"], f"{speed['loop_ms']} ms", str(speed["load"]))
            rows.append(f"| {' | '.join(cells)} |")
    return "\n".join([f"{before}{BEGIN}", *rows, f"{END}{after}"])


def main() -> int:
    FILE.write_text(render(FILE.read_text(), records.load()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
