/** Listener protocols: in manifests and in dataplane configs. */
import type { ListenerProtocol } from "../resources/dataplane-config.ts";

export type Transport = "UDP" | "TCP";

const protocols: ReadonlyMap<string, ListenerProtocol> = new Map([
  ["UDP", "TURN-UDP"],
  ["TCP", "TURN-TCP"],
  ["TLS", "TURN-TLS"],
  ["DTLS", "TURN-DTLS"],
  ["TURN-UDP", "TURN-UDP"],
  ["TURN-TCP", "TURN-TCP"],
  ["TURN-TLS", "TURN-TLS"],
  ["TURN-DTLS", "TURN-DTLS"],
]);

/** The protocol in any case, with or without `TURN-`; undefined if it is unknown. */
export const listenerProtocol = (text: string): ListenerProtocol | undefined => protocols.get(text.toUpperCase());

export const transportOf = (protocol: ListenerProtocol): Transport =>
  protocol === "TURN-UDP" || protocol === "TURN-DTLS" ? "UDP" : "TCP";

export const needsCertificate = (protocol: ListenerProtocol): boolean =>
  protocol === "TURN-TLS" || protocol === "TURN-DTLS";
