/** The world as a log has it at one moment, and what of the log led there. */
import { isDerivation, type DerivationLine, type JournalLine, type MachineId } from "../journal/fact.ts";
import { keyOf, nameOfObject, type Name, type ObjectKey } from "../resources/keys.ts";
import { createCore, type Core, type CoreSnapshot, type Digest } from "../core/core.ts";

export type TransitionLine = Extract<DerivationLine, { readonly type: "transition" }>;

/** A line less what it is long by. */
export interface Mention {
  readonly seq: number;
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly cause: number | null;
  readonly says: string;
}

export interface Past {
  readonly core: Core;
  /** Of the last line that counts. */
  readonly seq: number;
  readonly time: number;
  /** Where an object was seen last, or found gone. */
  object(key: ObjectKey): Mention | undefined;
  /** The last move of a machine's instance, also of one that is gone. */
  move(machine: MachineId, entity: string): TransitionLine | undefined;
  /** The line `seq` and those it follows from, oldest first. */
  chain(seq: number): readonly Mention[];
  /** The gateway that a client (`ADDRESS:PORT`, or an address alone) had its last allocation at. */
  gatewayOf(client: string): Name | undefined;
  /** The last refusals of a peer by the relay, oldest first. */
  refusals(peer: string): readonly Mention[];
}

export interface PastOptions {
  readonly digest: Digest;
  /** A line as a sentence. */
  readonly say: (line: JournalLine) => string;
  /** Lines after this moment do not count. */
  readonly until?: number;
}

const MAX_REFUSALS = 5;

/** Nothing where the log holds no start before `until`. */
export const pastOf = (
  lines: Iterable<JournalLine>,
  { digest, say, until = Infinity }: PastOptions,
): Past | undefined => {
  let core: Core | undefined;
  let last: JournalLine | undefined;
  const mentions = new Map<number, Mention>();
  const objects = new Map<ObjectKey, Mention>();
  const moves = new Map<string, TransitionLine>();
  const refused = new Map<string, Mention[]>();
  const gateways = new Map<string, Name>();

  const mention = (line: JournalLine): Mention => {
    const made = { seq: line.seq, time: line.time, cause: line.cause, says: say(line) };
    mentions.set(line.seq, made);
    return made;
  };

  for (const line of lines) {
    if (line.time > until) break;
    if (!isDerivation(line)) {
      const made = mention(line);
      if (line.type === "operator.started") core = createCore(line.data.options, digest);
      else if (line.type === "object.seen")
        objects.set(keyOf(line.data.kind, nameOfObject(line.data.kind, line.data.object)), made);
      else if (line.type === "object.gone") objects.set(keyOf(line.data.kind, line.data.name), made);
      else if (line.type === "allocation.opened") {
        const { client, gateway } = line.data;
        gateways.set(client, gateway).set(client.slice(0, client.lastIndexOf(":")), gateway);
      } else if (line.type === "peer.refused") {
        const before = refused.get(line.data.peer) ?? [];
        refused.set(line.data.peer, [...before, made].slice(-MAX_REFUSALS));
      }
      core?.apply(line);
    } else if (line.type === "snapshot") {
      // What the lines before said stands in it: it is needed where a log begins, or goes on behind lines that were lost.
      if (core === undefined || line.seq !== (last?.seq ?? 0) + 1)
        core = createCore((line.data as CoreSnapshot).options, digest, line.data as CoreSnapshot);
    } else if (line.type === "fold") core?.fold(line.time);
    else if (line.type === "transition") {
      mention(line);
      moves.set(`${line.data.machine} ${line.data.entity}`, line);
    }
    last = line;
  }
  if (core === undefined || last === undefined) return undefined;
  return {
    core,
    seq: last.seq,
    time: last.time,
    object: (key) => objects.get(key),
    move: (machine, entity) => moves.get(`${machine} ${entity}`),
    gatewayOf: (client) => gateways.get(client),
    refusals: (peer) => refused.get(peer) ?? [],
    chain(seq) {
      const chain: Mention[] = [];
      for (
        let one = mentions.get(seq);
        one !== undefined;
        one = one.cause === null ? undefined : mentions.get(one.cause)
      )
        chain.unshift(one);
      return chain;
    },
  };
};
