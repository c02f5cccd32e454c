"""The error of a query."""


class QueryError(Exception):
    """The query is refused or failed; the text and the HTTP status are those that Laminar returns."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status
