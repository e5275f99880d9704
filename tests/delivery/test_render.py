"""What Envoy is told."""

from __future__ import annotations

from delivery.xds.render import RouteConfig, Target, render


def target(cluster="ep-1", weight=100, **change):
    values = {
        "cluster": cluster, "label": "flights 2", "weight": weight, "address": "10.0.0.7",
        "port": 8080, "host": "models.example:8080", "prefix": "/", "tls": False, **change,
    }  # fmt: skip
    return Target(**values)


def routes_of(config):
    return config["rds"]["resources"][0]["virtual_hosts"][0]["routes"]


def test_a_route_over_two_versions():
    config = render(7, [RouteConfig("flights", 2500, (target("ep-a", 75), target("ep-b", 25)))])

    assert config["revision"] == 7
    assert config["cds"]["version_info"] == config["rds"]["version_info"] == "7"
    (route,) = routes_of(config)
    assert route["match"] == {"prefix": "/flights/"}
    assert route["route"]["timeout"] == "2.500s"
    assert route["route"]["prefix_rewrite"] == "/"
    clusters = route["route"]["weighted_clusters"]["clusters"]
    assert [(c["name"], c["weight"]) for c in clusters] == [("ep-a", 75), ("ep-b", 25)]
    assert clusters[0]["host_rewrite_literal"] == "models.example:8080"
    assert config["rds"]["resources"][0]["validate_clusters"] is True


def test_addresses_are_literals_and_nothing_is_resolved():
    (cluster,) = render(1, [RouteConfig("r", 1000, (target(),))])["cds"]["resources"]
    assert cluster["type"] == "STATIC"
    endpoint = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]
    assert endpoint["address"]["socket_address"] == {"address": "10.0.0.7", "port_value": 8080}
    assert "transport_socket" not in cluster


def test_a_target_without_weight_is_a_cluster_and_no_destination():
    config = render(1, [RouteConfig("r", 1000, (target("ep-a"), target("ep-b", 0)))])
    assert [c["name"] for c in config["cds"]["resources"]] == ["ep-a", "ep-b"]
    clusters = routes_of(config)[0]["route"]["weighted_clusters"]["clusters"]
    assert [c["name"] for c in clusters] == ["ep-a"]


def test_a_route_where_nothing_is_live_says_so():
    config = render(1, [RouteConfig("r", 1000, (target(weight=0),)), RouteConfig("s", 1000, ())])
    assert [route["direct_response"]["status"] for route in routes_of(config)] == [503, 503]


def test_a_prefix_is_kept_and_ends_in_one_slash():
    config = render(1, [RouteConfig("r", 1000, (target(prefix="/v1/models"),))])
    assert routes_of(config)[0]["route"]["prefix_rewrite"] == "/v1/models/"


def test_tls_names_the_host_without_its_port():
    config = render(1, [RouteConfig("r", 1000, (target(tls=True, host="models.example:8443"),))])
    tls = config["cds"]["resources"][0]["transport_socket"]["typed_config"]
    assert tls["sni"] == "models.example"
    matcher = tls["common_tls_context"]["validation_context"]["match_typed_subject_alt_names"]
    assert matcher == [{"san_type": "DNS", "matcher": {"exact": "models.example"}}]


def test_tls_to_an_address_has_no_sni():
    for host, name in (("10.0.0.7:8443", "10.0.0.7"), ("[fd00::7]:8443", "fd00::7")):
        config = render(1, [RouteConfig("r", 1000, (target(tls=True, host=host),))])
        tls = config["cds"]["resources"][0]["transport_socket"]["typed_config"]
        assert "sni" not in tls
        matcher = tls["common_tls_context"]["validation_context"]["match_typed_subject_alt_names"]
        assert matcher == [{"san_type": "IP_ADDRESS", "matcher": {"exact": name}}]


def test_the_same_rows_give_the_same_configuration():
    routes = [RouteConfig("b", 1000, (target("ep-b"),)), RouteConfig("a", 1000, (target("ep-a"),))]
    assert render(1, routes) == render(1, reversed(routes))
