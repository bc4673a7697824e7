/** The last peers that were denied, by gateway: for users who investigate why a client cannot connect. */
import type { Fact, FactLine } from "../journal/fact.ts";

type PeerRefused = Extract<Fact, { readonly type: "peer.refused" }>["data"];

/** A `peer.refused` of the event log. */
export interface Refusal extends Omit<PeerRefused, "gateway"> {
  readonly seq: number;
  /** Milliseconds since 1970. */
  readonly time: number;
}

export interface LatestRefusals {
  note(fact: FactLine): void;
  /** Newest first. */
  of(gateway: string): readonly Refusal[];
}

/** Of each gateway. */
const MAX_REFUSALS = 50;

export const createLatestRefusals = (): LatestRefusals => {
  const byGateway = new Map<string, readonly Refusal[]>();
  return {
    note({ type, data, seq, time }) {
      if (type === "gateway.removed") byGateway.delete(data.gateway);
      if (type !== "peer.refused") return;
      const { gateway, ...refusal } = data;
      byGateway.set(gateway, [{ seq, time, ...refusal }, ...(byGateway.get(gateway) ?? [])].slice(0, MAX_REFUSALS));
    },
    of: (gateway) => byGateway.get(gateway) ?? [],
  };
};
