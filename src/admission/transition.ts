/** What changes about the endpoints that a gateway admits, and why. */

/** How peers of a cluster are reached. */
export type PeerProtocol = "UDP" | "TCP";

/** The transition of an endpoint machine. */
export interface EndpointMove {
  /** `SERVICE-NAMESPACE/SERVICE#ADDRESS`; `static:` before it for a StaticService; `CLUSTER#ENDPOINT` of a received config. */
  readonly entity: string;
  readonly from: string;
  readonly to: string;
}

/** `drain` keeps an endpoint admitted and says that it is on its way out. */
export interface AdmissionTransition {
  readonly change: "admit" | "drain" | "revoke";
  /** `NAMESPACE/ROUTE`. */
  readonly cluster: string;
  /** As in the config: `IP`, `IP/LEN`, either followed by `:<MIN-MAX>`. */
  readonly endpoint: string;
  /** UDP unless given. */
  readonly protocol?: PeerProtocol;
  /** Sequence number of the fact that led to it. */
  readonly cause?: number;
  /** The endpoint machine that moved; absent where the endpoint stays and a route no longer leads to it, or the reverse. */
  readonly because?: EndpointMove;
}

/**
 * What takes the admission of a gateway from one revision to the next. Whoever is not at `from` (a relay or a worker that has
 * just started, one that missed a change) brings itself in line with the whole config instead, and is at `to` then.
 */
export interface AdmissionStep {
  readonly from: number;
  readonly to: number;
  readonly transitions: readonly AdmissionTransition[];
}

/** Endpoints that are to be admitted, by cluster. */
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

/** Transitions that take a cluster from the endpoints of `present` to `wanted`; to nothing without it. */
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
