"""What a `model.skops` may be before anything reads it: a zip, small enough, without a pickle.

The loader below would allocate whatever a header declares, so sizes are judged first. A file that
is a pickle in front and a zip behind is refused by its first bytes: a zip starts with `PK`.
"""

import zipfile
from pathlib import Path

from tidemill.store.errors import PackageError, PackageReason

MAX_ENTRIES = 100_000
MAX_SCHEMA_BYTES = 512 * 1024 * 1024
MAX_UNPACKED_BYTES = 16 * 1024**3
# A deflated member can be a thousand times smaller than what it unpacks to; honest models are not.
MAX_RATIO = 200
FREE_BYTES = 64 * 1024 * 1024
PICKLE_SUFFIXES = (".pkl", ".pickle", ".joblib", ".dill", ".cloudpickle", ".pt", ".pth")
_ZIP_MAGIC = b"PK\x03\x04"
# PROTO opcode with a protocol number: how every pickle since Python 2.3 starts.
_PICKLE_MAGIC = tuple(bytes((0x80, protocol)) for protocol in range(2, 6))


def is_pickle_name(name: str) -> bool:
    return name.lower().endswith(PICKLE_SUFFIXES)


def is_pickle_start(data: bytes) -> bool:
    return data.startswith(_PICKLE_MAGIC)


def check(path: Path) -> None:
    """Raise PackageError unless the file is a zip that may be given to the loader."""
    with path.open("rb") as file:
        start = file.read(4)
    if is_pickle_start(start):
        raise _refused(PackageReason.PICKLE_REFUSED, f"{path.name} is a pickle")
    if start != _ZIP_MAGIC:
        raise _refused(PackageReason.MALFORMED_PACKAGE, f"{path.name} is not a skops file")
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if "schema.json" not in (member.filename for member in members):
                message = f"{path.name} has no schema.json"
                raise _refused(PackageReason.MALFORMED_PACKAGE, message)
            _check_members(path.name, members)
            # A sparse matrix is a zip itself; it can be looked into now that its own size is known.
            for member in members:
                if member.filename.endswith(".npz"):
                    with archive.open(member) as inner, zipfile.ZipFile(inner) as matrix:
                        _check_members(f"{path.name}: {member.filename}", matrix.infolist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise _refused(
            PackageReason.MALFORMED_PACKAGE, f"{path.name} is a broken zip: {error}"
        ) from None


def _check_members(name: str, members: list[zipfile.ZipInfo]) -> None:
    pickles = [member.filename for member in members if is_pickle_name(member.filename)]
    if pickles:
        raise _refused(PackageReason.PICKLE_REFUSED, f"{name} holds the pickle {pickles[0]!r}")
    sizes = {member.filename: member.file_size for member in members}
    unpacked = sum(member.file_size for member in members)
    packed = sum(member.compress_size for member in members)
    if (
        len(members) > MAX_ENTRIES
        or sizes.get("schema.json", 0) > MAX_SCHEMA_BYTES
        or unpacked > MAX_UNPACKED_BYTES
        or unpacked > FREE_BYTES + MAX_RATIO * packed
    ):
        raise _refused(
            PackageReason.MALFORMED_PACKAGE,
            f"{name} would unpack to {unpacked} bytes in {len(members)} members, more than allowed",
        )


def _refused(reason: PackageReason, message: str) -> PackageError:
    return PackageError(reason, message)
