"""What is loaded only when somebody asks for it: by htmx in its place, without JavaScript as a page of its own.

`asked` is a query of our own making, escaped for HTML; `url` answers it with the piece alone, in its place.
"""


def more(url: str, asked: str, words: str, *, extra: str = "", look: str = "more") -> str:
    """A link that is replaced by what it asks for; `extra` is asked for only when it is."""
    return (
        f'<p class="{look}"><a href="?{asked}" hx-get="{url}?{asked}{extra}&amp;piece=1"'
        f' hx-target="closest .{look}" hx-swap="outerHTML">{words}</a></p>'
    )


def later(url: str, asked: str, summary: str, words: str, *, look: str = "", place: str = "", anchor: str = "") -> str:
    """A closed fold whose content comes when it is opened first; `place` is the content's id."""
    name = f' id="{place}"' if place else ""
    inside = f'<a href="?{asked}{anchor}">{words}</a>'
    return (
        f'<details class="{look}"><summary>{summary}</summary><div class="later"{name}'
        f' hx-get="{url}?{asked}&amp;piece=1" hx-trigger="toggle from:closest details" hx-swap="outerHTML">'
        f"{inside}</div></details>"
    )
