/** `turnpike explain WHAT`: why a peer can be reached or not, and why an object is as it is, from the event log. */
import { Command, InvalidArgumentError } from "commander";
import { explainClient, type ClientAnswer } from "../explain/client.ts";
import { formatAddress } from "../net/address.ts";
import { parsePeer, type PeerAddress } from "../net/peer.ts";
import { TurnpikeError } from "../errors.ts";
import { explainObject, explainedKinds, type ExplainedKind, type ObjectAnswer } from "../explain/object.ts";
import { pastOf, type ExplainedClient, type Mention, type Past } from "../explain/past.ts";
import { explainPeer, type PeerAnswer } from "../explain/peer.ts";
import type { Step } from "../explain/step.ts";
import { readJournal } from "../journal/reader.ts";
import { nameOf, parseName, type Name } from "../resources/keys.ts";
import { parseTime } from "./log.ts";
import { notWell, outputOption, print, type Format } from "./output.ts";
import { sentence } from "../journal/sentence.ts";

interface ExplainOptions {
  readonly journal: string;
  readonly gateway?: Name;
  readonly client?: string;
  readonly at?: number;
  readonly json?: boolean;
  readonly output: Format;
}

type What = PeerAddress | ExplainedClient | { readonly kind: ExplainedKind; readonly name: Name };

const WHAT =
  "expected a peer (10.1.0.7, 10.1.0.7:5000, [fd00::7]:5000), an object (gateway/NAMESPACE/NAME, udproute/…, gatewayclass/NAME), client/ADDRESS or user/NAME";

export const parseWhat = (text: string): What => {
  const [, kindText = "", rest = ""] = /^([A-Za-z]+)\/(.+)$/.exec(text) ?? [];
  const kind = explainedKinds.find((one) => one.toLowerCase() === kindText.toLowerCase());
  if (kind !== undefined) {
    const parts = rest.split("/");
    if (parts.length !== (kind === "GatewayClass" ? 1 : 2)) throw new InvalidArgumentError(WHAT);
    return { kind, name: nameOf(parts.length === 1 ? undefined : parts[0], parts.at(-1) ?? "") };
  }
  const at = kindText === "client" ? parsePeer(rest) : undefined;
  if (at !== undefined) return { client: at.port === undefined ? at.peer.text : formatAddress(at.peer.text, at.port) };
  if (kindText === "user") return { user: rest };
  const peer = parsePeer(text);
  if (peer === undefined) throw new InvalidArgumentError(WHAT);
  return peer;
};

const parseGateway = (text: string): Name => {
  const name = parseName(text);
  if (name === undefined) throw new InvalidArgumentError("expected NAMESPACE/NAME");
  return name;
};

const when = (time: number): string => new Date(time).toISOString();
const mentionLine = ({ seq, time, says }: Mention): string => `${String(seq).padStart(9)}  ${when(time)}  ${says}\n`;

const tree = (steps: readonly Step[], depth = 0): string =>
  steps
    .map(({ about, says, events, steps: below }) => {
      const of = events.length === 0 ? "" : `  (event${events.length === 1 ? "" : "s"} ${events.join(", ")})`;
      return `${"  ".repeat(depth)}${about}: ${says}${of}\n${tree(below, depth + 1)}`;
    })
    .join("");

const showPeer = (
  past: Past,
  asked: string,
  peer: string,
  redirections: readonly Mention[],
  { reachable, because, steps }: PeerAnswer,
): string => {
  const chain = because.events.flatMap((seq) => past.chain(seq).slice(-1));
  const refusals = past.refusals(peer);
  return [
    `${asked} is ${reachable ? "" : "not "}reachable, as of event ${past.seq} at ${when(past.time)}\n`,
    `  ${because.about}: ${because.says}\n`,
    because.todo === undefined ? "" : `  what to do: ${because.todo}\n`,
    reachable && past.offload !== undefined ? `  packets:\n${mentionLine(past.offload)}` : "",
    chain.length === 0 ? "" : `  it follows from\n${chain.map(mentionLine).join("")}`,
    redirections.length === 0
      ? ""
      : `  the client was sent to another server\n${redirections.map(mentionLine).join("")}`,
    refusals.length === 0 ? "" : `  the relay refused it lately\n${refusals.map(mentionLine).join("")}`,
    `\n${tree(steps)}`,
  ].join("");
};

const showObject = (past: Past, { object, exists, seen, conditions, moves }: ObjectAnswer): string =>
  [
    `${object} ${exists ? "as it is" : "is not there"}, as of event ${past.seq} at ${when(past.time)}\n`,
    seen === undefined ? "" : mentionLine(seen),
    ...conditions.map(({ of, type, status, reason, message }) => `  ${of}: ${type}=${status}, ${reason}: ${message}\n`),
    ...moves.map(({ move, chain }) => `  ${sentence(move)}, because of\n${chain.map(mentionLine).join("")}`),
  ].join("");

const showClient = (past: Past, who: string, { draining, allocations, redirections, unlogged }: ClientAnswer): string =>
  [
    `${who} has ${allocations.length === 0 ? "no open allocation" : "an open allocation"}, as of event ${past.seq} at ${when(past.time)}\n`,
    draining
      ? "  this relay drains: it keeps open calls and sends new clients to another server, if it knows one\n"
      : "",
    allocations.length === 0 ? "" : `  open\n${allocations.map(mentionLine).join("")}`,
    redirections.length === 0
      ? ""
      : `  sent to another server (300 try-alternate)\n${redirections.map(mentionLine).join("")}`,
    unlogged === 0 ? "" : `  the log leaves out ${unlogged} redirections, of any client\n`,
  ].join("");

/** Whether a condition reports a problem. */
const isWrong = ({ type, status }: ObjectAnswer["conditions"][number]): boolean =>
  type === "Conflicted" ? status === "True" : status !== "True";

export const explainCommand = (): Command =>
  new Command("explain")
    .description(
      "why a peer can be reached or not, why an object's conditions are what they are, or where a client was sent, now or at a past moment; " +
        "exits 0 where all is well, 1 where it is not",
    )
    .argument(
      "<what>",
      "a peer, ADDRESS or ADDRESS:PORT, an object, gateway/NAMESPACE/NAME, client/ADDRESS[:PORT] or user/NAME",
      parseWhat,
    )
    .option("--journal <dir>", "folder of the event log, or one file of it", ".turnpike/journal")
    .option("--gateway <namespace/name>", "only for clients of this Gateway", parseGateway)
    .option("--client <address>", "only for this client: of the Gateway that it had its last allocation at")
    .option("--at <time>", "as it was then (2026-11-22T03:12:00Z, 03:12 UTC) or so long ago (10m)", (text) =>
      parseTime(text),
    )
    .option("--json", "the same as --output json")
    .addOption(outputOption())
    .action(async (what: What, { journal, gateway, client, at, json, output }: ExplainOptions) => {
      const past = pastOf(readJournal(journal), at);
      if (past === undefined)
        throw new TurnpikeError("nothing-known", `the log in ${journal} has nothing of that time`);
      const write = async (answer: unknown, text: string, isWell: boolean): Promise<void> => {
        await print(json === true ? { as: "json" } : output, answer, () => text);
        if (!isWell) notWell();
      };
      if ("client" in what || "user" in what) {
        const answer = explainClient(past, what);
        const who = "user" in what ? `user ${what.user}` : `client ${what.client}`;
        await write(
          { at: { seq: past.seq, time: past.time }, ...answer },
          showClient(past, who, answer),
          answer.allocations.length > 0,
        );
        return;
      }
      if ("kind" in what) {
        const answer = explainObject(past, what.kind, what.name);
        await write(answer, showObject(past, answer), answer.exists && !answer.conditions.some(isWrong));
        return;
      }
      const ofClient = client === undefined ? undefined : past.gatewayOf(client);
      if (client !== undefined && ofClient === undefined)
        throw new TurnpikeError("nothing-known", `the log knows of no allocation of client ${client}`);
      const { peer, port } = what;
      const only = gateway ?? ofClient;
      const answer = explainPeer(past, {
        peer,
        ...(port !== undefined && { port }),
        ...(only !== undefined && { gateway: only }),
      });
      const redirections = client === undefined ? [] : past.redirections({ client });
      const asked = port === undefined ? peer.text : `${peer.text} port ${port}`;
      await write(
        {
          at: { seq: past.seq, time: past.time },
          ...answer,
          ...(past.offload !== undefined && { offload: past.offload }),
          ...(redirections.length > 0 && { redirections }),
        },
        showPeer(past, asked, peer.text, redirections, answer),
        answer.reachable,
      );
    });
