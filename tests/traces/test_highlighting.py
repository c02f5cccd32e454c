"""Code is highlighted in pieces of bounded length, so that no text costs more than its length allows."""

import re
from collections.abc import Iterator

import pytest
from pygments.lexer import ExtendedRegexLexer, Lexer, RegexLexer

from reviewapp.traces.reader import highlighting, sanitising
from reviewapp.traces.reader.highlighting import CODE_CHARS, LANGUAGES, PIECE_SIZE, PIECE_SIZES

PYTHON = 'def total(prices):\n    """Add up."""\n    return sum(prices)\n\n'


@pytest.fixture
def lexed_texts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that Pygments was asked to highlight, those inside others too."""
    texts: list[str] = []
    for lexer_class in (RegexLexer, ExtendedRegexLexer):
        original = lexer_class.get_tokens_unprocessed

        def record(lexer: Lexer, text: str, *args: object, original: object = original, **options: object) -> object:
            texts.append(text)
            return original(lexer, text, *args, **options)  # type: ignore[operator]

        monkeypatch.setattr(lexer_class, "get_tokens_unprocessed", record)
    return texts


def count_worst_steps(texts: list[str]) -> int:
    """The steps that these texts may take at worst: the square of each."""
    return sum(len(text) ** 2 for text in texts)


def plain_text(rendered: str) -> str:
    return re.sub("<[^>]*>", "", rendered.partition('<span class="rest">')[0])


def lines_of(size: int) -> Iterator[str]:
    """Texts whose lines end at other places in each piece."""
    return ((line * size)[:size] for line in ("\n", "a\n", "a \n\n", f"{'a ' * 60}\n"))


@pytest.mark.parametrize("language", sorted(LANGUAGES - {"json"}))
def test_it_takes_steps_in_proportion_to_the_text(language: str, lexed_texts: list[str]) -> None:
    size = PIECE_SIZES.get(language, PIECE_SIZE)
    for short_text, long_text in zip(lines_of(5_000), lines_of(10_000), strict=True):
        steps = []
        for text in (short_text, long_text):
            lexed_texts.clear()
            highlighting.highlight(text, language, CODE_CHARS)
            assert max(map(len, lexed_texts)) <= size
            steps.append(count_worst_steps(lexed_texts))
        assert steps[1] < 2.3 * steps[0]


def test_it_takes_no_steps_beyond_the_budget_of_a_page(lexed_texts: list[str]) -> None:
    steps = []
    for size in (40_000, 80_000):
        lexed_texts.clear()
        sanitising.highlight_code(("a\n" * size)[:size], "csharp")
        steps.append(count_worst_steps(lexed_texts))
    assert steps[0] == steps[1]


@pytest.mark.parametrize("language", ["python", "csharp"])
def test_it_colours_twenty_blocks_of_usual_code(language: str) -> None:
    budget = sanitising.FormatBudget()
    code = (PYTHON * 100)[:2_000]
    blocks = [sanitising.highlight_code(code, language, budget) for _ in range(21)]
    assert all("Not coloured" not in block and "<span" in block for block in blocks[:20])
    assert budget.code_chars == 0
    assert blocks[20].endswith("Not coloured from line 1 on: this page has more than 40,000 characters of code.</span>")
    assert "<span" not in blocks[20].partition('<span class="rest">')[0]


def test_it_keeps_code_beyond_the_budget_plain() -> None:
    text = "a = 1\n" * 10_000
    rendered = sanitising.highlight_code(text, "python")
    assert plain_text(rendered) == text
    assert "Not coloured from line 6,661 on" in rendered


def test_it_keeps_a_line_that_is_too_long_plain() -> None:
    text = f"x = 1\n{'y = 1;' * 1_000}\nz = 1\n"
    rendered = sanitising.highlight_code(text, "python")
    assert plain_text(rendered) == text
    assert rendered.endswith("Not coloured: lines longer than 2,000 characters.</span>")
    assert rendered.count('<span class="mi">1</span>') == 2


def test_it_cuts_code_at_an_empty_line() -> None:
    text = PYTHON * 200
    rendered = sanitising.highlight_code(text, "python")
    assert rendered.count('<span class="sd">') == 200
    assert "rest" not in rendered


def test_it_does_not_highlight_other_languages_inside_markdown(lexed_texts: list[str]) -> None:
    sanitising.highlight_code(f"```csharp\n{'a ' * 100}\n```\n", "markdown")
    assert len(lexed_texts) == 1
