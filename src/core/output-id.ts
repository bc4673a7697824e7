/** How lines of a log name what was rendered: `WHAT NAME`. */

/** A `status` is of an object, by its `ObjectKey`; a `configmap` is named itself; all else is of a Gateway. */
export type OutputKind = "config" | "draining" | "certificates" | "objects" | "status" | "configmap";

export type OutputId = `${OutputKind} ${string}`;

export const splitOutput = (id: string): { readonly what: OutputKind; readonly name: string } => {
  const space = id.indexOf(" ");
  return { what: id.slice(0, space) as OutputKind, name: id.slice(space + 1) };
};
