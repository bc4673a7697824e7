/**
 * A slice that does not identify its origin. Facts and the snapshot get other names and addresses; all conclusions are
 * derived from them anew, and must correspond to the recorded ones, one by one.
 */
import { createCore, type Core, type CoreSnapshot, type Digest } from "../core/core.ts";
import type { Derived } from "../core/derived.ts";
import { TurnpikeError } from "../errors.ts";
import { isDerivation, type DerivationLine, type JournalLine } from "../journal/fact.ts";
import type { RegistrySnapshot } from "../machines/registry.ts";
import type { Name } from "../resources/keys.ts";
import type { Coin } from "./addresses.ts";
import { createPseudonyms, type Pseudonyms } from "./pseudonyms.ts";
import { splitOutput } from "../core/output-id.ts";

const registryOf = (registry: RegistrySnapshot, names: Pseudonyms): RegistrySnapshot =>
  Object.fromEntries(
    Object.entries(registry).map(([machine, entities]) => [
      machine,
      entities.map(([entity, state]) => [machine === "operator" ? entity : names.text(entity), state]),
    ]),
  ) as unknown as RegistrySnapshot;

/** Of an output, `config ns/gw`, the first word is its type. */
const outputOf = (id: string, text: (text: string) => string): string => {
  const { what, name } = splitOutput(id);
  return `${what} ${text(name)}`;
};

/** The content of a snapshot, with other names; its digests are still those of the original. */
const snapshotOf = (
  { options, objects, registry, statuses, refusals, certificates }: CoreSnapshot,
  names: Pseudonyms,
): CoreSnapshot => ({
  options: names.value({ ...options, mode: options.mode }),
  objects: objects.map(([kind, object]) => [kind, names.value(object)]),
  registry: registryOf(registry, names),
  statuses: statuses.map(([id, value]) => [outputOf(id, names.text), names.value(value), {}]),
  ...(refusals === undefined
    ? {}
    : { refusals: refusals.map(([object, reason]) => [names.text(object), names.value({ reason }).reason] as const) }),
  ...(certificates === undefined
    ? {}
    : {
        certificates: certificates.map(([gateway, kept]) => [
          names.text(gateway) as Name,
          Object.fromEntries(
            Object.entries(kept).map(([listener, served]) => [names.text(listener), names.value(served)]),
          ),
        ]),
      }),
});

/** The parts of a line to replace. */
const exampleOf = (line: JournalLine): unknown => {
  if (!isDerivation(line)) return line.data;
  if (line.type !== "snapshot") return undefined;
  const { options, objects, registry, statuses, refusals, certificates } = line.data as CoreSnapshot;
  return [
    options,
    objects.map(([, object]) => object),
    Object.entries(registry).map(([machine, entities]) =>
      machine === "operator" ? [] : entities.map(([entity]) => entity),
    ),
    statuses.map(([id, value]) => [splitOutput(id).name, value]),
    refusals?.map(([object, reason]) => [object, { reason }]),
    certificates?.map(([gateway, kept]) => [gateway, Object.entries(kept)]),
  ];
};

/** A conclusion without digests, which are now of other texts. */
const gist = ({ cause, derivation }: Derived, text: (text: string) => string): string =>
  derivation.type === "transition"
    ? JSON.stringify([
        cause,
        derivation.data.machine,
        // There is one operator, and this is its name.
        derivation.data.machine === "operator" ? derivation.data.entity : text(derivation.data.entity),
        derivation.data.from,
        derivation.data.event,
        derivation.data.to,
      ])
    : derivation.type === "rendered"
      ? JSON.stringify([cause, outputOf(derivation.data.output, text), derivation.data.parts === null])
      : derivation.type;

const asRecorded = (line: DerivationLine): Derived => ({ cause: line.cause ?? 0, derivation: line });
const same = (text: string): string => text;

export const pseudonymise = (lines: readonly JournalLine[], coin: Coin, digest: Digest): readonly JournalLine[] => {
  const names = createPseudonyms(lines.map(exampleOf), coin);
  const written: JournalLine[] = [];
  let core: Core | undefined;
  let due: readonly Derived[] = [];
  let block: DerivationLine[] = [];

  /** Replaces the recorded conclusions by the new ones. */
  const settle = (isCut: boolean): void => {
    const seq = block[0]?.seq ?? written.at(-1)?.seq;
    // If a run was killed, or the slice ends, the last conclusions may not have been written.
    const concluded = isCut ? due.slice(0, block.length) : due;
    const recorded = block.map((line) => gist(asRecorded(line), names.text)).toSorted();
    const anew = concluded.map((one) => gist(one, same)).toSorted();
    const differs =
      recorded.length !== anew.length ||
      (due.length === block.length && recorded.some((one, index) => one !== anew[index]));
    if (differs)
      throw new TurnpikeError(
        "journal-differs",
        `with other names, something else is concluded at line ${seq}: ${anew.find((one) => !recorded.includes(one)) ?? "nothing"}`,
      );
    for (const [index, line] of block.entries()) {
      const one = concluded[index];
      if (one === undefined) continue;
      const { v, seq: at, time, source } = line;
      written.push({ v, seq: at, time, source, cause: one.cause, ...one.derivation });
    }
    due = [];
    block = [];
  };

  for (const [index, line] of lines.entries()) {
    if (isDerivation(line) && line.type !== "snapshot" && line.type !== "fold") {
      block.push(line);
      continue;
    }
    settle(line.type === "operator.started" || line.type === "journal.recovered");
    if (!isDerivation(line)) {
      const fact = { ...line, data: names.value(line.data) } as typeof line;
      written.push(fact);
      if (fact.type === "operator.started") core = createCore(fact.data.options, digest);
      due = core?.apply(fact) ?? [];
    } else if (line.type === "snapshot") {
      const isBeginning = core === undefined || line.seq !== (lines[index - 1]?.seq ?? 0) + 1;
      if (core === undefined || isBeginning) {
        const snapshot = snapshotOf(line.data as CoreSnapshot, names);
        core = createCore(snapshot.options, digest, { snapshot });
      }
      written.push({ ...line, data: core.export() });
    } else {
      written.push(line);
      due = core?.fold(line.time).derived ?? [];
    }
  }
  settle(true);
  return written;
};
