/** Changes of the endpoints that a gateway admits, with their causes. */

/** How peers of a cluster are reached. */
export type PeerProtocol = "UDP" | "TCP";

/** The transition of an endpoint machine. */
export interface EndpointMove {
  /** `SERVICE-NAMESPACE/SERVICE#ADDRESS`; `static:` before it for a StaticService; `CLUSTER#ENDPOINT` of a received config. */
  readonly entity: string;
  readonly from: string;
  readonly to: string;
}

/** `drain` keeps an endpoint admitted and reports that it is terminating. */
export interface AdmissionTransition {
  readonly change: "admit" | "drain" | "revoke";
  /** `NAMESPACE/ROUTE`. */
  readonly cluster: string;
  /** As in the config: `IP`, `IP/LEN`, either followed by `:<MIN-MAX>`. */
  readonly endpoint: string;
  /** UDP by default. */
  readonly protocol?: PeerProtocol;
  /** Sequence number of the fact that caused it. */
  readonly cause?: number;
  /** The endpoint machine that changed; absent if the endpoint stays and a route starts or ceases to lead to it. */
  readonly because?: EndpointMove;
}

/**
 * Takes the admission of a gateway from one revision to the next. A relay or worker that is not at `from` (because it has
 * just started or missed a change) applies the whole config instead, and is at `to` then.
 */
export interface AdmissionStep {
  readonly from: number;
  readonly to: number;
  readonly transitions: readonly AdmissionTransition[];
}

/** Endpoints to admit, by cluster. */
export interface AdmittedCluster {
  readonly name: string;
  readonly protocol: PeerProtocol;
  readonly endpoints: readonly string[];
  /** Of these. */
  readonly draining?: ReadonlySet<string> | undefined;
}

interface Admitted {
  readonly draining: boolean;
  readonly protocol: PeerProtocol;
}

/** Transitions that take a cluster from the endpoints of `present` to `wanted`; without `wanted`, to none. */
export const clusterTransitions = (
  cluster: string,
  present: ReadonlyMap<string, Admitted>,
  wanted?: Omit<AdmittedCluster, "name">,
): readonly AdmissionTransition[] => {
  const { protocol, endpoints, draining } = wanted ?? { protocol: "UDP" as const, endpoints: [] };
  const transitions: AdmissionTransition[] = [];
  const stays = new Set(endpoints);
  for (const [endpoint, is] of present)
    if (!stays.has(endpoint) || is.protocol !== protocol) transitions.push({ change: "revoke", cluster, endpoint });
  for (const endpoint of stays) {
    const drains = draining?.has(endpoint) ?? false;
    const is = present.get(endpoint);
    if (is?.draining !== drains || is.protocol !== protocol)
      transitions.push({
        change: drains ? "drain" : "admit",
        cluster,
        endpoint,
        ...(protocol === "TCP" ? { protocol } : {}),
      });
  }
  return transitions;
};
