/**
 * Why clients of a gateway may or may not reach a peer. The relay's own rules give the verdict, from the rendered config; a
 * search from Gateway to listener, route, backend and endpoint finds the missing step.
 */
import { nameOfObject } from "../resources/keys.ts";
import { unroutedServices } from "./endpoints.ts";
import { explainGateway, explainReceived } from "./gateway.ts";
import type { Inquiry, PeerQuestion } from "./inquiry.ts";
import type { Past } from "./past.ts";
import { mostTelling, type Step } from "./step.ts";

export interface PeerAnswer {
  readonly reachable: boolean;
  /** The most specific step. */
  readonly because: Step;
  readonly steps: readonly Step[];
}

/** No conclusion before everything is listed. */
const notSynced = ({ past }: Inquiry): readonly Step[] => {
  const state = past.state("operator", "operator");
  if (state !== undefined && state !== "starting" && state !== "syncing") return [];
  return [
    {
      about: "turnpike",
      code: "not-synced",
      says: "not all objects had been listed yet; the previous configuration stayed active",
      todo: "choose a later time with --at, or look for watch.lost in `turnpike log`",
      events: [past.seq],
      steps: [],
    },
  ];
};

const gateways = (inquiry: Inquiry): readonly Step[] => {
  const {
    past: { view, options },
    question: { gateway },
  } = inquiry;
  const kind = options.mode === "dataplane" ? "DataplaneConfig" : "Gateway";
  const names = gateway === undefined ? view.list(kind).map((object) => nameOfObject(kind, object)) : [gateway];
  return names.map((name) => (kind === "Gateway" ? explainGateway(inquiry, name) : explainReceived(inquiry, name)));
};

export const explainPeer = (past: Past, question: PeerQuestion): PeerAnswer => {
  const inquiry = { past, question };
  const steps = [...notSynced(inquiry), ...gateways(inquiry), ...unroutedServices(inquiry)];
  const because = mostTelling(steps) ?? {
    about: "turnpike",
    code: "gateway-missing",
    says: "there are no Gateways",
    todo: "create a GatewayClass, a GatewayConfig and a Gateway",
    events: [],
    steps: [],
  };
  return { reachable: because.code === "reachable", because, steps };
};
