"""Every reason a condition can carry, with who must act and what to do.

One enum for all kinds: a reason means the same wherever it stands. `docs/reasons.md` is generated
from this file. Values are part of the API: they are added, never renamed.
"""

from enum import StrEnum

from tidemill.api.v1alpha1.actor import Actor


class Reason(StrEnum):
    """A machine-readable cause: `Reason("BucketMissing").meaning` says it in words."""

    actor: Actor
    meaning: str

    def __new__(cls, value: str, actor: Actor, meaning: str) -> "Reason":
        """Keep the documentation beside the value."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.actor = actor
        member.meaning = meaning
        return member

    @classmethod
    def named(cls, value: object) -> "Reason | None":
        """Find a reason by its value; None for anything else."""
        return next((reason for reason in cls if reason == value), None)

    # At rest
    READY = "Ready", Actor.NOBODY, "The object does what its spec says."
    SUCCEEDED = "Succeeded", Actor.NOBODY, "The run has ended and its result is in the status."
    SUSPENDED = (
        "Suspended",
        Actor.USER,
        "`spec.suspend` is true: nothing is done until it is false.",
    )

    # On the way
    SETTLING = (
        "Settling",
        Actor.NOBODY,
        "The source has changed; it is versioned once two listings in a row are equal.",
    )
    INGESTING = "Ingesting", Actor.NOBODY, "A Job reads, checks and copies the data."
    TRAINING = "Training", Actor.NOBODY, "A Job fits and evaluates the estimator."
    ROLLING_OUT = (
        "RollingOut",
        Actor.NOBODY,
        "A new model version starts; the old one still serves.",
    )
    MODELS_LOADING = (
        "ModelsLoading",
        Actor.NOBODY,
        "Models of the list, or a change of it, are on their way into the pods; the others answer.",
    )
    WAITING_FOR_DATASET = (
        "WaitingForDataset",
        Actor.USER,
        "The Dataset named does not exist or has no version yet; work starts when it has.",
    )
    WAITING_FOR_RUN = (
        "WaitingForRun",
        Actor.USER,
        "The TrainingRun named does not exist or has not ended; the rollout starts when it has.",
    )
    QUEUED = (
        "Queued",
        Actor.ADMINISTRATOR,
        "The Job waits for quota in the queue of `spec.queueName`; the message is Kueue's.",
    )
    UNSCHEDULABLE = (
        "Unschedulable",
        Actor.ADMINISTRATOR,
        "No node takes the pod; the message is the scheduler's. Lower the request or add capacity.",
    )
    IMAGE_PULL_FAILED = (
        "ImagePullFailed",
        Actor.ADMINISTRATOR,
        "A node cannot pull the image; the message is the node's. Check the registry and the name.",
    )
    POD_NOT_CREATED = (
        "PodNotCreated",
        Actor.ADMINISTRATOR,
        "The API server refuses the pod (quota, admission, policy); the message is its own.",
    )
    RETRYING = (
        "Retrying",
        Actor.NOBODY,
        "A passing fault of the infrastructure; it is tried again with growing pauses.",
    )

    # The store and its credentials
    STORE_UNAVAILABLE = (
        "StoreUnavailable",
        Actor.ADMINISTRATOR,
        "The object store does not answer. It is tried again with growing pauses and heals itself.",
    )
    BUCKET_MISSING = "BucketMissing", Actor.USER, "The bucket does not exist: create or rename it."
    ACCESS_DENIED = (
        "AccessDenied",
        Actor.USER,
        "Credentials are refused, or a file may not be read: correct the Secret or the rights.",
    )
    SECRET_MISSING = (
        "SecretMissing",
        Actor.USER,
        "The Secret named in the spec does not exist in the namespace: create it.",
    )
    SECRET_INVALID = (
        "SecretInvalid",
        Actor.USER,
        "The Secret lacks a key that is needed or holds one of no use; the message names it.",
    )
    STORE_CREDENTIALS_UNAVAILABLE = (
        "StoreCredentialsUnavailable",
        Actor.ADMINISTRATOR,
        "The store gives no scoped credentials and the namespace has no Secret `tidemill-store`.",
    )

    # Data
    PREFIX_EMPTY = (
        "PrefixEmpty",
        Actor.USER,
        "No object lies under the prefix, or no file under the path: deliver data or fix it.",
    )
    SOURCE_MISSING = (
        "SourceMissing",
        Actor.USER,
        "Nothing lies at the URL, or there is no such database or claim: correct or create it.",
    )
    SOURCE_UNAVAILABLE = (
        "SourceUnavailable",
        Actor.USER,
        "The source's server or volume does not answer or has a fault; it is tried again.",
    )
    ADDRESS_FORBIDDEN = (
        "AddressForbidden",
        Actor.ADMINISTRATOR,
        "The address named is one inside: allow it (`TIDEMILL_HTTP_ALLOWED_NETWORKS`).",
    )
    QUERY_INVALID = (
        "QueryInvalid",
        Actor.USER,
        "The server refuses `spec.source.sql.query`, or a column has a type that is not read.",
    )
    SOURCE_CHANGED = (
        "SourceChanged",
        Actor.NOBODY,
        "An object was written just now or while it was read; the ingest starts again later.",
    )
    SOURCE_MUTATED = (
        "SourceMutated",
        Actor.USER,
        "An object of a version that was not copied (`pin: None`) is gone, or another one now.",
    )
    DATASET_CORRUPT = (
        "DatasetCorrupt",
        Actor.ADMINISTRATOR,
        "Stored content does not match its digest or is gone; restore the bucket or ingest again.",
    )
    VERSION_NOT_FOUND = (
        "VersionNotFound",
        Actor.USER,
        "The Dataset has no version of that digest; the message lists where to find them.",
    )
    PREPARE_INVALID = (
        "PrepareInvalid",
        Actor.USER,
        "`spec.prepare.sql` is not one repeatable SELECT over the source; the message says why.",
    )
    PREPARE_FAILED = (
        "PrepareFailed",
        Actor.USER,
        "`spec.prepare` failed on this delivery, took too long or too much memory.",
    )
    CHECK_INVALID = (
        "CheckInvalid",
        Actor.USER,
        "`spec.schema` or `spec.checks` cannot be applied to these columns; the message says why.",
    )
    CHECKS_FAILED = (
        "ChecksFailed",
        Actor.USER,
        "The delivery fails a check; its report tells where. It is kept and never used as latest.",
    )
    STRUCTURE_CHANGED = (
        "StructureChanged",
        Actor.USER,
        "The delivery breaks with the version before, and `spec.schema.onChange` rejects that.",
    )
    DELIVERY_REJECTED = (
        "DeliveryRejected",
        Actor.USER,
        "A version is in use, but a newer delivery was rejected: mend it, or what is asked of it.",
    )
    RAGGED_ROWS = "RaggedRows", Actor.USER, "A CSV row has more or fewer fields than the header."
    WRONG_ENCODING = (
        "WrongEncoding",
        Actor.USER,
        "A file is not in UTF-8 or in the encoding that is declared: convert it, or declare it.",
    )
    DUPLICATE_COLUMNS = "DuplicateColumns", Actor.USER, "Two columns have one name: rename one."
    NO_ROWS = "NoRows", Actor.USER, "A file has a header and no rows, or nothing at all."
    MALFORMED_FILE = (
        "MalformedFile",
        Actor.USER,
        "A file cannot be read as its format (truncated or not of that format): deliver it again.",
    )
    SCHEMAS_DIFFER = "SchemasDiffer", Actor.USER, "Files of one data set have different columns."

    # The online store of features
    MATERIALISING = (
        "Materialising",
        Actor.NOBODY,
        "A Job writes the newest row of each key to the online store; see `status.online`.",
    )
    ONLINE_STORE_BEHIND = (
        "OnlineStoreBehind",
        Actor.USER,
        "The version is in use, but the online store has not its rows: see `status.online`.",
    )
    ONLINE_STORE_UNAVAILABLE = (
        "OnlineStoreUnavailable",
        Actor.USER,
        "The online store does not answer or refuses to write for now; it is tried again.",
    )
    ONLINE_STORE_FULL = (
        "OnlineStoreFull",
        Actor.USER,
        "The online store's memory is full: raise its limit, or keep less by `spec.online.ttl`.",
    )

    # Training
    TARGET_MISSING = "TargetMissing", Actor.USER, "`spec.target` names no column of the data set."
    TARGET_INVALID = (
        "TargetInvalid",
        Actor.USER,
        "The target column cannot be learnt: empty values, one class only, or of the wrong type.",
    )
    WEIGHTS_INVALID = (
        "WeightsInvalid",
        Actor.USER,
        "`spec.weights` names no column of weights, or the estimator takes none.",
    )
    FEATURES_INVALID = (
        "FeaturesInvalid",
        Actor.USER,
        "A feature column cannot be used as it is, or none is left; exclude it or change its type.",
    )
    SPLIT_INVALID = (
        "SplitInvalid",
        Actor.USER,
        "The split leaves no rows to train on or to hold out.",
    )
    ESTIMATOR_REFUSED = (
        "EstimatorRefused",
        Actor.USER,
        "The class is on no allow-list, has no place where it stands, or is not in the image.",
    )
    PARAMETER_INVALID = (
        "ParameterInvalid",
        Actor.USER,
        "A parameter's name, type or value is wrong; the message lists the valid ones.",
    )
    METRIC_INVALID = "MetricInvalid", Actor.USER, "A metric is unknown or does not fit the task."
    FIT_FAILED = "FitFailed", Actor.USER, "The estimator raised an error; the message is its own."
    LOSS_NOT_FINITE = (
        "LossNotFinite",
        Actor.USER,
        "The model's predictions or scores are not finite numbers.",
    )
    MODEL_NOT_PACKABLE = (
        "ModelNotPackable",
        Actor.USER,
        "The fitted model does not survive saving and loading with equal predictions.",
    )

    # What ends a pod
    OOM_KILLED = (
        "OOMKilled",
        Actor.USER,
        "The container passed its memory limit: raise it or use less.",
    )
    DEADLINE_EXCEEDED = "DeadlineExceeded", Actor.USER, "The run took longer than `spec.deadline`."
    EVICTED = "Evicted", Actor.ADMINISTRATOR, "The node evicted the pod; the message is the node's."
    SCRATCH_FULL = (
        "ScratchFull",
        Actor.ADMINISTRATOR,
        "No room is left for the pod's scratch space; it is tried again. Give nodes more disk.",
    )
    WORKERS_LOST = (
        "WorkersLost",
        Actor.NOBODY,
        "Pods were taken away over one part of the data, or in each try of a fit: tried again.",
    )
    NODE_LOST = (
        "NodeLost",
        Actor.ADMINISTRATOR,
        "The node stopped answering while the pod ran on it.",
    )
    CONTAINER_FAILED = (
        "ContainerFailed",
        Actor.USER,
        "The container ended with an exit code that Tidemill does not know; see the log lines.",
    )
    RESULT_MISSING = (
        "ResultMissing",
        Actor.OPERATOR,
        "The Job says that it succeeded but left no result in the store.",
    )
    INTERNAL_ERROR = "InternalError", Actor.OPERATOR, "A fault in Tidemill: please report it."

    # Models and their packages
    RUN_FAILED = (
        "RunFailed",
        Actor.USER,
        "The TrainingRun named has failed; there is nothing to serve.",
    )
    DIGEST_MISMATCH = (
        "DigestMismatch",
        Actor.USER,
        "The bytes are not those of the digest named: nothing of them is used.",
    )
    UNEXPECTED_FILE = (
        "UnexpectedFile",
        Actor.USER,
        "The package holds a file its manifest does not name.",
    )
    MISSING_FILE = "MissingFile", Actor.USER, "The package lacks a file that its manifest names."
    UNSAFE_PATH = "UnsafePath", Actor.USER, "The package names a path outside itself."
    PICKLE_REFUSED = "PickleRefused", Actor.USER, "The package holds a pickle, which can run code."
    MALFORMED_PACKAGE = (
        "MalformedPackage",
        Actor.USER,
        "The package or its manifest cannot be read.",
    )
    SIGNATURE_INVALID = (
        "SignatureInvalid",
        Actor.USER,
        "The package is not signed by one of the keys in the model's `verification`.",
    )
    MODEL_UNLOADABLE = (
        "ModelUnloadable",
        Actor.USER,
        "The model does not load, or not within its limits; the old one keeps serving.",
    )
    CRASH_LOOPING = (
        "CrashLooping",
        Actor.USER,
        "The server ends again and again; see its log lines.",
    )

    # The object itself
    SPEC_INVALID = (
        "SpecInvalid",
        Actor.USER,
        "The spec contradicts itself; the message names the field.",
    )
    NAME_CONFLICT = (
        "NameConflict",
        Actor.USER,
        "A child object's name is taken by an object of somebody else: rename or remove it.",
    )
    POLICY_VIOLATED = (
        "PolicyViolated",
        Actor.USER,
        "The administrator's policy does not allow what the spec asks for; the message names both.",
    )
    POLICY_INVALID = (
        "PolicyInvalid",
        Actor.ADMINISTRATOR,
        "The policy has a fault or cannot be read: nothing starts until it is mended.",
    )
    FORBIDDEN = (
        "Forbidden",
        Actor.ADMINISTRATOR,
        "The API server forbids a child object (rights, quota, policy); the message is its own.",
    )
