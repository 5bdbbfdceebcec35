"""What is said of a version before it is one: its description, its changes, whether it is let in.

A delivery that is not let in is kept like any other, with the same report, and never becomes the
latest.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tidemill.store import errors, layout
from tidemill.store.manifest import Manifest
from tidemill_runner import lineage
from tidemill_runner.checks import distribution
from tidemill_runner.checks import verdict as checking
from tidemill_runner.checks.declared import sensitive
from tidemill_runner.checks.parse import parse
from tidemill_runner.checks.rule import Plan
from tidemill_runner.checks.run import run
from tidemill_runner.dataset import Version
from tidemill_runner.description import page
from tidemill_runner.description.page import Description
from tidemill_runner.failures import Failure
from tidemill_runner.inputs import DatasetVersion, IngestInput
from tidemill_runner.profile import classify, compare, document, measure
from tidemill_runner.profile.classify import Verdict
from tidemill_runner.profile.document import Profile
from tidemill_runner.rows import Rows
from tidemill_runner.schema import ColumnType, Schema
from tidemill_runner.storage import Storage

log = logging.getLogger(__name__)
MAX_PROFILE_BYTES = 256 * 1024 * 1024
MAX_REASONS = 20


@dataclass(frozen=True)
class Rejection:
    """Why a delivery is not let in."""

    reason: str
    message: str


@dataclass(frozen=True)
class Judgement:
    """What was found of a version; `change` is None where there is none to compare with.

    `documents` are what is to be kept of it, by their keys: `profile` and `report` are two.
    """

    profile: str
    report: str
    why: str
    documents: Mapping[str, bytes]
    change: Verdict | None = None
    reasons: tuple[str, ...] = ()
    rejection: Rejection | None = None
    checks: checking.Verdict | None = None

    def facts(self) -> dict[str, Any]:
        """What result and record say of it."""
        facts: dict[str, Any] = {"profile": self.profile, "report": self.report, "why": self.why}
        if self.change is not None:
            facts["change"] = {"kind": self.change, "reasons": list(self.reasons)}
        if self.checks is not None and self.checks.outcomes:
            facts["checks"] = self.checks.document()
            facts["checkCounts"] = self.checks.counts()
        if self.rejection is not None:
            facts["rejected"] = {
                "reason": self.rejection.reason,
                "message": self.rejection.message,
            }
        return facts


@dataclass(frozen=True)
class _Before:
    """The version that a delivery is compared with."""

    schema: Schema
    profile: Profile


@dataclass(frozen=True)
class Judge:
    """Describes and judges the deliveries of one data set."""

    document: IngestInput
    store: Storage
    now: Callable[[], datetime]

    def judge(self, schema: Schema, manifest: Manifest, rows: Rows) -> Judgement:
        """Look at all rows. Raises Failure."""
        described = _described(schema)
        asked = self.document
        plan = parse(asked.schema or None, asked.checks, described, asked.entity)
        named = self._named(plan, manifest)
        outcomes = run(rows, plan, self.now())
        profile = rows.profile(described, sensitive(asked.schema), _grouping(asked.describe))
        before = self._before(manifest)
        comparison = compare.compare(before.profile, profile) if before else None
        comparisons: dict[str | None, compare.Comparison] = {
            version: compare.compare(other, profile) for version, other in named.items()
        }
        if comparison is not None:
            comparisons[None] = comparison
        verdict = checking.judge([*outcomes, *distribution.judged(plan, comparisons)])
        change, reasons = self._changes(before, schema, comparison)
        rejection = _failed(verdict) or self._broken(change, reasons)
        identity, version = self.document.identity, manifest.digest
        profile_key = layout.profile_key(identity.namespace, identity.name, version)
        report_key = layout.report_key(identity.namespace, identity.name, version)
        told = Description(
            name=f"{identity.namespace}/{identity.name}",
            version=version,
            why=self.document.why,
            bytes=manifest.total_bytes,
            profile=profile,
            checks=verdict.document(),
            previous=before.profile if before else None,
            references=_references(self.document.describe),
            made_from=lineage.told(self.document, manifest),
        )
        return Judgement(
            profile=profile_key,
            report=report_key,
            why=self.document.why,
            documents={
                profile_key: profile.to_bytes(),
                report_key: page.render(told).encode(),
            },
            change=change,
            reasons=reasons,
            rejection=rejection,
            checks=verdict,
        )

    def _named(self, plan: Plan, manifest: Manifest) -> dict[str, Profile]:
        """The profiles of the versions that rules name; nothing moves from a version to itself."""
        identity = self.document.identity
        found: dict[str, Profile] = {}
        for version, rule in distribution.versions(plan).items():
            if version == manifest.digest:
                continue
            key = layout.profile_key(identity.namespace, identity.name, version)
            try:
                found[version] = document.parse(self.store.get(key, MAX_PROFILE_BYTES))
            except (errors.NotFound, errors.AccessDenied, ValueError):
                short = version.removeprefix("sha256:")[:12]
                raise Failure(
                    "CheckInvalid",
                    f"{rule.label.field}.version: this Dataset has no version {short}, or its "
                    "profile is gone from the store: name one of status.versions",
                ) from None
        return found

    def _changes(
        self, before: _Before | None, schema: Schema, comparison: compare.Comparison | None
    ) -> tuple[Verdict | None, tuple[str, ...]]:
        if before is None or comparison is None:
            return None, ()
        change, reasons = classify.classify(before.schema, schema, comparison)
        log.info("against the version before: %s; %s", change, "; ".join(reasons) or "no change")
        return change, reasons[:MAX_REASONS]

    def _broken(self, change: Verdict | None, reasons: tuple[str, ...]) -> Rejection | None:
        if change is not Verdict.BREAKING or self.document.on_change != "Reject":
            return None
        told = "; ".join(reasons[:3])
        return Rejection(
            "StructureChanged",
            f"the delivery breaks with version {self.document.previous_short}: {told}: deliver as "
            "before, or set spec.schema.onChange to Warn or Retrain",
        )

    def _before(self, manifest: Manifest) -> _Before | None:
        """The version in use; None where there is none, or nothing is known of it any more."""
        previous = self.document.previous
        if previous is None or previous == manifest.digest:
            return None
        identity = self.document.identity
        key = layout.manifest_key(identity.namespace, identity.name, previous)
        wanted = DatasetVersion(identity.name, previous, key, self.document.cas)
        try:
            profile = self.store.get(
                layout.profile_key(identity.namespace, identity.name, previous), MAX_PROFILE_BYTES
            )
            return _Before(Version(self.store, wanted).schema, document.parse(profile))
        # With the Job's keys, what is gone there reads as denied.
        except (errors.NotFound, errors.AccessDenied, Failure, ValueError) as error:
            log.warning("version %s cannot be compared with: %s", previous, error)
            return None


def _failed(verdict: checking.Verdict) -> Rejection | None:
    return Rejection("ChecksFailed", verdict.message()) if verdict.rejected else None


def _grouping(describe: Mapping[str, Any]) -> measure.Grouping:
    columns = tuple(group["column"] for group in describe.get("groups") or ())
    return measure.Grouping(columns, describe.get("label"))


def _references(describe: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    return {
        group["column"]: {one["value"]: float(one["share"]) for one in group["reference"]}
        for group in describe.get("groups") or ()
        if group.get("reference")
    }


def _described(schema: Schema) -> Schema:
    """Columns of type Other are not staged: they need not be of one type in all files."""
    return Schema(tuple(c for c in schema.columns if c.type is not ColumnType.OTHER))
