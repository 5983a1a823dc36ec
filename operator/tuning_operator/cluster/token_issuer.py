"""Who signs the cluster's ServiceAccount tokens, and with which keys."""

from __future__ import annotations

from tuning_operator.cluster.client import ClusterClient
from tuning_operator.errors import ClusterUnavailable
from tuning_operator.ports import TokenIssuer

DISCOVERY = "/.well-known/openid-configuration"
KEYS = "/openid/v1/jwks"
"""Kubernetes lets every ServiceAccount read both (ClusterRole system:service-account-issuer-discovery)."""


async def token_issuer(client: ClusterClient) -> TokenIssuer:
    """Ask the API server; raises what `ClusterClient.send` raises."""
    discovery = await client.request("GET", DISCOVERY)
    name = discovery.get("issuer")
    if not isinstance(name, str) or not name:
        raise ClusterUnavailable(f"the API server names no issuer of ServiceAccount tokens in {DISCOVERY}")
    # Not at the `jwks_uri` of the document, which may be somewhere in a cloud: this connection is a trusted one.
    return TokenIssuer(name, await client.request("GET", KEYS, headers={"Accept": "application/jwk-set+json"}))
