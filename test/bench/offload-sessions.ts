/**
 * Clients for `bench:offload`, in the client's network: allocates, binds channels to ports of one peer, prints the flows as
 * JSON, and keeps the allocations until its standard input ends.
 */
import { setTimeout as pause } from "node:timers/promises";
import { TurnClient } from "../../src/turn-client/turn-client.ts";

export interface SessionOptions {
  readonly host: string;
  readonly port: number;
  readonly username: string;
  readonly password: string;
  readonly clients: number;
  readonly channels: number;
  readonly peer: string;
  readonly firstPeerPort: number;
}

/** A channel of a client. */
export interface BenchFlow {
  readonly clientPort: number;
  readonly channel: number;
  readonly relayedPort: number;
  readonly peerPort: number;
}

const FIRST_CHANNEL = 0x4000;

const options = JSON.parse(process.argv[2]!) as SessionOptions;
const { clients, channels, peer, firstPeerPort, ...server } = options;

/** Until the server is up. */
const waitForServer = async (): Promise<void> => {
  for (let tries = 0; tries < 200; tries += 1) {
    const client = await TurnClient.connect({ ...server, timeoutMilliseconds: 200 });
    const isUp = await client.binding().then(
      () => true,
      () => false,
    );
    client.close();
    if (isUp) return;
    await pause(50);
  }
  throw new Error("the server does not respond");
};

await waitForServer();
const flows: BenchFlow[] = [];
const open: TurnClient[] = [];
for (let n = 0; n < clients; n += 1) {
  const client = await TurnClient.connect(server);
  open.push(client);
  const { relayed, mapped } = await client.allocate();
  for (let index = 0; index < channels; index += 1) {
    const peerPort = firstPeerPort + ((n * channels + index) % 20_000);
    await client.channelBind(FIRST_CHANNEL + index, { address: peer, port: peerPort });
    const relayedPort = relayed[0]!.port;
    flows.push({ clientPort: mapped!.port, channel: FIRST_CHANNEL + index, relayedPort, peerPort });
  }
}
process.stdout.write(`${JSON.stringify(flows)}\n`);
process.stdin.resume();
process.stdin.once("end", () => {
  for (const client of open) client.close();
});
