/** External addresses of nodes, for the dataplanes on them. */
import { lookup } from "node:dns/promises";
import type { Logger } from "pino";
import type { Core } from "../core/core.ts";
import { nameOf } from "../resources/keys.ts";

/**
 * The external address of a node: its first ExternalIP, or the address of its ExternalDNS name. `changed` is called when the
 * name has been resolved; a failure is logged, and the next question tries again.
 */
export const nodeAddresses = (core: Pick<Core, "view">, changed: (node: string) => void, log: Logger) => {
  const resolved = new Map<string, string>();
  const pending = new Set<string>();
  const resolve = async (node: string, name: string): Promise<void> => {
    pending.add(name);
    try {
      resolved.set(name, (await lookup(name)).address);
      changed(node);
    } catch (error) {
      log.warn({ node, name, err: error }, "the ExternalDNS name of a node is not resolved");
    } finally {
      pending.delete(name);
    }
  };
  return (node: string): string | undefined => {
    const addresses = core.view.get("Node", nameOf(undefined, node))?.status?.addresses ?? [];
    const external = addresses.find(({ type }) => type === "ExternalIP")?.address;
    const name = addresses.find(({ type }) => type === "ExternalDNS")?.address;
    if (external !== undefined || name === undefined) return external;
    if (!resolved.has(name) && !pending.has(name)) void resolve(node, name);
    return resolved.get(name);
  };
};
