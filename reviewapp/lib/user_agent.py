"""A browser's name for people, from its User-Agent header."""

# The first that is in the header counts: others name the ones below as well.
_BROWSERS = {
    "Edg": "Edge", "OPR/": "Opera", "SamsungBrowser": "Samsung Internet", "Firefox": "Firefox", "FxiOS": "Firefox",
    "CriOS": "Chrome", "Chrome": "Chrome", "Safari": "Safari", "curl": "curl",
}  # fmt: skip
_SYSTEMS = {
    "Windows": "Windows", "Android": "Android", "iPhone": "iPhone", "iPad": "iPad", "Mac OS X": "macOS",
    "CrOS": "ChromeOS", "Linux": "Linux",
}  # fmt: skip


def describe_browser(user_agent: str) -> str:
    """Return `Firefox on Windows`, or as much of it as the header says."""
    browser, system = _find_first(_BROWSERS, user_agent), _find_first(_SYSTEMS, user_agent)
    return " on ".join(filter(None, (browser or "Unknown browser", system)))


def _find_first(names: dict[str, str], text: str) -> str:
    return next((name for mark, name in names.items() if mark in text), "")
