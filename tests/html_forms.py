"""The forms of a page, as a browser would submit them."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

TARGETS = ("action", "formaction", "hx-post")
Attributes = list[tuple[str, str | None]]


@dataclass(slots=True)
class Form:
    """A form that is sent by POST: where its buttons send it, and its fields with the values that it may send."""

    urls: list[str] = field(default_factory=list)
    fields: dict[str, list[str]] = field(default_factory=dict)


class _FormReader(HTMLParser):
    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url
        self.forms: list[Form] = []
        self.form: Form | None = None
        self.select = ""

    def handle_starttag(self, tag: str, attrs: Attributes) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if tag == "form":
            is_post = attributes.get("method", "").lower() == "post" or "hx-post" in attributes
            self.form = Form() if is_post else None
            if self.form:
                self.forms.append(self.form)
                self.form.urls.append(attributes.get("action") or attributes.get("hx-post") or self.url)
        if self.form is None:
            return
        self.form.urls += [attributes[name] for name in TARGETS[1:] if attributes.get(name)]
        name = attributes.get("name", "")
        if tag == "select":
            self.select = name
        elif tag == "option":
            self.form.fields.setdefault(self.select, []).append(attributes.get("value", ""))
        elif name and tag in ("input", "textarea", "button"):
            self.form.fields.setdefault(name, []).append(attributes.get("value", ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self.form = None


def parse_forms(url: str, page: str) -> list[Form]:
    """Returns the forms of the page at `url` that are sent by POST."""
    reader = _FormReader(url)
    reader.feed(page)
    return reader.forms
