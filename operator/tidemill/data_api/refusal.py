"""A request that is not answered: with which status, and why in one plain sentence."""

from dataclasses import dataclass


@dataclass(eq=False)
class Refusal(Exception):  # noqa: N818 - named like what it is, as in the API's own reasons
    """Told to the caller as it is: nothing in it may be secret."""

    status: int
    message: str
    retry_after: int | None = None

    def headers(self) -> dict[str, str]:
        """Give the header that says when to come back, or none."""
        return {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
