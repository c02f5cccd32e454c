"""URL path converters beside Django's own."""


class PrimaryKeyConverter:
    """A primary key, none larger than a database can store."""

    regex = "[0-9]{1,18}"

    def to_python(self, text: str) -> int:
        return int(text)

    def to_url(self, number: int) -> str:
        return str(number)
