"""The recorded run: compared by ratio, and documented."""

from benchmarks import document, machine, records
from benchmarks.records import Row, compare, find_figures
from benchmarks.suite import format_table


def make_record(loop_ms: float, **figures: float) -> records.Record:
    return {"at": "2026-12-01", "machine": {"loop_ms": loop_ms, "cores": 2, "load": 0.0}, "figures": figures}


def test_it_documents_the_recorded_run() -> None:
    text = document.FILE.read_text()
    assert document.render(text, records.load()) == text


def test_it_replaces_the_table_only() -> None:
    text = f"prose\n{document.BEGIN}\nold\n{document.END}\nmore prose\n"
    rendered = document.render(text, {"save": make_record(40.0, p50_ms=4.25)})

    assert "| `save` | p50_ms | 4.25 | 2026-12-01 | 40.0 ms | 0.0 |" in rendered
    assert "old" not in rendered
    assert rendered.startswith("prose\n")
    assert rendered.endswith("more prose\n")


def test_it_finds_the_figures_of_a_result() -> None:
    result = {
        "name": "save",
        "work": "…",
        "p50_ms": 4,
        "ok": True,
        "spread": {"p50_ms": [1, 2]},
        "a": {"b": 1.5, "c": "x"},
    }
    assert dict(find_figures(result)) == {"p50_ms": 4, "a.b": 1.5}


def test_it_compares_at_equal_speed() -> None:
    """The machine is now half as fast: a time that doubled, a rate that halved and a size are all unchanged."""
    rows = compare("save", make_record(80, p50_ms=8, per_s=50, kb=7, new=1), make_record(40, p50_ms=4, per_s=100, kb=7))

    assert [row.at_equal_speed for row in rows] == [1.0, 1.0, 1.0, None]
    assert [row.ratio for row in rows] == [2.0, 0.5, 1.0, None]


def test_it_prints_the_speed_of_the_machine_and_a_table() -> None:
    text = format_table(
        [Row("save", "p50_ms", 8, 4, 2.0, 1.0), Row("save", "new", 1, None, None, None)], machine.describe()
    )
    assert text.startswith("fixed loop ")
    assert text.splitlines()[3].split() == ["save", "p50_ms", "8", "4", "2.00", "1.00"]
