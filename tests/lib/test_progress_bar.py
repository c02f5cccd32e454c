from io import StringIO

from reviewapp.lib.progress_bar import ProgressBar


class Screen(StringIO):
    def isatty(self) -> bool:
        return True


def test_it_redraws_in_place_and_clears() -> None:
    screen = Screen()
    with ProgressBar("Putting", 2_000, screen) as progress:
        progress.drawn_at = 0.0
        progress.update(1_000)

    first, half, cleared = screen.getvalue().split("\r")[1:]
    assert first == f"Putting [{'.' * 30}] 0 of 2,000\x1b[K"
    assert half == f"Putting [{'#' * 15}{'.' * 15}] 1,000 of 2,000\x1b[K"
    assert cleared == "\x1b[K"


def test_it_limits_redraws() -> None:
    screen = Screen()
    with ProgressBar("Putting", 1_000_000, screen) as progress:
        for done in range(100):
            progress.update(done)

    assert screen.getvalue().count("Putting") < 50


def test_it_accepts_a_total_of_zero() -> None:
    with ProgressBar("Putting", 0, Screen()) as progress:
        progress.update(0)


def test_it_writes_nothing_when_not_a_terminal() -> None:
    file = StringIO()
    with ProgressBar("Putting", 2, file) as progress:
        progress.update(2)

    assert file.getvalue() == ""
