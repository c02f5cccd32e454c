"""Line ends as browsers submit and show them."""


def normalise_newlines(text: str) -> str:
    """Write every line end as a line feed: a text area shows CR LF and a lone CR as one too."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def split_lines(text: str) -> list[str]:
    """Split at line ends only, unlike `str.splitlines`, which also splits at U+2028, form feeds and others."""
    return normalise_newlines(text).split("\n")
