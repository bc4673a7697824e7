/** The verdict of the relay's own rules (`Admission`) on a peer, from the rendered config. */
import { Admission } from "../admission/admission.ts";
import { datagramPorts, hostAt } from "../admission/own-host.ts";
import type { RenderedGateway, RenderedListener } from "../render/render.ts";
import { denials } from "../reasons.ts";
import type { ClusterConfig, DataplaneConfig } from "../resources/dataplane-config.ts";
import type { Inquiry } from "./inquiry.ts";
import type { Past } from "./past.ts";
import type { Step } from "./step.ts";

/** A gateway with a rendered or received config. */
export interface Configured extends RenderedGateway {
  readonly config: DataplaneConfig;
}

export const isConfigured = (rendered: RenderedGateway | undefined): rendered is Configured =>
  rendered?.config !== undefined;

const isHostName = ({ type }: ClusterConfig): boolean => type === "STRICT_DNS";

/** Names of the clusters that a listener routes to. */
export const clustersOf = ({ config }: Configured, { entity }: RenderedListener): ReadonlySet<string> =>
  new Set(config.listeners?.find((one) => one.name === entity)?.routes);

/** Of the relay's own addresses, the one in the log: if the relay is in the process that renders. */
const ownAddresses = ({ options: { mode, publicAddress } }: Past): readonly string[] =>
  mode === "standalone" && publicAddress !== undefined ? [publicAddress] : [];

/** Host names are left out: the dataplane resolves them where it runs. */
const admissionOf = ({ config, draining }: Configured, past: Past): Admission => {
  const host = hostAt(ownAddresses(past), datagramPorts(config.listeners ?? []));
  const admission = new Admission(host, { deniesPrivate: past.options.deniesPrivate === true });
  for (const cluster of config.clusters ?? []) {
    if (isHostName(cluster)) continue;
    const all = [...new Set([...(cluster.endpoints ?? []), ...(draining[cluster.name] ?? [])])];
    const protocol = cluster.protocol === "TCP" ? ("TCP" as const) : ("UDP" as const);
    admission.apply(all.map((endpoint) => ({ change: "admit", cluster: cluster.name, endpoint, protocol })));
  }
  return admission;
};

/** The relay's answer at one listener; undefined if that is only that no cluster lists the peer. */
export const verdictOf = (
  { past, question: { peer, port } }: Inquiry,
  configured: Configured,
  listener: RenderedListener,
  events: readonly number[],
): Step | undefined => {
  const { config, draining } = configured;
  const about = `listener ${listener.entity}`;
  const clusters = clustersOf(configured, listener);
  const verdict = admissionOf(configured, past).check(listener.entity, clusters, peer, port);
  if (verdict.admitted) {
    const drains = draining[verdict.cluster]?.includes(verdict.endpoint) === true;
    const who = port === undefined ? peer.text : `${peer.text} port ${port}`;
    return {
      about,
      code: "reachable",
      says: `clients can reach ${who}: endpoint ${verdict.endpoint} of ${verdict.cluster}${drains ? " (terminating: until it is removed)" : ""}`,
      events,
      steps: [],
    };
  }
  const { code, reason } = verdict;
  if (code !== "no-cluster" && code !== "revoked")
    return { about, code, says: reason, todo: denials[code].todo, events, steps: [] };
  const hosts = (config.clusters ?? []).filter((cluster) => clusters.has(cluster.name) && isHostName(cluster));
  if (hosts.length === 0) return undefined;
  return {
    about,
    code: "host-names",
    says: `the dataplane resolves the host names of ${hosts.map(({ name }) => name).join(", ")}; only the dataplane knows whether one resolves to ${peer.text}`,
    todo: "run `turnpike status` on the dataplane",
    events,
    steps: [],
  };
};
