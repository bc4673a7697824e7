/** One check: its position in the order, its dependencies, and its findings. */
import { lint } from "../lint/lint.ts";
import type { FindingCode } from "../lint/finding.ts";
import { routeObject } from "../lint/routes.ts";
import type { LintWorld } from "../lint/world.ts";
import { controlledGateway } from "../render/classes.ts";
import type { Condition } from "../resources/core.ts";
import type { Gateway } from "../resources/gateway-api.ts";
import { nameOfObject, type Name } from "../resources/keys.ts";
import type { Evidence } from "./evidence.ts";
import type { Problem } from "./problem.ts";

export type CheckId =
  | "api-server"
  | "crds"
  | "operator"
  | "gateway-class"
  | "gateways"
  | "routes"
  | "dataplanes"
  | "configs"
  | "calls";

export type Examined =
  | { readonly says: string; readonly problems: readonly Problem[]; readonly details?: readonly string[] }
  | { readonly skipped: string };

export interface Check {
  readonly id: CheckId;
  readonly title: string;
  /** Skipped if one of them failed or was skipped. */
  readonly needs: readonly CheckId[];
  readonly examine: (evidence: Evidence) => Examined;
}

/** The check under which a finding of lint is shown. */
const checkOf: Readonly<Record<FindingCode, CheckId>> = {
  manifest: "gateway-class",
  "no-class-of-ours": "gateway-class",
  "class-parameters": "gateway-class",
  "config-unused": "gateway-class",
  "class-missing": "gateways",
  "class-of-another": "gateways",
  "gateway-invalid": "gateways",
  "listener-protocol": "gateways",
  "listener-conflict": "gateways",
  "listener-certificate": "gateways",
  "listener-route-kinds": "gateways",
  "certificate-expires": "gateways",
  "object-name": "gateways",
  "listener-name": "gateways",
  "target-port": "gateways",
  "target-port-conflict": "gateways",
  "listener-not-exposed": "gateways",
  "name-taken": "gateways",
  "address-ignored": "gateways",
  "annotation-unknown": "gateways",
  "annotation-value": "gateways",
  "annotation-listener": "gateways",
  "relay-address-unreachable": "gateways",
  "dataplane-memory": "gateways",
  "http-backend": "gateways",
  "node-port-range": "gateways",
  "node-port-conflict": "gateways",
  "node-port-ignored": "gateways",
  "traffic-policy-ignored": "gateways",
  "traffic-policy-local": "gateways",
  "listener-without-routes": "routes",
  "route-without-parent": "routes",
  "route-parent-missing": "routes",
  "route-not-accepted": "routes",
  "route-masked": "routes",
  "route-rules": "routes",
  "route-without-backends": "routes",
  "backend-kind": "routes",
  "backend-missing": "routes",
  "backend-unusable": "routes",
  "backend-without-endpoints": "routes",
  "backend-not-permitted": "routes",
  "backend-port": "routes",
  "backend-malformed": "routes",
  "backend-special": "routes",
  "backend-everything": "routes",
};

/** `object` is a Gateway or one of its listeners. */
export const isOfGateway = (object: string, name: Name): boolean =>
  object === `Gateway/${name}` || object.startsWith(`Gateway/${name}/`);

/** Of a Gateway or route that `--gateway` excludes. */
const isLeftOut = (object: string, { view }: LintWorld, only: Name): boolean => {
  if (object.startsWith("Gateway/")) return !isOfGateway(object, only);
  if (object.startsWith("UDPRoute")) return !view.routesOfGateway(only).some((route) => routeObject(route) === object);
  return false;
};

/** Errors and warnings of lint that belong to a check. */
export const lintOf = (world: LintWorld, check: CheckId, only: Name | undefined): readonly Problem[] =>
  lint(world)
    .filter(({ code, severity }) => severity !== "note" && checkOf[code] === check)
    .filter(({ object }) => only === undefined || !isLeftOut(object, world, only));

export interface OurGateway {
  readonly name: Name;
  readonly gateway: Gateway;
}

/** Gateways of this controller that are checked, by name. */
export const gatewaysOf = ({ world, only }: Evidence): readonly OurGateway[] =>
  (world?.view.list("Gateway") ?? [])
    .map((gateway) => ({ name: nameOfObject("Gateway", gateway), gateway }))
    .filter(({ name }) => only === undefined || name === only)
    .filter(({ name }) => world !== undefined && controlledGateway(world.view, world.options, name) !== undefined);

interface Status {
  readonly addresses?: readonly { readonly value: string }[];
  readonly conditions?: readonly Condition[];
}

/** The status on the API server. */
export const statusOf = ({ status }: { readonly status?: unknown }): Status => status ?? {};

export const conditionOf = (object: { readonly status?: unknown }, type: string): Condition | undefined =>
  statusOf(object).conditions?.find((one) => one.type === type);

export const isTrue = (object: { readonly status?: unknown }, type: string): boolean =>
  conditionOf(object, type)?.status === "True";

/** `3 Gateways`. */
export const count = (number: number, what: string): string => `${number} ${what}${number === 1 ? "" : "s"}`;
