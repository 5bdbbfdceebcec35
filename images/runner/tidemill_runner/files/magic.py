"""What a file is by its first bytes, whatever its name says."""

from tidemill_runner.failures import Failure

GZIP = b"\x1f\x8b"
ZSTD = b"\x28\xb5\x2f\xfd"
# As long as any of the signs below, with the name of the first file in an archive.
LENGTH = 64
_OTHERS = {
    GZIP: "gzip within gzip or zstd: deliver it compressed once",
    ZSTD: "zstd within gzip or zstd: deliver it compressed once",
    b"\xfd7zXZ\x00": "xz: deliver it as gzip, as zstd or uncompressed",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "an Excel workbook (.xls): save its sheet as CSV",
    b"Obj\x01": "Avro: deliver Parquet",
}
# These are letters, with which the name of a column may begin; binary data follow them.
_LETTERS = {
    b"PAR1": "Parquet: set the source's format to Parquet",
    b"PARE": "encrypted Parquet: deliver it decrypted",
    b"ORC": "ORC: deliver Parquet",
}
_BZIP2 = b"1AY&SY"
_ZIP = b"PK\x03\x04"
_WORKBOOK = (b"[Content_Types].xml", b"_rels/", b"xl/", b"docProps/")


def check(start: bytes, key: str, wanted: str) -> None:
    """Refuse what is known to be something else; raises Failure, which says what it is."""
    way_out = _other(start[:LENGTH])
    if way_out is not None:
        raise Failure("MalformedFile", f"{key} is not {wanted} but {way_out}")


def _other(start: bytes) -> str | None:
    for magic, way_out in _OTHERS.items():
        if start.startswith(magic):
            return way_out
    for magic, way_out in _LETTERS.items():
        if start.startswith(magic) and any(byte < 9 for byte in start):
            return way_out
    if start.startswith(b"BZh") and start[4:].startswith(_BZIP2):
        return "bzip2: deliver it as gzip, as zstd or uncompressed"
    if not start.startswith(_ZIP):
        return None
    if start[30:].startswith(_WORKBOOK):
        return "an Excel workbook (.xlsx): save its sheet as CSV"
    return "a zip archive: deliver the files in it"
