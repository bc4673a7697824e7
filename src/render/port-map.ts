/** Annotations that set ports by listener: a JSON object from listener name to port, with optional outer braces. */
import { isPort } from "../net/host-port.ts";
import { objectByListener, readByListener, type ByListener } from "../resources/by-listener.ts";

/** Ports by listener name. */
export type PortMap = ReadonlyMap<string, number>;

export interface PortAnnotation extends Omit<ByListener<number>, "entries"> {
  /** The valid entries. */
  readonly ports: PortMap;
}

export const readPortAnnotation = (text: string | undefined): PortAnnotation => {
  const { entries, ...rest } = readByListener(text, (value) => (isPort(value) ? value : undefined));
  return { ports: entries, ...rest };
};

/** As in the first release: one entry that is not a whole number makes the annotation empty; ranges are not checked. */
export const parsePortMap = (text: string | undefined): PortMap => {
  const entries = Object.entries(objectByListener(text) ?? {});
  const numbers = entries.filter((entry): entry is [string, number] => Number.isSafeInteger(entry[1]));
  return numbers.length === entries.length ? new Map(numbers) : new Map();
};
