"""The page at `/`, of a model or of several: files, read when the server starts, and the headers
that keep them apart from everything else. A page asks for nothing that this server does not answer
itself.
"""

from collections.abc import Mapping
from pathlib import Path

from tidemill_server.answers import Answer

HERE = Path(__file__).parent
_HTML, _CSS, _SCRIPT = (
    kind + b"; charset=utf-8" for kind in (b"text/html", b"text/css", b"text/javascript")
)
_MODEL = {
    "/": ("page.html", _HTML),
    "/page.css": ("page.css", _CSS),
    "/page.js": ("page.js", _SCRIPT),
}
_SHELF = {
    "/": ("shelf.html", _HTML),
    "/page.css": ("page.css", _CSS),
    "/shelf.js": ("shelf.js", _SCRIPT),
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
    return _read(_MODEL)


def shelf_pages() -> dict[str, Answer]:
    """Those of a server with several models."""
    return _read(_SHELF)


def _read(files: Mapping[str, tuple[str, bytes]]) -> dict[str, Answer]:
    return {
        path: Answer(200, (HERE / file).read_bytes(), content_type, HEADERS)
        for path, (file, content_type) in files.items()
    }
