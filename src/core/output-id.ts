/** Names of rendered outputs in a log: `WHAT NAME`. */

/**
 * A `status` is named by the `ObjectKey` of its object; a `configmap` by its own name; a `deletion-cost` by its pod;
 * everything else by its Gateway.
 */
export type OutputKind = "config" | "draining" | "certificates" | "objects" | "status" | "configmap" | "deletion-cost";

export type OutputId = `${OutputKind} ${string}`;

export const splitOutput = (id: string): { readonly what: OutputKind; readonly name: string } => {
  const space = id.indexOf(" ");
  return { what: id.slice(0, space) as OutputKind, name: id.slice(space + 1) };
};
