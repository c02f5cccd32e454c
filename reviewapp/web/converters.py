"""What an address may hold beside Django's own kinds."""


class PrimaryKeyConverter:
    """The number of a row, none larger than a database can hold."""

    regex = "[0-9]{1,18}"

    def to_python(self, text: str) -> int:
        return int(text)

    def to_url(self, number: int) -> str:
        return str(number)
