"""The form of every report, which the kubectl plugin shares."""

from tidemill.pages.page import JUDGEMENT, STYLE, cell, document, facts, table

__all__ = ["JUDGEMENT", "STYLE", "cell", "document", "facts", "table"]
