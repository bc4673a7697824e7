/** Dataplane pods: whether they are ready, and which config they run. */
import { canonicalEndpoint } from "../net/endpoint.ts";
import { compareText } from "../order.ts";
import { isDataplaneDisabled } from "../render/annotations.ts";
import type { DataplaneConfig } from "../resources/dataplane-config.ts";
import { count, gatewaysOf, type Check, type Examined, type OurGateway } from "./check.ts";
import type { DataplanePod, Evidence, RunningConfig } from "./evidence.ts";
import { problem, type Problem } from "./problem.ts";

/** Gateways with a config whose dataplanes the operator runs. */
export const gatewaysWithDataplanes = (evidence: Evidence): readonly OurGateway[] => {
  const { world } = evidence;
  if (world === undefined || world.options.mode === "legacy") return [];
  return gatewaysOf(evidence).filter(
    ({ name, gateway }) => world.rendered(name)?.config !== undefined && !isDataplaneDisabled(gateway),
  );
};

const whyNone = (evidence: Evidence): string => {
  if (evidence.world?.options.mode === "legacy") return "in legacy mode the operator runs no dataplanes";
  const served = gatewaysOf(evidence).filter(({ name }) => evidence.world?.rendered(name)?.config !== undefined);
  return served.length === 0
    ? "no Gateway can be served: see Gateways"
    : "the annotation disable-managed-dataplane of all Gateways is true: the dataplanes are user-managed";
};

const podObject = ({ namespace, name }: DataplanePod): string => `Pod/${namespace}/${name}`;

const readiness = (pods: readonly DataplanePod[], { name }: OurGateway): readonly Problem[] => {
  if (pods.length === 0) return [problem("dataplane-missing", `Gateway/${name}`, "it has no dataplane pod")];
  const code = pods.some(({ isReady }) => isReady) ? "dataplane-partly-ready" : "dataplane-not-ready";
  return pods
    .filter(({ isReady }) => !isReady)
    .map((pod) => problem(code, podObject(pod), `a dataplane of Gateway ${name}, it is not ready: ${pod.why}`));
};

export const dataplanes: Check = {
  id: "dataplanes",
  title: "Dataplanes",
  needs: ["gateway-class"],
  examine: (evidence): Examined => {
    const { pods } = evidence;
    const ours = gatewaysWithDataplanes(evidence);
    if (ours.length === 0) return { skipped: whyNone(evidence) };
    if ("skipped" in pods) return pods;
    const podsOf = ({ name }: OurGateway): readonly DataplanePod[] => pods.get(name) ?? [];
    const all = ours.flatMap(podsOf);
    return {
      says: `${all.filter(({ isReady }) => isReady).length} of ${count(all.length, "pod")} ready`,
      problems: ours.flatMap((one) => readiness(podsOf(one), one)),
    };
  },
};

const list = (texts: readonly string[] = []): string => texts.toSorted(compareText).join(", ") || "none";

/** Parts of the config that are missing or different in the running one; dataplanes do not show credentials. */
export const differences = (wanted: DataplaneConfig, running: RunningConfig): readonly string[] => {
  const found: string[] = [];
  const compare = (what: string, expected: string | number, actual: string | number = "absent"): void => {
    if (expected !== actual) found.push(`${what} is ${actual}, expected ${expected}`);
  };
  compare("authentication", wanted.auth.type, running.auth?.type);
  compare("realm", wanted.auth.realm, running.auth?.realm);
  const names = (items: readonly { readonly name: string }[] = []): string => list(items.map(({ name }) => name));
  compare("the list of listeners", names(wanted.listeners), names(running.listeners));
  compare("the list of routes", names(wanted.clusters), names(running.clusters));
  for (const listener of wanted.listeners ?? []) {
    const one = running.listeners?.find(({ name }) => name === listener.name);
    if (one === undefined) continue;
    compare(`protocol of ${listener.name}`, listener.protocol, one.protocol);
    compare(`port of ${listener.name}`, listener.port, one.port);
    compare(`routes of ${listener.name}`, list(listener.routes), list(one.routes));
    // A placeholder is replaced in the pod.
    const address = listener.public_address ?? "";
    if (!address.startsWith("$")) compare(`public address of ${listener.name}`, address, one.public_address ?? "");
  }
  for (const { name, type, endpoints = [] } of wanted.clusters ?? []) {
    const one = running.clusters?.find((other) => other.name === name);
    if (one === undefined) continue;
    const expected = type === "STATIC" ? endpoints.map(canonicalEndpoint) : endpoints;
    compare(`endpoints of ${name}`, list(expected), list(one.endpoints));
  }
  return found;
};

const reasonOf = ({ answer }: DataplanePod): string | undefined =>
  answer !== undefined && "reason" in answer ? answer.reason : undefined;

const compared = (pod: DataplanePod, wanted: DataplaneConfig): readonly Problem[] => {
  const { answer } = pod;
  if (answer === undefined) return [];
  if ("reason" in answer) return [problem("dataplane-silent", podObject(pod), answer.reason)];
  const found = differences(wanted, answer.status);
  return found.length === 0 ? [] : [problem("dataplane-config-differs", podObject(pod), found.join("; "))];
};

export const configs: Check = {
  id: "configs",
  title: "Configs of dataplanes",
  needs: ["dataplanes"],
  examine: (evidence): Examined => {
    const { pods, world } = evidence;
    const ours = gatewaysWithDataplanes(evidence);
    if (ours.length === 0) return { skipped: whyNone(evidence) };
    if ("skipped" in pods) return pods;
    const asked = ours.flatMap(({ name }) => {
      const config = world?.rendered(name)?.config;
      const answered = (pods.get(name) ?? []).filter(({ answer }) => answer !== undefined);
      return config === undefined ? [] : answered.map((pod) => ({ pod, config }));
    });
    if (asked.length === 0) return { skipped: "no pod has an HTTP server for health checks, or none is ready" };
    const silent = asked.flatMap(({ pod }) => reasonOf(pod) ?? []);
    if (silent.length === asked.length) return { skipped: `no pod can be asked through the API server: ${silent[0]}` };
    return {
      says: `${count(asked.length - silent.length, "pod")} compared with the objects`,
      problems: asked.flatMap(({ pod, config }) => compared(pod, config)),
    };
  },
};
