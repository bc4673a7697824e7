/** Test allocations. */
import type { DataplaneConfig, ListenerConfig } from "../resources/dataplane-config.ts";
import { parseEndpoint } from "../net/endpoint.ts";
import { bitsOf } from "../net/ip.ts";
import type { Check, Examined } from "./check.ts";
import type { Call } from "./evidence.ts";
import { problem, type Problem, type ProblemCode } from "./problem.ts";

const codes: Readonly<Record<NonNullable<Call["failure"]>["kind"], ProblemCode>> = {
  unanswered: "call-unanswered",
  certificate: "call-certificate",
  refused: "call-refused",
};

/** An address that a client of the listener may reach, IPv4 first. */
export const peerOf = (config: DataplaneConfig, listener: ListenerConfig): string | undefined => {
  const addresses = (config.clusters ?? [])
    .filter(({ name, type }) => type === "STATIC" && listener.routes?.includes(name) === true)
    .flatMap(({ endpoints = [] }) => endpoints)
    .flatMap((text) => {
      const endpoint = parseEndpoint(text);
      if (endpoint === undefined || endpoint.length < bitsOf(endpoint.family)) return [];
      return [{ family: endpoint.family, address: text.replace(/(?:\/\d+)?(?::<.*>)?$/, "") }];
    });
  return (addresses.find(({ family }) => family === 4) ?? addresses[0])?.address;
};

const problemsOf = ({ listener, uri, failure }: Call): readonly Problem[] =>
  failure === undefined
    ? []
    : [problem(codes[failure.kind], `Gateway/${listener}`, `${uri}: ${failure.step}: ${failure.says}`)];

const describe = ({ listener, uri, relayed, peer, milliseconds }: Call): string => {
  const done = relayed === undefined ? "STUN Binding answered" : `allocated ${relayed}`;
  const permission = peer === undefined ? "" : `, permission for ${peer}`;
  return `${listener}: ${uri}: ${done}${permission}, in ${Math.round(milliseconds)} ms`;
};

export const calls: Check = {
  id: "calls",
  title: "Test allocations",
  needs: ["gateway-class"],
  examine: ({ calls: evidence }): Examined => {
    if ("skipped" in evidence) return evidence;
    const { made } = evidence;
    if (made.length === 0) return { skipped: "no listener has a public address: see Gateways" };
    const done = made.filter(({ failure }) => failure === undefined);
    return {
      says: `${done.length} of ${made.length} listeners`,
      details: done.map(describe),
      problems: made.flatMap(problemsOf),
    };
  },
};
