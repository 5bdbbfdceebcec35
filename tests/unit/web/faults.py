"""What a server may do to who asks for a file, and what is told of it: alike wherever it is met."""

from dataclasses import dataclass, field

from tests.unit.web.site import HOST, Page, Site

PATH = "/day/data.csv"


@dataclass(frozen=True)
class Fault:
    """A page that cannot be had: the reason, and words that lead out."""

    reason: str
    words: tuple[str, ...]
    page: Page = field(default_factory=Page)
    others: dict[str, Page] = field(default_factory=dict)


def moved(location: str, status: int = 302) -> Page:
    return Page(status=status, location=location)


def ring() -> dict[str, Page]:
    return {f"/{n}": moved(f"/{n + 1}") for n in range(1, 8)}


FAULTS: dict[str, Fault] = {
    "missing": Fault(
        "SourceMissing",
        (PATH, "HTTP 404", "deliver it, or correct spec.source.http.url"),
        Page(status=404),
    ),
    "gone": Fault("SourceMissing", (PATH, "HTTP 410"), Page(status=410)),
    "unauthorised": Fault(
        "AccessDenied", (PATH, "HTTP 401", "set spec.source.http.headersRef"), Page(status=401)
    ),
    "forbidden": Fault("AccessDenied", (PATH, "HTTP 403"), Page(status=403)),
    "own fault": Fault("SourceUnavailable", (PATH, "HTTP 500", "tried again"), Page(status=500)),
    "overloaded": Fault("SourceUnavailable", ("HTTP 503",), Page(status=503)),
    "too often": Fault("SourceUnavailable", ("HTTP 429",), Page(status=429)),
    "teapot": Fault("SpecInvalid", ("HTTP 418", "correct the URL"), Page(status=418)),
    "compressed": Fault(
        "SpecInvalid", ("compressed (gzip)", "store it uncompressed"), Page(encoding="gzip")
    ),
    "circle": Fault("SpecInvalid", ("redirects more than 5 times",), moved("/1"), ring()),
    "to a file": Fault("SpecInvalid", ("no URL of http or https",), moved("file:///etc/passwd")),
    "to credentials": Fault("SpecInvalid", ("without credentials",), moved("http://a:b@x.test/")),
    "nowhere": Fault("SpecInvalid", ("HTTP 302",), Page(status=302)),
    "to metadata": Fault(
        "AddressForbidden",
        ("the host 169.254.169.254", "TIDEMILL_HTTP_ALLOWED_NETWORKS", "administrator"),
        moved("http://169.254.169.254/latest/meta-data/"),
    ),
    "to a private network": Fault("AddressForbidden", ("10.0.0.1",), moved("http://10.0.0.1/x")),
    "to this host": Fault("AddressForbidden", ("the host ::,",), moved("http://[::]/x")),
}


def put(site: Site, fault: Fault) -> str:
    """Put the page at its path; gives its URL."""
    assert site.host == HOST
    site.pages |= {PATH: fault.page, **fault.others}
    return site.url(PATH)
