"""Count the steps that Python's backtracking regex matcher takes, so that a test can ask for linear growth.

Follows `re`'s own parse of a pattern, one step for each character or position that is looked at.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from importlib import import_module
from itertools import islice
from typing import Any

codes: Any = import_module("re._constants")
parser: Any = import_module("re._parser")

_ANCHORS = {codes.AT_BOUNDARY: re.compile(r"\b"), codes.AT_BEGINNING: re.compile("^"), codes.AT_END: re.compile("$")}
_REPEATS = (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT)


def count_steps(regex: re.Pattern[str], text: str, *, is_anchored: bool = False) -> int:
    """Count the steps of finding all matches in a text, or of one match at its start.

    Checks that the matches are those that `re` finds.
    """
    matcher = _Matcher(text, is_dotall=bool(regex.flags & re.DOTALL))
    tree = list(parser.parse(regex.pattern, regex.flags & ~re.UNICODE))
    spans: list[tuple[int, int]] = []
    position = 0
    while position <= len(text):
        end = next(matcher.run(tree, position), None)
        spans += [] if end is None else [(position, end)]
        if is_anchored:
            break
        position = end if end is not None and end > position else position + 1
    matches = [match for match in [regex.match(text)] if match] if is_anchored else regex.finditer(text)
    assert spans == [match.span() for match in matches]
    return matcher.steps


class _Matcher:
    def __init__(self, text: str, *, is_dotall: bool) -> None:
        self.text = text
        self.is_dotall = is_dotall
        self.steps = 0

    def run(self, nodes: list[Any], start: int) -> Iterator[int]:
        """Yield the end of each way in which the nodes match from a position on, the preferred one first."""
        # A stack instead of recursion: a repeat of one character may be as long as the text.
        stack: list[tuple[int, Iterator[int]]] = [(0, iter([start]))]
        while stack:
            index, ends = stack[-1]
            end = next(ends, None)
            if end is None:
                stack.pop()
            elif index == len(nodes):
                yield end
            else:
                stack.append((index + 1, self._match(*nodes[index], end)))  # type: ignore[call-arg]

    def _match(self, code: Any, argument: Any, position: int) -> Iterator[int]:
        self.steps += 1
        if code in _REPEATS:
            low, high, inner = argument
            ends = self._repeat(list(inner), low, high, position, is_lazy=code is codes.MIN_REPEAT)
            return islice(ends, 1) if code is codes.POSSESSIVE_REPEAT else ends
        if code is codes.SUBPATTERN:
            return self.run(list(argument[3]), position)
        if code is codes.BRANCH:
            return (end for branch in argument[1] for end in self.run(list(branch), position))
        if code is codes.ATOMIC_GROUP:
            return islice(self.run(list(argument), position), 1)
        if code in (codes.ASSERT, codes.ASSERT_NOT):
            return iter([position] if self._is_asserted(argument, position) is (code is codes.ASSERT) else [])
        if code is codes.AT:
            return iter([position] if _ANCHORS[argument].match(self.text, position) else [])
        return iter([position + 1] if self._is_char(code, argument, position) else [])

    def _repeat(self, nodes: list[Any], low: int, high: Any, start: int, *, is_lazy: bool) -> Iterator[int]:
        limit = len(self.text) + 1 if high is codes.MAXREPEAT else high
        if is_lazy:
            yield from self._repeat_lazily(nodes, low, limit, start)
            return
        if limit == 1:
            yield from self._repeat_few(nodes, low, start)
            return
        stack: list[tuple[int, Iterator[int]]] = [(start, iter(self.run(nodes, start)))]
        while stack:
            position, ends = stack[-1]
            end = next(ends, None) if len(stack) <= limit else None
            if end is not None and end > position:
                stack.append((end, iter(self.run(nodes, end))))
                continue
            stack.pop()
            if len(stack) >= low:
                yield position

    def _repeat_few(self, nodes: list[Any], low: int, start: int) -> Iterator[int]:
        yield from self.run(nodes, start)
        if low == 0:
            yield start

    def _repeat_lazily(self, nodes: list[Any], low: int, limit: int, start: int) -> Iterator[int]:
        stack: list[Iterator[int]] = [iter([start])]
        while stack:
            end = next(stack[-1], None)
            if end is None:
                stack.pop()
                continue
            if len(stack) > low:
                yield end
            if len(stack) <= limit:
                stack.append(iter(self.run(nodes, end)))

    def _is_asserted(self, argument: Any, position: int) -> bool:
        direction, inner = argument
        start = position - inner.getwidth()[1] if direction < 0 else position
        return start >= 0 and next(self.run(list(inner), start), None) is not None

    def _is_char(self, code: Any, argument: Any, position: int) -> bool:
        if position >= len(self.text):
            return False
        char = self.text[position]
        if code is codes.IN:
            is_negated = argument[0][0] is codes.NEGATE
            return _is_in(char, tuple(argument[1:] if is_negated else argument)) is not is_negated
        return (
            (ord(char) == argument) is (code is codes.LITERAL)
            if code is not codes.ANY
            else self.is_dotall or char != "\n"
        )


@lru_cache(maxsize=10_000)
def _is_in(char: str, members: tuple[Any, ...]) -> bool:
    return any(_is_member(char, *member) for member in members)


def _is_member(char: str, code: Any, argument: Any) -> bool:
    if code is codes.LITERAL:
        return ord(char) == argument
    if code is codes.RANGE:
        return bool(argument[0] <= ord(char) <= argument[1])
    classes = {
        codes.CATEGORY_DIGIT: r"\d", codes.CATEGORY_NOT_DIGIT: r"\D", codes.CATEGORY_SPACE: r"\s",
        codes.CATEGORY_NOT_SPACE: r"\S", codes.CATEGORY_WORD: r"\w", codes.CATEGORY_NOT_WORD: r"\W",
    }  # fmt: skip
    return re.fullmatch(classes[argument], char) is not None
