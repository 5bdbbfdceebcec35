"""Tokens that an issuer has signed: each thing that must be right, wrong once."""

import asyncio
import base64
import hmac
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from tests.support.authority import Signer, document, mount

from tidemill_server import watched
from tidemill_server.access.guard import Guard
from tidemill_server.access.issuer_keys import IssuersKeys, MountedKeys, read_keys
from tidemill_server.access.oidc import Issuer
from tidemill_server.answers import error_answer
from tidemill_server.protocol.errors import ProtocolError

ISSUER = "https://issuer.example"
SIGNER, OTHER = Signer(), Signer("other")


def issuer(folder: Path, *subjects: str, keys: bytes | None = None) -> Issuer:
    mount(folder, {"jwks.json": keys or document(SIGNER)})
    return Issuer(ISSUER, ("power", "also"), subjects, MountedKeys(folder / "jwks.json"))


def refusal(found: Issuer, token: str | bytes) -> ProtocolError:
    with pytest.raises(ProtocolError) as caught:
        found.check(token.encode() if isinstance(token, str) else token)
    return caught.value


@pytest.mark.parametrize("claims", [{}, {"aud": ["else", "also"]}, {"iat": None}])
def test_a_good_token_counts(tmp_path: Path, claims: dict[str, Any]) -> None:
    found = issuer(tmp_path)
    for _ in range(2):
        found.check(SIGNER.token(**claims).encode())


def test_clocks_may_differ_by_half_a_minute(tmp_path: Path) -> None:
    issuer(tmp_path).check(SIGNER.token(exp=int(time.time()) - 10).encode())


@pytest.mark.parametrize(
    ("claims", "word"),
    [
        ({"aud": "else"}, "must be for power or also"),
        ({"aud": None}, "does not count: MissingRequiredClaimError"),
        ({"iss": "https://issuer.example/"}, "another issuer's"),
        ({"iss": None}, "MissingRequiredClaimError"),
        ({"exp": int(time.time()) - 60}, "expired"),
        ({"exp": None}, "MissingRequiredClaimError"),
        ({"exp": "soon"}, "does not count"),
        ({"nbf": int(time.time()) + 10**6}, "ImmatureSignatureError"),
        ({"sub": None}, "MissingRequiredClaimError"),
    ],
)
def test_a_claim_that_is_wrong_is_told(tmp_path: Path, claims: dict[str, Any], word: str) -> None:
    error = refusal(issuer(tmp_path), SIGNER.token(**claims))
    assert error.status == 401
    assert word in error.message
    assert b'error="invalid_token"' in dict(error.headers)[b"www-authenticate"]


def _unsigned() -> str:
    claims = {"iss": ISSUER, "aud": "power", "sub": "ana", "exp": int(time.time()) + 10**6}
    return jwt.encode(claims, None, "none", {"kid": "first"})  # type: ignore[arg-type]


def _secret_of_the_public_key() -> str:
    """The known confusion: the public key, which all know, taken for a shared secret."""
    public = SIGNER.key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    _, claims, _ = SIGNER.token().split(".")
    head = base64.urlsafe_b64encode(b'{"alg": "HS256", "kid": "first"}').rstrip(b"=").decode()
    signed = hmac.digest(public, f"{head}.{claims}".encode(), "sha256")
    return f"{head}.{claims}.{base64.urlsafe_b64encode(signed).rstrip(b'=').decode()}"


def _by_hand(head: str, claims: str) -> str:
    """A token that no library would write; whether its signature is right is for who reads it."""
    parts = [base64.urlsafe_b64encode(p.encode()).rstrip(b"=").decode() for p in (head, claims)]
    text = ".".join(parts)
    signed = SIGNER.key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{text}.{base64.urlsafe_b64encode(signed).rstrip(b'=').decode()}"


HEAD = '{"alg": "RS256", "kid": "first"}'
CLAIMS = '{"iss": "https://issuer.example", "aud": "power", "sub": %s, "exp": %s}'


@pytest.mark.parametrize(
    "token",
    [
        *(_by_hand(f'{{"alg": {alg}, "kid": "first"}}', "{}") for alg in ("[]", "{}", "1", "null")),
        *(_by_hand(f'{{"alg": "RS256", "kid": {kid}}}', "{}") for kid in ("[]", "{}", "1", "null")),
        _by_hand("[]", "{}"),
        _by_hand("[" * 2000, "{}"),
        _by_hand(HEAD, "[]"),
        _by_hand(HEAD, "[" * 2000),
        _by_hand(HEAD, CLAIMS % ("{}", 9e9)),
        _by_hand(HEAD, CLAIMS % ('"ana"', "1e400")),
        _by_hand(HEAD, CLAIMS % ('"ana"', "NaN")),
        _by_hand(HEAD, CLAIMS % ('"ana"', "[]")),
    ],
)
def test_whatever_stands_in_a_token_it_is_refused_and_no_more(tmp_path: Path, token: str) -> None:
    mount(tmp_path, {"jwks.json": document(SIGNER)})
    keys = MountedKeys(tmp_path / "jwks.json")
    guard = Guard(None, Issuer(ISSUER, ("power",), (), keys))
    with pytest.raises(ProtocolError) as caught:
        guard.check([(b"authorization", b"Bearer " + token.encode())])
    assert caught.value.status == 401


def test_an_end_beyond_all_numbers_is_an_end(tmp_path: Path) -> None:
    found = issuer(tmp_path)
    found.check(_by_hand(HEAD, CLAIMS % ('"ana"', 10**400)).encode())


def test_a_name_that_cannot_be_written_is_told_all_the_same(tmp_path: Path) -> None:
    error = refusal(issuer(tmp_path, "ana"), _by_hand(HEAD, CLAIMS % (r'"\ud800"', 9999999999)))
    assert (error.status, error.message.isascii()) == (403, True)
    assert error_answer(error).status == 403


@pytest.mark.parametrize(
    ("token", "word"),
    [
        (OTHER.token(), "not its issuer's"),
        (Signer("first").token(), "InvalidSignatureError"),
        (SIGNER.token(head={"kid": "none"}), "not its issuer's"),
        (_unsigned(), "public key's algorithm"),
        (SIGNER.token()[:-10], "InvalidSignatureError"),
        (SIGNER.token().rpartition(".")[0] + ".", "InvalidSignatureError"),
        (_secret_of_the_public_key(), "public key's algorithm"),
        ("a.b.c", "neither known here"),
        ("", "neither known here"),
        ("\u00e9" * 30, "neither known here"),
    ],
)
def test_a_signature_that_is_not_the_issuers_counts_for_nothing(
    tmp_path: Path, token: str, word: str
) -> None:
    error = refusal(issuer(tmp_path), token)
    assert (error.status, word in error.message) == (401, True), error.message


def test_only_subjects_that_are_named_may_ask(tmp_path: Path) -> None:
    found = issuer(tmp_path, "ana", "system:serviceaccount:shop:till")
    found.check(SIGNER.token().encode())
    found.check(SIGNER.token(sub="system:serviceaccount:shop:till").encode())
    error = refusal(found, SIGNER.token(sub="system:serviceaccount:shop:tills"))
    assert error.status == 403
    assert "tills may not ask" in error.message
    assert b"insufficient_scope" in dict(error.headers)[b"www-authenticate"]


def test_what_was_good_is_not_good_for_ever(tmp_path: Path) -> None:
    found = issuer(tmp_path)
    moment = [time.time()]
    found.clock = lambda: moment[0]
    token = SIGNER.token(exp=int(moment[0]) + 5)
    found.check(token.encode())
    found.keys = MountedKeys(mount(tmp_path, {"jwks.json": document(OTHER)}) / "jwks.json")
    found.check(token.encode())  # remembered
    moment[0] += 6
    assert refusal(found, token).status == 401


def test_a_key_that_is_taken_away_ends_what_was_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watched, "LOOK_SECONDS", 0.0)
    found = issuer(tmp_path)
    token = SIGNER.token()
    found.check(token.encode())
    mount(tmp_path, {"jwks.json": document(OTHER)})
    assert refusal(found, token).status == 401
    found.check(OTHER.token().encode())


def test_no_more_tokens_are_remembered_than_is_said(tmp_path: Path) -> None:
    found = issuer(tmp_path)
    found.most = 2
    tokens = [SIGNER.token(sub=name) for name in ("ana", "bob", "eve")]
    for token in tokens:
        found.check(token.encode())
    found.keys = MountedKeys(mount(tmp_path, {"jwks.json": document(OTHER)}) / "jwks.json")
    assert refusal(found, tokens[0]).status == 401
    found.check(tokens[1].encode())
    found.check(tokens[2].encode())


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"{}",
        b'{"keys": []}',
        b'{"keys": {}}',
        b'{"keys": [1, null]}',
        b'{"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}',
        b'{"keys": [{"kty": "RSA", "n": "?", "e": "AQAB"}]}',
        document(SIGNER, use="enc"),
        document(SIGNER, alg="none"),
        document(Signer(key=rsa.generate_private_key(65537, key_size=1024))),  # noqa: S505
        b"[" * 100_000,
    ],
)
def test_a_document_without_a_key_that_signs_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match="RFC 7517"):
        read_keys(text)


@pytest.mark.parametrize("named", [None, "PS256"])
def test_a_key_signs_by_the_algorithms_that_it_is_for(tmp_path: Path, named: str | None) -> None:
    more = {"alg": named} if named else {}
    found = issuer(tmp_path, keys=document(SIGNER, **more))
    found.check(SIGNER.token("PS256").encode())
    if named:
        assert refusal(found, SIGNER.token("RS256")).status == 401
    else:
        found.check(SIGNER.token("RS256").encode())


def test_without_a_name_the_one_key_that_there_is_counts(tmp_path: Path) -> None:
    nameless = SIGNER.token(head={"kid": None})
    issuer(tmp_path / "one").check(nameless.encode())
    both = document(SIGNER, OTHER)
    assert refusal(issuer(tmp_path / "two", keys=both), nameless).status == 401


@pytest.mark.parametrize("kind", ["EC", "OKP"])
def test_keys_on_curves_count(tmp_path: Path, kind: str) -> None:
    curve = kind == "EC"
    key: Any = (
        ec.generate_private_key(ec.SECP256R1()) if curve else ed25519.Ed25519PrivateKey.generate()
    )
    algorithms: Any = jwt.algorithms
    algorithm = algorithms.ECAlgorithm if curve else algorithms.OKPAlgorithm
    public = json.loads(algorithm.to_jwk(key.public_key()))
    keys = json.dumps({"keys": [{**public, "kid": "curve"}]}).encode()
    found = issuer(tmp_path, keys=keys)
    claims = {"iss": ISSUER, "aud": "power", "sub": "ana", "exp": int(time.time()) + 10**6}
    name = "ES256" if curve else "EdDSA"
    found.check(jwt.encode(claims, key, name, {"kid": "curve"}).encode())


async def _until(condition: Callable[[], bool]) -> None:
    """Let others go on until something is so."""
    while not condition():  # noqa: ASYNC110 - what is waited for tells nobody
        await asyncio.sleep(0)


class Web:
    """An issuer's documents; what is not there cannot be reached."""

    def __init__(self, *signers: Signer) -> None:
        self.asked = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.pages: dict[str, bytes] = {}
        self.publish(*signers)

    def publish(self, *signers: Signer) -> None:
        told = {"issuer": ISSUER, "jwks_uri": "https://keys.example/jwks"}
        self.pages = {
            f"{ISSUER}/.well-known/openid-configuration": json.dumps(told).encode(),
            "https://keys.example/jwks": document(*signers),
        }

    async def __call__(self, url: str) -> bytes:
        self.asked += 1
        await self.gate.wait()
        if url not in self.pages:
            raise OSError(f"{url} answers 404")
        return self.pages[url]


async def test_the_issuer_is_asked_again_for_a_key_that_is_new() -> None:
    web = Web(SIGNER)
    keys = IssuersKeys(ISSUER, web, pause=0.0)
    await keys.prepare()
    found = Issuer(ISSUER, ("power",), (), keys)
    found.check(SIGNER.token().encode())
    web.publish(SIGNER, OTHER)
    error = refusal(found, OTHER.token())
    assert (error.status, error.retry_after) == (503, 1)
    generation = keys.generation
    await _until(lambda: keys.generation != generation)
    found.check(OTHER.token().encode())


async def test_all_who_come_while_the_issuer_is_asked_are_told_to_come_again() -> None:
    web = Web(SIGNER)
    keys = IssuersKeys(ISSUER, web, pause=0.0)
    await keys.prepare()
    found = Issuer(ISSUER, ("power",), (), keys)
    web.publish(SIGNER, OTHER)
    web.gate.clear()
    asked = web.asked
    for _ in range(3):
        assert refusal(found, OTHER.token()).status == 503
        await _until(lambda: web.asked > asked)
    web.gate.set()
    await _until(lambda: keys.generation > 1)
    found.check(OTHER.token().encode())


async def test_who_invents_keys_makes_no_traffic() -> None:
    web = Web(SIGNER)
    keys = IssuersKeys(ISSUER, web, pause=600.0)
    await keys.prepare()
    found = Issuer(ISSUER, ("power",), (), keys)
    before = web.asked
    for number in range(100):
        assert refusal(found, SIGNER.token(head={"kid": str(number)})).status == 401
        await asyncio.sleep(0)
    assert web.asked == before


@pytest.mark.parametrize(
    "told",
    [
        b"no JSON",
        b"[]",
        b"[" * 100_000,
        json.dumps({"issuer": "https://other.example", "jwks_uri": "https://keys/"}).encode(),
        json.dumps({"issuer": ISSUER}).encode(),
        json.dumps({"issuer": ISSUER, "jwks_uri": "http://keys.example/jwks"}).encode(),
    ],
)
async def test_an_issuer_that_tells_nothing_is_asked_again(
    told: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    web = Web(SIGNER)
    good = dict(web.pages)
    web.pages[f"{ISSUER}/.well-known/openid-configuration"] = told
    keys = IssuersKeys(ISSUER, web, pause=0.0)
    waiting = asyncio.create_task(keys.prepare())
    await _until(lambda: "cannot be read" in caplog.text)
    assert not waiting.done()
    web.pages = good
    await waiting
    Issuer(ISSUER, ("power",), (), keys).check(SIGNER.token().encode())


async def test_keys_hold_on_while_the_issuer_is_away(caplog: pytest.LogCaptureFixture) -> None:
    web = Web(SIGNER)
    keys = IssuersKeys(ISSUER, web, every=0.0, pause=0.0)
    await keys.prepare()
    web.pages = {}
    await _until(lambda: "cannot be read" in caplog.text)
    Issuer(ISSUER, ("power",), (), keys).check(SIGNER.token().encode())
