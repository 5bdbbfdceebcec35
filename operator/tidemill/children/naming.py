"""Names of child objects: deterministic, valid everywhere, and never those of another parent.

A parent's name may have 253 characters and dots; a Job's or a Service's may not. A child's name is
therefore the readable beginning of the parent's name and a hash over the parent's kind, its whole
name and what the child is for. A crash between two writes meets the same name again, and two
parents whose names begin alike never share a child.
"""

import hashlib
import re

MAX_LABEL = 63
HASH_LENGTH = 10
# A pod of several is called as its Job with a dash and its number, of two digits at most.
NUMBER_LENGTH = 3
MAX_STEM = MAX_LABEL - NUMBER_LENGTH - HASH_LENGTH - 1
_DNS_LABEL = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")


def short_hash(*parts: str) -> str:
    """Hash the parts; their boundaries count, so that ("ab", "c") differs from ("a", "bc")."""
    digest = hashlib.sha256()
    for part in parts:
        encoded = part.encode()
        digest.update(len(encoded).to_bytes(8, "big") + encoded)
    return digest.hexdigest()[:HASH_LENGTH]


def child_name(kind: str, parent: str, *purpose: str) -> str:
    """Name a child for its purpose: a valid DNS label, also with the number of a pod after it."""
    suffix = short_hash(kind, parent, *purpose)
    stem = re.sub(r"[^a-z0-9]+", "-", parent)[:MAX_STEM].strip("-")
    # A Service's name must start with a letter; a parent's may start with a digit.
    stem = stem if stem[:1].isalpha() else f"x{stem}"[:MAX_STEM].rstrip("-")
    return f"{stem}-{suffix}"


def service_name(kind: str, parent: str) -> str:
    """Keep the parent's own name where a Service can have it: it is what users type."""
    return parent if _DNS_LABEL.fullmatch(parent) else child_name(kind, parent, "service")
