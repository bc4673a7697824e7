/** External addresses of nodes, for the dataplanes on them. */
import { lookup } from "node:dns/promises";
import type { Logger } from "pino";
import type { Core } from "../core/core.ts";
import { oneOfEachFamily } from "../net/address.ts";
import { nameOf } from "../resources/keys.ts";

/**
 * The external addresses of a node, one of each family: its first ExternalIP of the family, or the first address that its
 * ExternalDNS name has in it; none if it has neither. `changed` is called when the name has been resolved; a failure is
 * logged, and the next question tries again.
 */
export const nodeAddresses = (core: Pick<Core, "view">, changed: (node: string) => void, log: Logger) => {
  const resolved = new Map<string, readonly string[]>();
  const pending = new Set<string>();
  const resolve = async (node: string, name: string): Promise<void> => {
    pending.add(name);
    try {
      const found = await lookup(name, { all: true });
      resolved.set(name, oneOfEachFamily(found.map(({ address }) => address)));
      changed(node);
    } catch (error) {
      log.warn({ node, name, err: error }, "the ExternalDNS name of a node is not resolved");
    } finally {
      pending.delete(name);
    }
  };
  return (node: string): readonly string[] => {
    const addresses = core.view.get("Node", nameOf(undefined, node))?.status?.addresses ?? [];
    const external = addresses.filter(({ type }) => type === "ExternalIP").map(({ address }) => address);
    const name = addresses.find(({ type }) => type === "ExternalDNS")?.address;
    if (external.length > 0 || name === undefined) return oneOfEachFamily(external);
    if (!resolved.has(name) && !pending.has(name)) void resolve(node, name);
    return resolved.get(name) ?? [];
  };
};
