/** `turnpike status`: the state of a running Turnpike, from its admin API. */
import { Command, InvalidArgumentError } from "commander";
import type { ProgramState } from "../admin/state.ts";
import type { AllocationState } from "../dataplane/relay.ts";
import { TurnpikeError } from "../errors.ts";
import { adminTokenOption, DEFAULT_ADMIN, readAdminToken } from "./admin-options.ts";
import { addClusterOptions } from "./discovery-options.ts";
import { documentWriter } from "./documents.ts";
import { hideSecrets } from "./hide-secrets.ts";
import { offloadLine } from "./offload-line.ts";
import { notWell, outputOption, print, type Format } from "./output.ts";
import { podStatuses, type PodAnswer, type PodFlags } from "./pod-status.ts";
import { podSummary, podTables } from "./pod-summary.ts";
import { table } from "./table.ts";
import { isPort } from "../net/host-port.ts";

/** @throws TurnpikeError `admin-unreachable`. */
export const fetchState = async (admin: string, token?: string): Promise<ProgramState> => {
  const url = `http://${admin}/api/v1/state`;
  let response: Response;
  try {
    response = await fetch(url, {
      signal: AbortSignal.timeout(5000),
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    });
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error);
    throw new TurnpikeError("admin-unreachable", `nothing answers at ${url}: ${cause}`);
  }
  if (!response.ok) throw new TurnpikeError("admin-unreachable", `${url} answered ${response.status}`);
  return (await response.json()) as ProgramState;
};

const seconds = (ms: number): string => {
  const all = Math.max(0, Math.round(ms / 1000));
  return all < 120 ? `${all}s` : all < 7200 ? `${Math.round(all / 60)}m` : `${Math.round(all / 3600)}h`;
};

/** Rows shown of a long list; `--all` shows every one. */
/** Moves between addresses of the client, RFC 8016. */
const movesText = ({ moves, movingTo }: AllocationState): string =>
  `${moves === 0 ? "" : ` (moved ${moves}×)`}${movingTo === undefined ? "" : ` (moving to ${movingTo})`}`;

const SHORT = 20;

export const describeState = (state: ProgramState, all: boolean, now = Date.now()): string => {
  const shorten = (rows: readonly (readonly string[])[]): readonly (readonly string[])[] =>
    all || rows.length <= SHORT
      ? rows
      : [...rows.slice(0, SHORT), [`… ${rows.length - SHORT} more (--all shows them)`]];
  const section = (title: string, header: readonly string[], rows: readonly (readonly string[])[]): string =>
    rows.length === 0 ? `${title}: none\n` : `${title} (${rows.length})\n${table(header, shorten(rows))}`;

  const offload = offloadLine(state);
  const sentOn = state.relay.refused["300 try-alternate"] ?? 0;
  const backends = state.gateways.flatMap((gateway) =>
    gateway.listeners.flatMap(({ name, httpBackend: one }) =>
      one === undefined
        ? []
        : [[`${gateway.name}/${name}`, one.at, String(one.connections), String(one.connectionsTotal)]],
    ),
  );
  const refusals = state.gateways.flatMap((one) => one.refusals).toSorted((a, b) => b.seq - a.seq);

  return [
    `turnpike ${state.release}, pid ${state.pid}, ${state.operator} for ${seconds(now - state.startedAt)}; event log ${state.journal.folder} at ${state.journal.lastSeq}${state.journal.refusal === undefined ? "" : `, NOT WRITTEN: ${state.journal.refusal}`}\n`,
    section(
      "Gateways",
      ["NAME", "CLASS", "STATE", "AUTH", "REALM"],
      state.gateways.map((one) => [
        one.name,
        one.class,
        one.invalid === undefined ? one.state : `${one.state}: ${one.invalid}`,
        one.auth?.type ?? "-",
        one.auth?.realm ?? "-",
      ]),
    ),
    section(
      "Listeners",
      ["NAME", "PROTOCOL", "STATE", "AT", "ROUTES", "WHY"],
      state.gateways.flatMap((gateway) =>
        gateway.listeners.map((one) => [
          `${gateway.name}/${one.name}`,
          one.protocol,
          one.state,
          one.at.join(" ") || "-",
          one.routes.join(" ") || "-",
          one.state === "serving" ? "" : one.why,
        ]),
      ),
    ),
    ...(backends.length === 0 ? [] : [section("HTTP backends", ["LISTENER", "AT", "OPEN", "TOTAL"], backends)]),
    section(
      "Routes",
      ["KIND", "NAME", "STATE"],
      state.routes.map((one) => [one.kind, one.name, one.state]),
    ),
    section(
      "Endpoints",
      ["BACKEND", "ADDRESS", "STATE"],
      state.endpoints.map((one) => [one.name, one.address, one.state]),
    ),
    section(
      "Allocations",
      ["ID", "USER", "FIVE-TUPLE", "RELAYED", "PEERS", "CHANNELS", "IN", "OUT", "AGE", "LEFT"],
      state.allocations.map((one) => [
        String(one.id),
        one.user,
        `${one.protocol} ${one.client} ${one.server}${movesText(one)}`,
        one.relayed,
        one.permissions.map(({ peer }) => peer).join(" ") || "-",
        one.channels.map(({ number, peer }) => `0x${number.toString(16)}=${peer}`).join(" ") || "-",
        `${one.packetsIn} pkts ${one.bytesIn} B`,
        `${one.packetsOut} pkts ${one.bytesOut} B`,
        seconds(now - one.openedAt),
        seconds(one.expiresAt - now),
      ]),
    ),
    ...(sentOn === 0 ? [] : [`Sent to other servers while this drains: ${sentOn}\n`]),
    ...(offload === undefined ? [] : [`${offload}\n`]),
    ...(refusals.length === 0
      ? []
      : [
          section(
            "Refused peers",
            ["AGO", "USER", "CLIENT", "LISTENER", "PEER", "CODE", "REASON"],
            refusals.map((one) => [
              seconds(now - one.time),
              one.user,
              one.client,
              one.listener,
              one.peer,
              one.code ?? "-",
              one.reason,
            ]),
          ),
        ]),
    ...(state.rejections.length === 0
      ? []
      : [
          section(
            "Refused manifests",
            ["WHERE", "OBJECT", "FIELD", "REASON"],
            state.rejections.map((one) => [`${one.file}:${one.line}`, one.object || "-", one.field || "-", one.reason]),
          ),
        ]),
  ].join("\n");
};

interface StatusFlags extends PodFlags {
  readonly admin: string;
  readonly adminTokenFile?: string;
  readonly json?: boolean;
  readonly all?: boolean;
  readonly reveal?: boolean;
  readonly output: Format;
}

const hidden = (answers: readonly PodAnswer[], reveal: boolean): readonly PodAnswer[] =>
  answers.map((one) => (one.answered && !reveal ? { ...one, status: hideSecrets(one.status) } : one));

/** A pod that does not answer makes the command exit with 1. */
const reportUnanswered = (answers: readonly PodAnswer[]): void => {
  for (const one of answers) if (!one.answered) process.stderr.write(`${one.pod}: no answer: ${one.reason}\n`);
  if (answers.some(({ answered }) => !answered)) notWell();
};

const showPods = async (gateway: string | undefined, flags: Omit<StatusFlags, "admin">): Promise<void> => {
  const answers = hidden(await podStatuses(gateway, flags), flags.reveal === true);
  await print(
    flags.output,
    answers.map((one) => (one.answered ? { pod: one.pod, ...one.status } : { pod: one.pod, error: one.reason })),
    () => podTables(answers),
  );
  reportUnanswered(answers);
};

/** In the format of `stunnerctl status`: a document for each pod that answers, and nothing if there are no pods. */
export const showPodDocuments = async (
  gateway: string | undefined,
  flags: PodFlags & { readonly output: Format },
): Promise<void> => {
  const found = await podStatuses(gateway, flags).catch((error: unknown) => {
    if (error instanceof TurnpikeError && error.code === "gateway-unknown") return [];
    throw error;
  });
  const answers = hidden(found, false);
  const documents = documentWriter(flags.output);
  for (const one of answers) if (one.answered) documents.write(one.status, () => podSummary([one]));
  reportUnanswered(answers);
};

export const parsePodPort = (text: string): number => {
  if (!/^[1-9]\d{0,4}$/.test(text) || !isPort(Number(text))) throw new InvalidArgumentError("expected a port");
  return Number(text);
};

/** Flags that `stunnerctl status` also has. */
export const addPodOptions = (command: Command): Command =>
  addClusterOptions(command)
    .option("--pod-address <host[:port]>", "only this dataplane, asked directly")
    .option("--pod-name <name>", "only this pod of the Gateway")
    .option("--pod-port <port>", "port of a dataplane's health checks", parsePodPort, 8086);

export const statusCommand = (): Command =>
  addPodOptions(new Command("status"))
    .description("show what a running Turnpike is doing, by its admin API, or the dataplane pods of a Gateway")
    .argument("[gateway]", "NAME or NAMESPACE/NAME, whose pods are asked through the cluster's API server")
    .option("-A, --all-namespaces", "the dataplane pods of the whole cluster")
    .option("--admin <host:port>", "admin API of what runs here", DEFAULT_ADMIN)
    .addOption(adminTokenOption())
    .option("--json", "the same as --output json")
    .option("--all", "every row of long lists")
    .option("--reveal", "print secrets that dataplanes tell, instead of hiding them")
    .addOption(outputOption())
    .action(async (gateway: string | undefined, flags: StatusFlags) => {
      const output: Format = flags.json === true ? { as: "json" } : flags.output;
      const { podAddress, podName, namespace, allNamespaces } = flags;
      if ([gateway, podAddress, podName, namespace, allNamespaces].some((one) => one !== undefined))
        return showPods(gateway, { ...flags, output });
      const state = await fetchState(flags.admin, readAdminToken(flags.adminTokenFile).token);
      return print(output, state, () => describeState(state, flags.all === true));
    });
