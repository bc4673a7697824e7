/** A relay in the operator's own pods: every Gateway's Service selects the same pods, on ports that the Gateways share. */
import type { Gateway } from "../resources/gateway-api.ts";
import type { Name } from "../resources/keys.ts";
import type { RenderOptions } from "../resources/view.ts";
import { listenerEntity } from "../resources/entities.ts";
import type { PortMap } from "./port-map.ts";

/** Ports for listeners: below the usual ephemeral ports, and below node ports. */
const FIRST_PORT = 20_000;
const PORTS = 10_000;

/** FNV-1a, 32 bits. */
const hash = (text: string): number => {
  let value = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) value = Math.imul(value ^ text.charCodeAt(index), 0x01000193);
  return value >>> 0;
};

/**
 * The ports that a Gateway's listeners are bound to. Clients see `listener.port`; two Gateways that both want 3478 must not
 * collide in the pod. The port is derived from the listener's name, so that it is stable and independent of other Gateways;
 * if two collide, the relay reports it, and the annotation `targetport` selects another port.
 */
export const embeddedPorts = (name: Name, gateway: Gateway, asked: PortMap): PortMap =>
  new Map([
    ...gateway.spec.listeners.map(
      (listener) => [listener.name, FIRST_PORT + (hash(listenerEntity(name, listener.name)) % PORTS)] as const,
    ),
    ...asked,
  ]);

/** A Service selects only pods of its own namespace. */
export const outOfReach = ({ embedded }: RenderOptions, gateway: Gateway): string | undefined =>
  embedded === undefined || embedded.namespace === (gateway.metadata.namespace ?? "default")
    ? undefined
    : `the embedded relay serves Gateways of its own namespace, ${embedded.namespace}, only`;
