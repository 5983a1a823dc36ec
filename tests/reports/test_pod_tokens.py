"""ServiceAccount tokens as credentials of attempts, with keys of our own; control_plane/ has the API server's."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.fakes.clock import FakeClock
from tests.reports.running_server import STUDY, Answer, RunningServer, running_server
from tuning_operator.decisions.snapshot import StudyKey
from tuning_operator.errors import ClusterUnavailable
from tuning_operator.ports import TokenIssuer
from tuning_operator.reports import pod_tokens
from tuning_operator.reports.attempt_address import AttemptAddress
from tuning_operator.reports.limits import RateLimit
from tuning_operator.reports.pod_tokens import Pod, PodTokens, is_pod_of

AUDIENCE = "https://operator.ops.svc:8080"
ISSUER = "https://kubernetes.default.svc"
POD = "digits-11111111-0-1-x7k2p"
"""Of trial 0, attempt 1."""
REPORT = {"reports": [{"step": 1, "values": {"accuracy": 0.5}}]}
LIFETIME = 3600


class Cluster:
    """Signs tokens, and answers who asks for the keys."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.keys: dict[str, Any] = {}
        self.asked = 0
        self.away = False
        self.add_key("first")
        self.tokens = PodTokens(self.issuer, AUDIENCE, {STUDY.uid: STUDY}.get, self.clock.now, self.clock.now)

    def add_key(self, name: str) -> None:
        self.keys[name] = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    async def issuer(self) -> TokenIssuer:
        self.asked += 1
        if self.away:
            raise ClusterUnavailable("the API server does not answer")
        return TokenIssuer(ISSUER, {"keys": [_public(name, key) for name, key in self.keys.items()]})

    def token(self, pod: str = POD, namespace: str = STUDY.namespace, key: str = "first", **claims: Any) -> str:
        """A token as the API server makes them; claims that are None are left out."""
        now = int(self.clock.now())
        about = {"namespace": namespace, "pod": {"name": pod, "uid": "u"}, "serviceaccount": {"name": "default"}}
        full = {"iss": ISSUER, "aud": [AUDIENCE], "iat": now, "nbf": now, "exp": now + LIFETIME, "kubernetes.io": about}
        given = {name: value for name, value in {**full, **claims}.items() if value is not None}
        return jwt.encode(given, self.keys[key], "RS256", {"kid": key})

    async def report(self, token: str, trial: int = 0, attempt: int = 1, uid: str = STUDY.uid) -> Answer:
        async with running_server(trials=2, pod_tokens=self.tokens) as operator:
            return await operator.report(REPORT, token=token, trial=trial, attempt=attempt, uid=uid)


def _public(name: str, key: Any) -> dict[str, Any]:
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return {**json.loads(jwt.algorithms.ECAlgorithm.to_jwk(key.public_key())), "kid": name, "alg": "ES256"}
    return {**json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key())), "kid": name, "alg": "RS256"}


@pytest.fixture
def cluster() -> Cluster:
    """Its clock is in another year than the machine that the tests run on."""
    return Cluster()


async def test_a_pod_reports_for_the_attempt_of_its_job(cluster: Cluster) -> None:
    assert (await cluster.report(cluster.token())).status == 200


async def test_a_token_is_verified_once_and_the_keys_are_read_once(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = cluster.token()
    for _ in range(3):
        assert (await cluster.report(token)).status == 200
    assert cluster.asked == 1
    monkeypatch.setattr(pod_tokens.jwt, "decode", None)
    assert (await cluster.report(token)).status == 200


@pytest.mark.parametrize(
    ("pod", "namespace"),
    [
        ("digits-11111111-1-1-x7k2p", "team"),
        ("digits-11111111-0-2-x7k2p", "team"),
        ("digits-11111111-0-1-x7k2p", "lab"),
        ("digits-11111111-0-1", "team"),
        ("digits-11111111-0-1-x7k2", "team"),
        ("digits-11111111-0-1-x-deadbeef-0-1-x7k2p", "team"),
        ("other-11111111-0-1-x7k2p", "team"),
    ],
    ids=["a trial", "an attempt", "a namespace", "no pod", "a short name", "a study named like a Job", "a study"],
)
async def test_the_token_of_another_pod_is_refused_for_good(cluster: Cluster, pod: str, namespace: str) -> None:
    answer = await cluster.report(cluster.token(pod, namespace))
    assert answer.status == 403
    assert f"the pod {namespace}/{pod}, which does not run this attempt" in answer.document["error"]


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"aud": ["https://kubernetes.default.svc"]}, "Audience"),
        ({"aud": None}, "aud"),
        ({"iss": "https://elsewhere"}, "issuer"),
        ({"exp": None}, "exp"),
        ({"nbf": 2**31}, "not yet valid"),
        ({"kubernetes.io": None}, "not bound to a pod"),
        ({"kubernetes.io": {"namespace": "team", "serviceaccount": {"name": "default"}}}, "not bound to a pod"),
        ({"kubernetes.io": "team"}, "not bound to a pod"),
    ],
    ids=[
        "the API server's",
        "for nobody",
        "an issuer",
        "for ever",
        "of tomorrow",
        "no Kubernetes",
        "an account's",
        "text",
    ],
)
async def test_a_token_of_another_kind_is_refused_with_the_reason(
    cluster: Cluster, claims: dict[str, Any], why: str
) -> None:
    answer = await cluster.report(cluster.token(**claims))
    assert answer.status == 401
    assert why in answer.document["error"]


async def test_an_expired_token_is_refused_although_it_was_verified_before(cluster: Cluster) -> None:
    token = cluster.token()
    assert (await cluster.report(token)).status == 200
    cluster.clock.advance(LIFETIME + 11)
    answer = await cluster.report(token)
    assert answer.status == 401
    assert "expired" in answer.document["error"]
    assert (await cluster.report(cluster.token())).status == 200


@pytest.mark.parametrize(
    "forge",
    [
        lambda cluster, claims: jwt.encode(claims, "", "none", {"kid": "first"}),
        lambda cluster, claims: _signed_with_the_public_key(claims, cluster.keys["first"]),
        lambda cluster, claims: jwt.encode(claims, _strange_key(), "RS256", {"kid": "first"}),
        lambda cluster, claims: jwt.encode(claims, _strange_key(), "RS256", {"kid": "strange"}),
        lambda cluster, claims: jwt.encode(claims, _strange_key(), "RS256"),
        lambda cluster, claims: cluster.token()[:-8] + "AAAAAAAA",
        lambda cluster, claims: cluster.token().rpartition(".")[0] + ".",
        lambda cluster, claims: "a.b.c",
        lambda cluster, claims: "." * 4000,
        lambda cluster, claims: "",
    ],
    ids=[
        "unsigned",
        "HMAC",
        "a strange key",
        "a key unknown",
        "no key",
        "cut",
        "no signature",
        "letters",
        "dots",
        "none",
    ],
)
async def test_a_forged_token_is_refused(cluster: Cluster, forge: Callable[[Cluster, dict[str, Any]], str]) -> None:
    claims = jwt.decode(cluster.token(), options={"verify_signature": False})
    assert (await cluster.report(forge(cluster, claims))).status == 401


def _strange_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _signed_with_the_public_key(claims: dict[str, Any], key: rsa.RSAPrivateKey) -> str:
    """The old trick: the public key is everybody's, so a verifier that takes it for an HMAC's secret is fooled."""
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    algorithm = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    head, body = (
        jwt.utils.base64url_encode(json.dumps(part).encode()) for part in ({"alg": "HS256", "kid": "first"}, claims)
    )
    signature = jwt.utils.base64url_encode(algorithm.sign(head + b"." + body, pem))
    return b".".join((head, body, signature)).decode()


async def test_a_new_key_is_found_at_its_first_token(cluster: Cluster) -> None:
    assert (await cluster.report(cluster.token())).status == 200
    cluster.add_key("second")
    cluster.clock.advance(60)
    assert (await cluster.report(cluster.token(key="second"))).status == 200
    assert (await cluster.report(cluster.token())).status == 200


async def test_elliptic_curves_sign_too(cluster: Cluster) -> None:
    cluster.keys["first"] = ec.generate_private_key(ec.SECP256R1())
    claims = {"iss": ISSUER, "aud": AUDIENCE, "exp": int(cluster.clock.now()) + 60, "kubernetes.io": {}}
    claims["kubernetes.io"] = {"namespace": STUDY.namespace, "pod": {"name": POD}}
    assert (await cluster.report(jwt.encode(claims, cluster.keys["first"], "ES256", {"kid": "first"}))).status == 200


async def test_strange_keys_make_the_operator_ask_once_in_a_while(cluster: Cluster) -> None:
    assert (await cluster.report(cluster.token())).status == 200
    cluster.keys["strange"] = _strange_key()
    token = cluster.token(key="strange")
    del cluster.keys["strange"]
    for _ in range(5):
        assert (await cluster.report(token)).status == 401
    cluster.clock.advance(pod_tokens.FETCH_SECONDS)
    for _ in range(5):
        assert (await cluster.report(token)).status == 401
    assert cluster.asked == 2


async def test_a_flood_of_forged_tokens_does_not_hold_up_who_was_verified_before(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster.tokens, "_verifications", RateLimit(0.1, 3))
    known = cluster.token()
    answers = [
        await cluster.report(token) for token in (known, "a.b.c", "a.b.c", "a.b.c", cluster.token(pod="other"), known)
    ]
    assert [answer.status for answer in answers] == [200, 401, 401, 429, 429, 200]
    assert answers[3].headers["Retry-After"] == "10"


async def test_a_key_that_was_taken_out_of_use_is_forgotten(cluster: Cluster) -> None:
    assert (await cluster.report(cluster.token())).status == 200
    cluster.clock.advance(pod_tokens.FRESH_SECONDS)
    token = cluster.token()
    cluster.add_key("second")
    del cluster.keys["first"]
    assert (await cluster.report(token)).status == 401


async def test_keys_that_cant_be_read_are_asked_for_again(cluster: Cluster) -> None:
    cluster.away = True
    answer = await cluster.report(cluster.token())
    assert (answer.status, answer.headers["Retry-After"]) == (503, "10")
    cluster.away = False
    cluster.clock.advance(pod_tokens.FETCH_SECONDS)
    assert (await cluster.report(cluster.token())).status == 200


async def test_known_keys_serve_while_the_api_server_is_away(cluster: Cluster) -> None:
    assert (await cluster.report(cluster.token())).status == 200
    cluster.away = True
    cluster.clock.advance(2 * pod_tokens.FRESH_SECONDS)
    assert (await cluster.report(cluster.token())).status == 200


async def test_the_trial_of_a_study_that_is_not_loaded_comes_again(cluster: Cluster) -> None:
    assert (await cluster.report(cluster.token(), uid="not-loaded")).status == 503


async def test_an_attempt_that_started_with_an_hmac_goes_on(cluster: Cluster) -> None:
    async with running_server(pod_tokens=cluster.tokens) as operator:
        assert (await operator.report(REPORT)).status == 200
    assert cluster.asked == 0


async def test_without_the_option_no_token_of_a_pod_is_accepted(cluster: Cluster, operator: RunningServer) -> None:
    assert (await operator.report(REPORT, token=cluster.token())).status == 401


def test_a_long_name_is_compared_as_kubernetes_cuts_it() -> None:
    study = StudyKey("team", "s" * 40, "22222222-0000-0000-0000-000000000000")
    cut = f"{'s' * 40}-22222222-1234567-"  # 58 characters
    assert is_pod_of(Pod("team", f"{cut}abcde", 0.0), study, AttemptAddress(study.uid, 1234567, 1))
    assert not is_pod_of(Pod("team", f"{cut}abcde", 0.0), study, AttemptAddress(study.uid, 1234568, 1))


def test_a_pod_of_several_is_that_of_its_own_run() -> None:
    study = StudyKey("team", "a" * 40, "11112222-3333-4444-5555-666677778888")
    job = f"{'a' * 40}-11112222-1234567-1"
    for trial, run, name in (
        (3, 0, f"{'a' * 40}-11112222-3-1-0-abcde"),
        (3, 12, f"{'a' * 40}-11112222-3-1-12-abcde"),
        (1234567, 12, f"{job[: 58 - len('-12-')]}-12-abcde"),
    ):
        pod = Pod("team", name, 0.0)
        assert is_pod_of(pod, study, AttemptAddress(study.uid, trial, 1, run))
        assert not is_pod_of(pod, study, AttemptAddress(study.uid, trial, 1, run + 1))
        assert not is_pod_of(pod, study, AttemptAddress(study.uid, trial + 1000, 1, run))
        assert not is_pod_of(Pod("team", f"{name}-x", 0.0), study, AttemptAddress(study.uid, trial, 1, run))
