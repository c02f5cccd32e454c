"""Links to content that is loaded on demand: in place with htmx, as a page of its own without JavaScript.

`query_string` is built by the application and already escaped for HTML; `url` answers it with that content alone.
"""


def render_more_link(
    url: str, query_string: str, label: str, *, extra_params: str = "", css_class: str = "more"
) -> str:
    """Render a link that htmx replaces with what it loads; `extra_params` are sent by htmx only."""
    return (
        f'<p class="{css_class}"><a href="?{query_string}" hx-get="{url}?{query_string}{extra_params}&amp;piece=1"'
        f' hx-target="closest .{css_class}" hx-swap="outerHTML">{label}</a></p>'
    )


def render_lazy_details(
    url: str,
    query_string: str,
    summary: str,
    label: str,
    *,
    css_class: str = "",
    content_id: str = "",
    anchor: str = "",
) -> str:
    """Render a closed `<details>` whose content is loaded when it is first opened."""
    id_attribute = f' id="{content_id}"' if content_id else ""
    link = f'<a href="?{query_string}{anchor}">{label}</a>'
    return (
        f'<details class="{css_class}"><summary>{summary}</summary><div class="later"{id_attribute}'
        f' hx-get="{url}?{query_string}&amp;piece=1" hx-trigger="toggle from:closest details" hx-swap="outerHTML">'
        f"{link}</div></details>"
    )
