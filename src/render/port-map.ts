/** Annotations that set ports by listener: a JSON object from listener name to port, with optional outer braces. */
import { isPort } from "../net/host-port.ts";

/** Ports by listener name. */
export type PortMap = ReadonlyMap<string, number>;

export interface PortAnnotation {
  /** The valid entries. */
  readonly ports: PortMap;
  /** The invalid entries, as JSON, by listener name. */
  readonly invalid: ReadonlyMap<string, string>;
  /** The whole value is not a JSON object, and counts as absent. */
  readonly isMalformed: boolean;
}

const parseObject = (text: string): Readonly<Record<string, unknown>> | undefined => {
  try {
    const value: unknown = JSON.parse(text.startsWith("{") ? text : `{${text}}`);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : undefined;
  } catch {
    return undefined;
  }
};

/** Each entry is judged separately: a typo in one must not affect other listeners. */
export const readPortAnnotation = (text: string | undefined): PortAnnotation => {
  const trimmed = text?.trim() ?? "";
  const value = trimmed === "" ? {} : parseObject(trimmed);
  const entries = Object.entries(value ?? {});
  return {
    ports: new Map(entries.filter((entry): entry is [string, number] => isPort(entry[1]))),
    invalid: new Map(entries.flatMap(([name, port]) => (isPort(port) ? [] : [[name, JSON.stringify(port)] as const]))),
    isMalformed: value === undefined,
  };
};

/** As in the first release: one entry that is not a whole number makes the annotation empty; ranges are not checked. */
export const parsePortMap = (text: string | undefined): PortMap => {
  const trimmed = text?.trim() ?? "";
  const entries = Object.entries((trimmed === "" ? undefined : parseObject(trimmed)) ?? {});
  const numbers = entries.filter((entry): entry is [string, number] => Number.isSafeInteger(entry[1]));
  return numbers.length === entries.length ? new Map(numbers) : new Map();
};
