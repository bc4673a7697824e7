/** A relay in the operator's own pods: every Gateway's Service leads to the same pods, on ports that they share. */
import type { Gateway } from "../resources/gateway-api.ts";
import type { Name } from "../resources/keys.ts";
import type { RenderOptions } from "../resources/view.ts";
import { listenerEntity } from "../resources/entities.ts";
import type { PortMap } from "./port-map.ts";

/** Ports for listeners: below those that systems give to clients, and below node ports. */
const FIRST_PORT = 20_000;
const PORTS = 10_000;

/** FNV-1a, 32 bits. */
const hash = (text: string): number => {
  let value = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) value = Math.imul(value ^ text.charCodeAt(index), 0x01000193);
  return value >>> 0;
};

/**
 * What the listeners of a Gateway are bound to. Clients see `listener.port`; two Gateways that both want 3478 must not
 * meet in the pod. The port follows from the listener's name, so that it depends on no other Gateway and stays; where two
 * meet all the same, the relay says so, and the annotation `targetport` chooses another.
 */
export const embeddedPorts = (name: Name, gateway: Gateway, asked: PortMap): PortMap =>
  new Map([
    ...gateway.spec.listeners.map(
      (listener) => [listener.name, FIRST_PORT + (hash(listenerEntity(name, listener.name)) % PORTS)] as const,
    ),
    ...asked,
  ]);

/** A Service selects pods of its own namespace only. */
export const outOfReach = ({ embedded }: RenderOptions, gateway: Gateway): string | undefined =>
  embedded === undefined || embedded.namespace === (gateway.metadata.namespace ?? "default")
    ? undefined
    : `the embedded relay serves Gateways of its own namespace, ${embedded.namespace}, only`;
