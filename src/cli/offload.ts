/** `turnpike offload`: the channels that the kernel forwards, and why others stay in user space. */
import { Command } from "commander";
import type { ProgramState } from "../admin/state.ts";
import { passReasons, userSpaceReasons } from "../dataplane/offload/index.ts";
import { adminTokenOption, DEFAULT_ADMIN, readAdminToken } from "./admin-options.ts";
import { channelsOf, offloadLine } from "./offload-line.ts";
import { outputOption, print, type Format } from "./output.ts";
import { fetchState } from "./status.ts";
import { table } from "./table.ts";

const ago = (ms: number): string => `${(Math.max(0, ms) / 1000).toFixed(1)}s`;

export const describeOffload = (state: ProgramState, now = Date.now()): string => {
  const { offload } = state.relay;
  const line = offloadLine(state) ?? "Offload: off; no config asks for it";
  if (offload === undefined || offload.engine === "None") return `${line}\n`;
  const channels = channelsOf(state).map(({ client, relayed, number, peer, way, because, forwarded }) => [
    client,
    `0x${number.toString(16)}`,
    relayed,
    peer,
    way ?? "-",
    forwarded === undefined ? "-" : `${forwarded.packetsIn} pkts ${forwarded.bytesIn} B`,
    forwarded === undefined ? "-" : `${forwarded.packetsOut} pkts ${forwarded.bytesOut} B`,
    forwarded?.lastSeen === undefined ? "-" : ago(now - forwarded.lastSeen),
    because === undefined ? "" : userSpaceReasons[because],
  ]);
  const notes = offload.interfaces.flatMap(({ name, note }) => (note === undefined ? [] : [`${name}: TC (${note})\n`]));
  if (offload.engine === "XDP") notes.push(`XDP has forwarded ${offload.byXdp} packets\n`);
  const passed = passReasons.map(({ name, what }) => [name, String(offload.passed[name]), what]);
  return [
    `${line}\n${notes.join("")}`,
    table(["CLIENT", "CHANNEL", "RELAYED", "PEER", "WAY", "IN", "OUT", "LAST", "WHY"], channels),
    `Passed to user space\n${table(["REASON", "DATAGRAMS", "DESCRIPTION"], passed)}`,
  ].join("\n");
};

interface OffloadFlags {
  readonly admin: string;
  readonly adminTokenFile?: string;
  readonly output: Format;
}

export const offloadCommand = (): Command =>
  new Command("offload")
    .description("show which channels the kernel forwards, and what it passes to user space and why")
    .option("--admin <host:port>", "admin API of what runs here", DEFAULT_ADMIN)
    .addOption(adminTokenOption())
    .addOption(outputOption())
    .action(async ({ admin, adminTokenFile, output }: OffloadFlags) => {
      const state = await fetchState(admin, readAdminToken(adminTokenFile).token);
      const document = { offload: state.relay.offload ?? null, channels: channelsOf(state) };
      await print(output, document, () => describeOffload(state));
    });
