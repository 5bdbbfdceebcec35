"""All checks, in the order of their numbers."""

from tests.oip import binary_checks, checks, table

Check = table.Check
# Each module adds its own to the table when it is imported.
MODULES = (checks, binary_checks)
CHECKS = tuple(sorted(table.CHECKS, key=lambda check: check.number))
