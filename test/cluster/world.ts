/** A small world of manifests to disturb, and how a test changes it: straight at the API server. */
import type { AnyObject } from "../../src/resources/kinds.ts";
import { dataplane, gateway, gatewayClass, gatewayConfig, route, service, slice } from "../support/objects.ts";
import type { Client, Literal } from "./client.ts";

/** What the API server must be given; it counts generations itself. */
export const literal = (object: unknown): Literal => {
  const { metadata, ...rest } = object as Literal;
  const { generation: _, ...kept } = metadata as Literal["metadata"] & { readonly generation?: number };
  return { ...rest, metadata: kept };
};

export const applyAll = (client: Client, ...objects: readonly unknown[]): Promise<readonly AnyObject[]> =>
  Promise.all(objects.map((object) => client.apply<AnyObject>(literal(object))));

export const removeAll = (client: Client, ...objects: readonly unknown[]): Promise<unknown> =>
  Promise.all(objects.map((object) => client.delete(literal(object))));

/** The endpoints of a Service. */
export const media = (name: string, addresses: readonly string[]) => slice(`${name}-1`, name, addresses);

/** Gateways `a` and `b` with a route each to a Service of their own. */
export const world: readonly unknown[] = [
  gatewayClass,
  gatewayConfig({ password: "pass" }),
  dataplane,
  ...["a", "b"].flatMap((name) => [
    gateway(name),
    route(`to-${name}`, [name], [`media-${name}`]),
    service(`media-${name}`),
    media(`media-${name}`, [`10.0.0.${name === "a" ? 1 : 2}`]),
  ]),
];

/** Of another owner, with the name of a Gateway. */
export const foreign = { ...service("b"), spec: { ports: [{ name: "theirs", port: 80 }] } };

const CLASS = gatewayClass.metadata.name;

/** The same object in a namespace of its own, under a class of its own: for an operator that is not alone. */
export const inNamespace = (object: unknown, namespace: string): unknown =>
  JSON.parse(
    JSON.stringify(object, (key, value: unknown) => {
      if (key === "namespace" && value === "ns") return namespace;
      if (key === "gatewayClassName" && value === CLASS) return namespace;
      if (key === "controllerName") return controllerOf(namespace);
      return value;
    }),
    (_, value: unknown) => {
      const one = value as { readonly kind?: string; readonly metadata?: { readonly name?: string } } | null;
      return one?.kind === "GatewayClass" && one.metadata?.name === CLASS
        ? { ...one, metadata: { ...one.metadata, name: namespace } }
        : value;
    },
  );

export const controllerOf = (namespace: string): string => `example.org/${namespace}`;
