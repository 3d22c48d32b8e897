# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks built manifests: validate.py CRD_FILE... < MANIFESTS

Against the published schemas (kubernetes-validate's for what Kubernetes itself knows, the
CustomResourceDefinitions in the files for the rest), and what no schema says: that selectors meet
the pods, that the grace period holds pre_drain and drain_timeout, that ports have their names, that
the memory suffices, that no volume is optional, that a balancer reaches the port for health and
notices in time that a pod leaves.
Prints `NAME: ...` for each fault and ends with 1 when there is one."""
import configparser
import pathlib
import re
import sys

import jsonschema
import kubernetes_validate
import yaml

KUBERNETES = "1.34"
SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
BYTES = {"k": 2**10, "m": 2**20, "g": 2**30, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "": 1}
faults = []


def fault(resource, text):
    faults.append(f"{resource['kind']}/{resource['metadata']['name']}: {text}")


def closed(schema):
    """The schema, but a field that it does not name is a fault, as for a strict API server."""
    if isinstance(schema, dict):
        schema = {key: closed(value) for key, value in schema.items()}
        loose = schema.get("x-kubernetes-preserve-unknown-fields")
        if "properties" in schema and not loose and "additionalProperties" not in schema:
            schema["additionalProperties"] = False
        if isinstance(schema.get("pattern"), str):  # Go's spelling, and Python's
            schema["pattern"] = schema["pattern"].replace("^(?i)", "(?i)^")
        return schema
    return [closed(item) for item in schema] if isinstance(schema, list) else schema


def read_definitions(paths):
    """The schema of each (apiVersion, kind) that a definition in the files has."""
    schemas = {}
    for path in paths:
        for crd in yaml.safe_load_all(pathlib.Path(path).read_text()):
            if crd and crd["kind"] == "CustomResourceDefinition":
                spec = crd["spec"]
                for version in (v for v in spec["versions"] if v["served"]):
                    key = (f"{spec['group']}/{version['name']}", spec["names"]["kind"])
                    schemas[key] = version["schema"]["openAPIV3Schema"]
    return schemas


def check_schema(resource, definitions):
    schema = definitions.get((resource["apiVersion"], resource["kind"]))
    try:
        if schema is None:
            kubernetes_validate.validate(resource, KUBERNETES, strict=True)
        else:
            top = dict(schema["properties"], metadata={"type": "object"})
            jsonschema.validate(resource, closed(dict(schema, properties=top)))
    except (jsonschema.ValidationError, kubernetes_validate.ValidationError) as error:
        fault(resource, f"{'.'.join(str(p) for p in error.path)}: {error.message}")
    except kubernetes_validate.SchemaNotFoundError:
        fault(resource, "nobody published a schema of this kind")


def seconds(text):
    number, unit = re.fullmatch(r"(\d+)([a-z]*)", text).groups()
    return int(number) * SECONDS[unit or "s"]


def size(text):
    number, unit = re.fullmatch(r"(\d+)([A-Za-z]*)", text).groups()
    return int(number) * BYTES[unit]


def check_memory(deployment, ini):
    """An idle session costs 13 KiB, 5 of them in the program; what is queued for a slow side
    costs the kernel about three times as much as the program (config/CAPACITY.md)."""
    limit = size(deployment["spec"]["template"]["spec"]["containers"][0]["resources"]
                 ["limits"]["memory"])
    server = ini["server"]
    if 4 * int(server["workers"]) * size(server["max_memory"]) > limit:
        fault(deployment, "max_memory of all workers is more than a quarter of limits.memory")
    if int(server["max_sessions"]) * 13 * BYTES["Ki"] > limit / 2:
        fault(deployment, "max_sessions idle sessions take more than half of limits.memory")


def ini_of(resources):
    config_map = next(r for r in resources if r["kind"] == "ConfigMap")
    parser = configparser.ConfigParser(inline_comment_prefixes=None, delimiters=["="])
    parser.read_string(config_map["data"]["sluice.ini"])
    return config_map["metadata"]["name"], parser


def check_deployment(resources, deployment):
    pod = deployment["spec"]["template"]
    container = pod["spec"]["containers"][0]
    config_name, ini = ini_of(resources)
    needed = seconds(ini["server"]["pre_drain"]) + seconds(ini["server"]["drain_timeout"]) + 5
    if pod["spec"]["terminationGracePeriodSeconds"] < needed:
        fault(deployment, f"terminationGracePeriodSeconds is less than {needed:.0f}: pre_drain, "
                          "drain_timeout and 5 s")
    check_memory(deployment, ini)
    probe = container["readinessProbe"]
    unready = probe["periodSeconds"] * probe["failureThreshold"]
    if seconds(ini["server"]["pre_drain"]) < 2 * unready:
        fault(deployment, f"pre_drain is less than twice the {unready} s that readiness takes")
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    for name, section in (("wss", "listen public"), ("health", "health")):
        if not ini[section]["address"].endswith(f":{ports[name]}"):
            fault(deployment, f"port {name} is not the port of [{section}]")
    volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
    if volumes["config"]["configMap"]["name"] != config_name:
        fault(deployment, "its ConfigMap is not the one that is made")
    if any("subPath" in mount for mount in container["volumeMounts"]):
        fault(deployment, "subPath: such a mount never changes again")
    has_tls = "tls_certificate" in ini["listen public"]
    if has_tls != ("tls" in volumes):
        fault(deployment, "the secret is mounted and not used, or used and not mounted")
    for volume in volumes.values():
        if any(source.get("optional") for source in volume.values() if isinstance(source, dict)):
            fault(deployment, f"volume {volume['name']} is optional: a pod would start without it")


def check_balancer(resources):
    """A balancer whose addresses the policy keeps from the port for health sends nobody; one that
    notices too late that a pod leaves sends callers to it for too long."""
    service = next(r for r in resources if r["kind"] == "Service")
    if service["spec"].get("type") != "LoadBalancer":
        return
    _, ini = ini_of(resources)
    told = {name.rpartition("healthcheck-")[2]: value
            for name, value in service["metadata"].get("annotations", {}).items()}
    if "interval" in told and seconds(ini["server"]["pre_drain"]) < 2 * (
            int(told["interval"]) * int(told["unhealthy-threshold"])):
        fault(service, "pre_drain is less than twice the time in which the balancer's checks fail")
    policy = next(r for r in resources if r["kind"] == "NetworkPolicy")
    blocks = [peer["ipBlock"]["cidr"] for rule in policy["spec"]["ingress"]
              if {"port": "health"} in rule["ports"]
              for peer in rule.get("from", []) if "ipBlock" in peer]
    if blocks != [block.strip() for block in ini["listen public"]["trusted_proxies"].split(",")]:
        fault(policy, "the port for health is not open to just the balancer's trusted_proxies")


def check_selectors(resources, deployment):
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    for resource in resources:
        spec = resource.get("spec", {})
        selector = {"Service": spec.get("selector"),
                    "PodDisruptionBudget": spec.get("selector", {}).get("matchLabels"),
                    "Deployment": spec.get("selector", {}).get("matchLabels"),
                    "NetworkPolicy": spec.get("podSelector", {}).get("matchLabels")}
        if resource["kind"] in selector:
            chosen = selector[resource["kind"]]
            if not chosen or not chosen.items() <= labels.items():
                fault(resource, "its selector does not choose the pods of sluice alone")
        if resource["kind"] == "NetworkPolicy":
            for rule in spec["egress"]:
                for peer in rule["to"]:
                    if set(labels.items()) <= set(peer["podSelector"]["matchLabels"].items()):
                        fault(resource, "egress leads to sluice itself")


def main():
    definitions = read_definitions(sys.argv[1:])
    resources = [r for r in yaml.safe_load_all(sys.stdin) if r]
    for resource in resources:
        check_schema(resource, definitions)
    deployment = next(r for r in resources if r["kind"] == "Deployment")
    check_deployment(resources, deployment)
    check_selectors(resources, deployment)
    check_balancer(resources)
    for text in faults:
        print(text)
    return 1 if faults or not resources else 0


sys.exit(main())
