"""The page at `/`: three files, read when the server starts, and the headers that keep them apart
from everything else. The page asks for nothing that this server does not answer itself.
"""

from pathlib import Path

from tidemill_server.answers import Answer

HERE = Path(__file__).parent
_TYPES = {
    "/": ("page.html", b"text/html; charset=utf-8"),
    "/page.css": ("page.css", b"text/css; charset=utf-8"),
    "/page.js": ("page.js", b"text/javascript; charset=utf-8"),
}
HEADERS = (
    (
        b"content-security-policy",
        (
            b"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
            b"img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        ),
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-cache"),
)


def pages() -> dict[str, Answer]:
    """The answers by their paths."""
    return {
        path: Answer(200, (HERE / file).read_bytes(), content_type, HEADERS)
        for path, (file, content_type) in _TYPES.items()
    }
