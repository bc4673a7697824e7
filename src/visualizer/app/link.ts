/**
 * The shown state as the fragment of a link, and back:
 * `#view=topology&at=4711&vs=4000&select=endpoint:media/sfu%2310.1.0.7`.
 */
import type { MachineId } from "../../journal/fact.ts";
import { EVERYTHING, type Filter } from "./filter.ts";
import { views, type Selection, type State } from "./state.ts";

const selectionText = (selection: Selection): string => {
  switch (selection.what) {
    case "line":
      return `line:${selection.seq}`;
    case "instance":
      return `${selection.machine}:${selection.entity}`;
    case "backend":
      return `backend:${selection.id}`;
    default:
      return selection satisfies never;
  }
};

const MACHINES: readonly string[] = ["operator", "gateway", "listener", "route", "endpoint", "user"];

const selectionOf = (text: string): Selection | undefined => {
  const colon = text.indexOf(":");
  const [what, rest] = [text.slice(0, colon), text.slice(colon + 1)];
  if (what === "line") return /^\d+$/.test(rest) ? { what, seq: Number(rest) } : undefined;
  if (what === "backend") return { what, id: rest };
  return MACHINES.includes(what) ? { what: "instance", machine: what as MachineId, entity: rest } : undefined;
};

const FILTERS = Object.keys(EVERYTHING) as readonly (keyof Filter)[];

/** Sequence numbers, not positions: those of a log are stable. */
export const fragmentOf = (state: State): string => {
  const link = new URLSearchParams();
  const seqAt = (position: number | undefined): string | undefined =>
    position === undefined ? undefined : state.history.line(position)?.seq.toString();
  if (state.source.from === "path") link.set("log", state.source.name);
  if (state.view !== "topology") link.set("view", state.view);
  const [at, vs] = [seqAt(state.position), seqAt(state.compareWith)];
  if (at !== undefined) link.set("at", at);
  if (vs !== undefined) link.set("vs", vs);
  if (state.selection !== undefined) link.set("select", selectionText(state.selection));
  if (state.view === "machines") link.set("machine", state.machine);
  for (const name of FILTERS) if (state.filter[name] !== "") link.set(name, state.filter[name]);
  for (const one of state.open) link.append("open", one);
  return link.toString();
};

export interface Link {
  readonly change: Partial<State>;
  /** Path of a log other than the live one. */
  readonly log: string | undefined;
  /** Sequence numbers, to be resolved once the log is loaded. */
  readonly at: number | undefined;
  readonly vs: number | undefined;
}

export const readFragment = (fragment: string): Link => {
  const link = new URLSearchParams(fragment.replace(/^#/, ""));
  const number = (name: string): number | undefined => {
    const text = link.get(name);
    return text !== null && /^\d+$/.test(text) ? Number(text) : undefined;
  };
  const view = views.find((one) => one === link.get("view"));
  const machine = link.get("machine") ?? "";
  const selection = selectionOf(link.get("select") ?? "");
  const filter = Object.fromEntries(FILTERS.map((name) => [name, link.get(name) ?? ""])) as unknown as Filter;
  return {
    at: number("at"),
    vs: number("vs"),
    log: link.get("log") ?? undefined,
    change: {
      ...(view !== undefined && { view }),
      ...(MACHINES.includes(machine) && { machine: machine as MachineId }),
      ...(selection !== undefined && { selection }),
      filter,
      open: new Set(link.getAll("open")),
    },
  };
};
