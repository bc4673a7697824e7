/** What is installed: the API server with the CRDs, and the operator. */
import type { KindId } from "../resources/kinds.ts";
import { kindOf } from "../resources/kinds.ts";
import { GATEWAY_API_GROUP } from "../resources/names.ts";
import { count, isTrue, type Check, type Examined } from "./check.ts";
import type { Definition, Evidence, OperatorDeployment } from "./evidence.ts";
import { problem, type Problem } from "./problem.ts";

/** Turnpike works without them: UDPRoutes of `stunner.l7mp.io` replace the first, and only the first needs grants. */
const OPTIONAL: readonly KindId[] = ["GatewayUDPRoute", "ReferenceGrant"];
/** Kinds without which conclusions are wrong. */
const NEEDED: readonly KindId[] = [
  "GatewayClass",
  "Gateway",
  "GatewayConfig",
  "UDPRoute",
  "StaticService",
  "Dataplane",
  "Service",
  "EndpointSlice",
  "Secret",
];

const resourceOf = (id: KindId): string => {
  const { plural, group } = kindOf(id);
  return group === "" ? plural : `${plural}.${group}`;
};

export const apiServer: Check = {
  id: "api-server",
  title: "API server",
  needs: [],
  examine: ({ server, refusals }): Examined => {
    if (!server.isReached)
      return {
        says: "no answer",
        problems: [problem("api-unreachable", server.url ?? "kubeconfig", server.reason)],
      };
    return {
      says: `Kubernetes ${server.version} at ${server.url}`,
      problems: refusals.map(({ kind, message }) =>
        problem(
          NEEDED.includes(kind) ? "read-forbidden" : "read-limited",
          resourceOf(kind),
          `it cannot be listed: ${message}`,
        ),
      ),
    };
  },
};

const problemOf = (definition: Definition): readonly Problem[] => {
  const { kind, isPresent, served, isEstablished } = definition;
  const object = `CustomResourceDefinition/${kind.plural}.${kind.group}`;
  const isOptional = OPTIONAL.includes(kind.id);
  if (!isPresent) {
    const code = kind.group === GATEWAY_API_GROUP ? "gateway-api-missing" : "crd-missing";
    return isOptional ? [] : [problem(code, object, "it does not exist")];
  }
  if (!isEstablished) return [problem("crd-not-established", object, "it does not have the condition Established")];
  if (isOptional || kind.versions.some((version) => served.includes(version))) return [];
  return [
    problem("crd-version", object, `it serves ${served.join(", ")}; Turnpike reads ${kind.versions.join(" or ")}`),
  ];
};

const releaseOf = (definitions: readonly Definition[]): string => {
  const known = definitions.find(({ release }) => release !== undefined);
  const channel = known?.channel === undefined ? "" : `, ${known.channel} channel`;
  return known === undefined ? "Gateway API" : `Gateway API ${known.release}${channel}`;
};

export const crds: Check = {
  id: "crds",
  title: "CRDs",
  needs: ["api-server"],
  examine: ({ definitions }): Examined => {
    const present = definitions.filter(({ isPresent }) => isPresent);
    const routes = present.find(({ kind }) => kind.id === "GatewayUDPRoute");
    const served = routes?.kind.versions.filter((version) => routes.served.includes(version)) ?? [];
    return {
      says: `${releaseOf(present)}; ${present.length} of ${definitions.length} CRDs`,
      problems: definitions.flatMap(problemOf),
      ...(served.length === 0
        ? {}
        : { details: [`UDPRoute of ${GATEWAY_API_GROUP} is served as ${served.join(", ")}`] }),
    };
  },
};

const podProblem = ({ name, pods }: OperatorDeployment): Problem => {
  const pod = pods.find(({ isReady }) => !isReady);
  return pod === undefined
    ? problem("operator-not-ready", `Deployment/${name}`, "it has no ready pod")
    : problem("operator-not-ready", `Pod/${pod.namespace}/${pod.name}`, `it is not ready: ${pod.why}`);
};

const acceptedClasses = ({ world, controllerName }: Evidence): readonly string[] =>
  (world?.view.list("GatewayClass") ?? [])
    .filter((one) => one.spec.controllerName === controllerName && isTrue(one, "Accepted"))
    .map(({ metadata }) => metadata.name);

export const operator: Check = {
  id: "operator",
  title: "Operator",
  needs: ["api-server", "crds"],
  examine: (evidence): Examined => {
    const { operators, controllerName } = evidence;
    const ours = operators.filter((one) => one.controllerName === controllerName);
    const [accepted] = acceptedClasses(evidence);
    if (ours.length === 0) {
      const [other] = operators;
      const beside =
        other === undefined ? "" : `; Deployment ${other.name} has the controller name ${other.controllerName}`;
      return accepted === undefined
        ? {
            says: "not found",
            problems: [problem("operator-missing", controllerName, `no Deployment has this controller name${beside}`)],
          }
        : {
            says: "not in this cluster",
            problems: [
              problem("operator-outside", `GatewayClass/${accepted}`, `it is accepted by ${controllerName}${beside}`),
            ],
          };
    }
    const found = ours.map((one) => {
      const { name, readyPods, desiredPods, lease } = one;
      const holder = lease === undefined || lease.holder === "" ? "" : `, Lease held by ${lease.holder}`;
      const problems: readonly Problem[] = [
        ...(readyPods === 0 ? [podProblem(one)] : []),
        ...(readyPods > 0 && lease?.holder === ""
          ? [problem("lease-unheld", `Lease/${lease.name}`, "it has no holder")]
          : []),
      ];
      return { says: `${name}: ${readyPods} of ${count(desiredPods, "pod")} ready${holder}`, problems };
    });
    return { says: found.map(({ says }) => says).join("; "), problems: found.flatMap(({ problems }) => problems) };
  },
};
