"""Routes and clusters in Envoy's words. Pure: rows in, JSON out; addresses are literals already."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

TYPE = "type.googleapis.com/envoy"
ROUTE_CONFIG = "countersign"
CA_FILE = "/etc/ssl/certs/ca-certificates.crt"


@dataclass(frozen=True, slots=True)
class Target:
    """One endpoint behind a route: ``weight`` percent of it, at a checked literal address."""

    cluster: str
    label: str
    weight: int
    address: str
    port: int
    host: str
    prefix: str
    tls: bool


@dataclass(frozen=True, slots=True)
class RouteConfig:
    """One route: ``/{name}/…`` over its targets, with a total time-out in milliseconds."""

    name: str
    timeout_ms: int
    targets: tuple[Target, ...]


def render(revision: int, routes: Iterable[RouteConfig]) -> dict[str, Any]:
    """The two discovery responses for one revision.

    Returns: ``{"revision", "cds", "rds"}``; the latter two are what Envoy's files hold.
    """
    ordered = sorted(routes, key=lambda route: route.name)
    clusters: dict[str, dict[str, Any]] = {}
    for route in ordered:
        for target in route.targets:
            clusters.setdefault(target.cluster, _cluster(target))
    return {
        "revision": revision,
        "cds": {
            "version_info": str(revision),
            "resources": [clusters[name] for name in sorted(clusters)],
        },
        "rds": {
            "version_info": str(revision),
            "resources": [
                {
                    "@type": f"{TYPE}.config.route.v3.RouteConfiguration",
                    "name": ROUTE_CONFIG,
                    # A route to a cluster that is not there is refused instead of answering 503.
                    "validate_clusters": True,
                    "virtual_hosts": [
                        {
                            "name": "countersign",
                            "domains": ["*"],
                            "routes": [_route(route) for route in ordered],
                        }
                    ],
                }
            ],
        },
    }


def _route(route: RouteConfig) -> dict[str, Any]:
    match = {"prefix": f"/{route.name}/"}
    live = [target for target in route.targets if target.weight > 0]
    if not live:
        # Nothing approved serves here: say so, rather than let the gateway invent a 404.
        return {
            "match": match,
            "direct_response": {
                "status": 503,
                "body": {"inline_string": '{"error": "no approved version is live here"}'},
            },
        }
    return {
        "match": match,
        "route": {
            "prefix_rewrite": live[0].prefix.rstrip("/") + "/",
            "timeout": f"{route.timeout_ms / 1000:.3f}s",
            "weighted_clusters": {
                "clusters": [
                    {
                        "name": target.cluster,
                        "weight": target.weight,
                        "host_rewrite_literal": target.host,
                        "response_headers_to_add": [
                            {
                                "header": {"key": "x-served-version", "value": target.label},
                                "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
                            }
                        ],
                    }
                    for target in live
                ]
            },
        },
    }


def _cluster(target: Target) -> dict[str, Any]:
    cluster: dict[str, Any] = {
        "@type": f"{TYPE}.config.cluster.v3.Cluster",
        "name": target.cluster,
        "type": "STATIC",
        "connect_timeout": "2s",
        "load_assignment": {
            "cluster_name": target.cluster,
            "endpoints": [
                {
                    "lb_endpoints": [
                        {
                            "endpoint": {
                                "address": {
                                    "socket_address": {
                                        "address": target.address,
                                        "port_value": target.port,
                                    }
                                }
                            }
                        }
                    ]
                }
            ],
        },
    }
    if target.tls:
        name, is_address = _tls_name(target.host)
        sni = {} if is_address else {"sni": name}
        cluster["transport_socket"] = {
            "name": "envoy.transport_sockets.tls",
            "typed_config": {
                "@type": f"{TYPE}.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
                **sni,
                "common_tls_context": {
                    "validation_context": {
                        "trusted_ca": {"filename": CA_FILE},
                        "match_typed_subject_alt_names": [
                            {
                                "san_type": "IP_ADDRESS" if is_address else "DNS",
                                "matcher": {"exact": name},
                            }
                        ],
                    }
                },
            },
        }
    return cluster


def _tls_name(host: str) -> tuple[str, bool]:
    """The certificate's name in a Host header, without its port, and whether it is an address."""
    name = urlsplit(f"//{host}").hostname or host
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name, False
    return name, True
