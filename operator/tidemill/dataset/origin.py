"""What of a source goes to the runner: its part of the input document, and whose keys it reads."""

import base64
from dataclasses import dataclass
from typing import Any

from tidemill.api.v1alpha1.dataset import DatasetSpec, Refresh
from tidemill.api.v1alpha1.durations import parse_duration
from tidemill.api.v1alpha1.sources import (
    HttpSource,
    InlineSource,
    PvcSource,
    S3Source,
    SqlSource,
)
from tidemill.dataset.observe import inline_bytes, max_bytes, source_config
from tidemill.jobs.manifests import VOLUME_DIR
from tidemill.store import layout
from tidemill.store.config import StoreConfig
from tidemill.store.database_addresses import api_server


@dataclass(frozen=True, slots=True)
class Origin:
    """The source of one Dataset, for one ingest."""

    spec: DatasetSpec
    namespace: str
    store: StoreConfig
    allowed_networks: tuple[str, ...]

    def document(self, fingerprint: str) -> dict[str, Any]:
        """Build the part `source` of the input document."""
        source = self.spec.source
        if source.inline:
            data = base64.b64encode(inline_bytes(source.inline)).decode("ascii")
            written = _csv(source.inline)
            return {"kind": "Inline", "format": source.inline.format, "data": data, **written}
        if source.http:
            return self._http(source.http)
        if source.sql:
            return self._sql(source.sql)
        if source.pvc:
            return self._pvc(source.pvc)
        if source.dataset:
            return {
                "kind": "Dataset",
                "name": source.dataset.name,
                "version": fingerprint,
                "manifest": self.upstream_manifest(fingerprint),
            }
        return _s3(source.s3, self.store) if source.s3 else {}

    @property
    def secret(self) -> str | None:
        """Name the Secret that the source is opened with."""
        source = self.spec.source
        reference = None
        if source.s3:
            reference = source.s3.credentials_ref
        elif source.http:
            reference = source.http.headers_ref
        elif source.sql:
            reference = source.sql.credentials_ref
        return reference.name if reference else None

    @property
    def outside(self) -> bool:
        """Tell whether it lies at an address that is not the store's."""
        source = self.spec.source
        if source.s3:
            return source_config(source.s3, self.store, {}).endpoint != self.store.endpoint
        return bool(source.http or source.sql)

    @property
    def claim(self) -> str | None:
        """Name the PersistentVolumeClaim that the source is on."""
        return self.spec.source.pvc.claim_name if self.spec.source.pvc else None

    def upstream_manifest(self, fingerprint: str) -> str | None:
        """Give the key of the manifest that another Dataset is read by."""
        dataset = self.spec.source.dataset
        return layout.manifest_key(self.namespace, dataset.name, fingerprint) if dataset else None

    @property
    def lessening(self) -> str:
        """Say how less is read."""
        source = self.spec.source
        if source.inline:
            return "shorten spec.source.inline.data"
        if source.http:
            return "name a smaller file in spec.source.http.url"
        if source.sql:
            return "ask for fewer rows in spec.source.sql.query"
        if source.pvc:
            return "narrow spec.source.pvc.path"
        if source.dataset:
            return "name a smaller Dataset in spec.source.dataset.name"
        return "narrow spec.source.s3.prefix"

    def _http(self, http: HttpSource) -> dict[str, Any]:
        return {
            "kind": "Http",
            "url": http.url,
            "format": http.format,
            "checksum": http.checksum,
            "maxBytes": max_bytes(http),
            "secret": http.headers_ref.name if http.headers_ref else None,
            "allowedNetworks": list(self.allowed_networks),
            **_csv(http),
        }

    def _sql(self, sql: SqlSource) -> dict[str, Any]:
        return {
            "kind": "Sql",
            "host": sql.host,
            "port": sql.port,
            "database": sql.database,
            "query": sql.query,
            "tls": sql.tls,
            "maxBytes": max_bytes(sql),
            "secret": sql.credentials_ref.name,
            "allowedNetworks": list(self.allowed_networks),
            "apiServer": api_server(),
        }

    def _pvc(self, pvc: PvcSource) -> dict[str, Any]:
        refresh = self.spec.refresh or Refresh()
        return {
            **_written(pvc),
            "kind": "Pvc",
            "claim": pvc.claim_name,
            "root": VOLUME_DIR,
            "path": pvc.path,
            "format": pvc.format,
            "settleSeconds": parse_duration(refresh.settle_period).total_seconds(),
        }


def _csv(source: InlineSource | HttpSource) -> dict[str, Any]:
    return source.model_dump(mode="json", by_alias=True, exclude_none=True, include={"csv"})


def _written(source: S3Source | PvcSource) -> dict[str, Any]:
    return source.model_dump(
        mode="json", by_alias=True, exclude_none=True, include={"include", "csv", "partitions"}
    )


def _s3(s3: S3Source, store: StoreConfig) -> dict[str, Any]:
    place = source_config(s3, store, {})
    return {
        **_written(s3),
        "endpoint": place.endpoint,
        "region": place.region,
        "bucket": s3.bucket,
        "prefix": s3.prefix,
        "format": s3.format,
        "pathStyle": place.path_style,
    }
