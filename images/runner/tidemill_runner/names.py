"""Names near a wrong one, for messages that show the way out."""

import difflib
from collections.abc import Iterable


def suggestion(wrong: str, known: Iterable[str], *, show: int = 12) -> str:
    """`; did you mean 'x'?`, or the names that there are."""
    names = list(known)
    folded = {name.casefold(): name for name in names}
    near = difflib.get_close_matches(wrong.casefold(), folded, n=3, cutoff=0.6)
    if near:
        return "; did you mean " + " or ".join(repr(folded[name]) for name in near) + "?"
    if not names:
        return ""
    rest = f" and {len(names) - show} more" if len(names) > show else ""
    return f"; there are {', '.join(names[:show])}{rest}"
