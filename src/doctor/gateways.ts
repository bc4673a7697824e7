/** GatewayClasses and Gateways: whether they are valid, and what the operator reports about them. */
import { parametersOf, usableClass } from "../render/classes.ts";
import type { Service } from "../resources/core.ts";
import type { GatewayClass } from "../resources/gateway-api.ts";
import { nameOfObject } from "../resources/keys.ts";
import {
  conditionOf,
  count,
  gatewaysOf,
  isOfGateway,
  lintOf,
  statusOf,
  type Check,
  type Examined,
  type OurGateway,
} from "./check.ts";
import type { Evidence } from "./evidence.ts";
import { problem, type Problem } from "./problem.ts";

const NOTHING_READ: Examined = { skipped: "no object could be read" };

const classProblems = ({ world }: Evidence, gatewayClass: GatewayClass): readonly Problem[] => {
  const { name } = gatewayClass.metadata;
  // One without usable parametersRef is a finding of lint.
  if (world === undefined || usableClass(world.view, world.options, name) === undefined) return [];
  const object = `GatewayClass/${name}`;
  const resolved = parametersOf(world.view, world.options, gatewayClass);
  if (!resolved.found) return [problem("class-invalid", object, resolved.cause)];
  const accepted = conditionOf(gatewayClass, "Accepted");
  if (accepted?.status === "True") return [];
  return [
    problem(
      "class-not-accepted",
      object,
      accepted === undefined ? "it has no condition Accepted" : `Accepted is ${accepted.status}: ${accepted.message}`,
    ),
  ];
};

export const gatewayClasses: Check = {
  id: "gateway-class",
  title: "GatewayClass",
  needs: ["crds", "operator"],
  examine: (evidence): Examined => {
    const { world, controllerName, only } = evidence;
    if (world === undefined) return NOTHING_READ;
    const classes = world.view.list("GatewayClass");
    const ours = classes.filter(({ spec }) => spec.controllerName === controllerName);
    if (classes.length === 0)
      return {
        says: "not found",
        problems: [problem("no-class", controllerName, "no GatewayClass has this controllerName")],
      };
    return {
      says: `${ours.map(({ metadata }) => metadata.name).join(", ") || "none"} of ${controllerName}`,
      problems: [
        ...lintOf(world, "gateway-class", only),
        ...ours.flatMap((gatewayClass) => classProblems(evidence, gatewayClass)),
      ],
    };
  },
};

const isPending = ({ spec, status }: Service): boolean =>
  spec?.type === "LoadBalancer" && (status?.loadBalancer?.ingress ?? []).length === 0;

/** Services of a Gateway that wait for the address of a load balancer. */
export const pendingServices = ({ world }: Evidence, { name }: OurGateway): readonly Service[] =>
  world?.view.servicesOfGateway(name).filter(isPending) ?? [];

/** The conditions in the status. `isExplained`: lint reports why the Gateway is not served. */
const statusProblems = (evidence: Evidence, one: OurGateway, isExplained: boolean): readonly Problem[] => {
  const { name, gateway } = one;
  const object = `Gateway/${name}`;
  const accepted = conditionOf(gateway, "Accepted");
  const { generation = 0 } = gateway.metadata;
  if (accepted === undefined || (accepted.observedGeneration ?? 0) < generation)
    return isExplained
      ? []
      : [
          problem(
            "gateway-not-processed",
            object,
            accepted === undefined
              ? "it has no condition Accepted"
              : `its conditions are of generation ${accepted.observedGeneration}, the object is of ${generation}`,
          ),
        ];
  if (isExplained) return [];
  if (accepted.status !== "True")
    return [problem("gateway-not-accepted", object, `Accepted is ${accepted.status}: ${accepted.message}`)];
  const pending = (statusOf(gateway).addresses ?? []).length > 0 ? [] : pendingServices(evidence, one);
  if (pending.length > 0)
    return pending.map((service) => {
      const key = nameOfObject("Service", service);
      const events = evidence.events.get(key) ?? [];
      return problem(
        "address-pending",
        `Service/${key}`,
        `its load balancer has no address${events.length === 0 ? ", and no Event says why" : `: ${events.join("; ")}`}`,
      );
    });
  const programmed = conditionOf(gateway, "Programmed");
  return programmed?.status === "True"
    ? []
    : [
        problem(
          "gateway-not-programmed",
          object,
          programmed === undefined
            ? "it has no condition Programmed"
            : `Programmed is ${programmed.status}: ${programmed.message}`,
        ),
      ];
};

const describe = ({ name, gateway }: OurGateway): string => {
  const addresses = (statusOf(gateway).addresses ?? []).map(({ value }) => value);
  const listeners = gateway.spec.listeners.map((one) => `${one.name} ${one.protocol}:${one.port}`);
  return `${name}: ${listeners.join(", ")}; ${addresses.join(", ") || "no address"}`;
};

export const gateways: Check = {
  id: "gateways",
  title: "Gateways",
  needs: ["gateway-class"],
  examine: (evidence): Examined => {
    const { world, only } = evidence;
    if (world === undefined) return NOTHING_READ;
    const ours = gatewaysOf(evidence);
    const found = lintOf(world, "gateways", only);
    if (ours.length === 0 && !found.some(({ severity }) => severity === "error"))
      return {
        says: "not found",
        problems: [
          only === undefined
            ? problem("no-gateway", "Gateway", "no Gateway is of a GatewayClass of this controller")
            : problem("no-gateway", `Gateway/${only}`, "it does not exist, or is not of this controller"),
        ],
      };
    const errors = found.filter(({ severity }) => severity === "error");
    return {
      says: count(ours.length, "Gateway"),
      details: ours.map(describe),
      problems: [
        ...found,
        ...ours.flatMap((one) =>
          statusProblems(
            evidence,
            one,
            errors.some(({ object }) => isOfGateway(object, one.name)),
          ),
        ),
      ],
    };
  },
};
