"""How a query is refused."""


class Refused(Exception):
    """The query is not answered; the text is Laminar's error, the status its HTTP status."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status
