"""Who has to act."""

from enum import StrEnum


class Actor(StrEnum):
    """Who has to act so that the condition changes."""

    NOBODY = "Nobody"
    USER = "User"
    ADMINISTRATOR = "Administrator"
    OPERATOR = "Tidemill"
