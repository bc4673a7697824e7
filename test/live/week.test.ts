/**
 * A week of changes, one after the other while calls go on: secrets are rotated, certificates renewed, nodes leave and return,
 * users are kicked, blocked and unblocked. No call is lost but those that a change ends, and the log replays.
 *
 * `TURNPIKE_WEEKS=N` makes it N weeks, `TURNPIKE_SEED=N` repeats one.
 */
import { afterAll, beforeAll, expect, it } from "vitest";
import { ephemeralCredentials } from "../../src/turn-client/credentials.ts";
import { eventually } from "../support/eventually.ts";
import { makeCertificate, type TestCertificate } from "../support/certificate.ts";
import { startEchoBackend, startLive, type EchoBackend, type Live, type World } from "../support/live.ts";
import { secret } from "../support/manifests.ts";
import { startStream, type Stream } from "../support/stream.ts";

const WEEKS = Number(process.env["TURNPIKE_WEEKS"] ?? 1);
const SEED = Number(process.env["TURNPIKE_SEED"] ?? Date.now() % 1_000_000);
const CHANGES_A_DAY = 6;
const USERS = ["ann", "ben", "cat", "dan", "eve", "fay"] as const;
const [STAYS, ...NODES] = ["127.0.0.1", "127.0.0.2", "127.0.0.3"] as const;

/** Numbers from 0 to below `limit`, the same for the same seed (a linear congruential generator). */
const randomOf = (seed: number) => {
  let state = seed;
  return (limit: number): number => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return Math.floor((state / 2 ** 31) * limit);
  };
};
const random = randomOf(SEED);
const oneOf = <T>(list: readonly T[]): T => list[random(list.length)]!;

/** What the manifests say. */
const now = {
  /** The first one is new; during a rotation the one before is accepted as well. */
  secrets: ["secret-0"],
  certificate: makeCertificate(),
  nodes: new Set<string>(NODES),
  blocked: new Set<string>(),
  kicks: [] as { readonly user: string; readonly reason: string }[],
};
const worldOf = (): World => ({
  auth: { authRef: { name: "turn" } },
  protocols: ["TURN-UDP", "TURN-TLS"],
  backends: [STAYS, ...now.nodes].map((address) => ({ address })),
  annotations: {
    "turnpike.dev/users": JSON.stringify({
      blocked: Object.fromEntries([...now.blocked].map((user) => [user, { reason: "test" }])),
      kicked: now.kicks,
    }),
  },
  more: [
    {
      ...secret("default/turn", {}),
      stringData: {
        type: "ephemeral",
        secret: now.secrets[0],
        ...(now.secrets[1] === undefined ? {} : { "secret.before": now.secrets[1] }),
      },
    },
    secret(
      "default/certificate",
      { "tls.crt": now.certificate.cert64, "tls.key": now.certificate.key64 },
      "kubernetes.io/tls",
    ),
  ],
});

interface Call {
  readonly user: string;
  readonly peer: string;
  readonly stream: Stream;
}

let live: Live;
const backends = new Map<string, EchoBackend>();
const calls = new Set<Call>();
const certificates: TestCertificate[] = [];
/** Calls that a change ended, as it should. */
let ended = 0;
let begun = 0;

beforeAll(async () => {
  for (const address of [STAYS, ...NODES]) backends.set(address, await startEchoBackend(address));
  for (let count = 0; count < 4; count++) certificates.push(makeCertificate());
  live = await startLive(worldOf());
});
afterAll(async () => {
  for (const { stream } of calls) stream.stop();
  await live.stop();
  for (const backend of backends.values()) await backend.close();
});

const begin = async (user: string): Promise<void> => {
  const peer = oneOf([STAYS, ...now.nodes]);
  const transport = oneOf(["udp", "tls"] as const);
  const credentials = ephemeralCredentials(oneOf(now.secrets), user, 86_400);
  const verification = { ca: now.certificate.certificate, serverName: "localhost" };
  const options = { host: "127.0.0.1", port: live.port, transport, ...credentials, ...verification };
  calls.add({ user, peer, stream: await startStream(options, backends.get(peer)!) });
  begun += 1;
};

/** Ends a call that was cut: what it had sent before has arrived, without a gap. */
const expectCut = async (call: Call): Promise<void> => {
  const { stream } = call;
  calls.delete(call);
  ended += 1;
  stream.stop();
  await eventually(() => {
    const lost = Array.from({ length: stream.sent }, (_, number) => number).filter((one) => !stream.received.has(one));
    const [first = stream.sent] = lost;
    expect(lost).toEqual(Array.from({ length: stream.sent - first }, (_, index) => first + index));
  });
};

const changes: Readonly<Record<string, () => ((call: Call) => boolean) | undefined>> = {
  "a secret is added": () => {
    if (now.secrets.length === 1) now.secrets = [`secret-${random(1_000_000)}`, ...now.secrets];
    return () => false;
  },
  "the secret before is removed": () => {
    now.secrets = now.secrets.slice(0, 1);
    return () => false;
  },
  "the certificate is renewed": () => {
    now.certificate = oneOf(certificates.filter((one) => one !== now.certificate));
    return () => false;
  },
  "a node leaves": () => {
    const node = oneOf(NODES);
    return now.nodes.delete(node) ? ({ peer }) => peer === node : undefined;
  },
  "a node returns": () => {
    now.nodes.add(oneOf(NODES));
    return () => false;
  },
  "a user is kicked": () => {
    const user = oneOf(USERS);
    now.kicks = [...now.kicks, { user, reason: `kick ${now.kicks.length}` }].slice(-32);
    return (call) => call.user === user;
  },
  "a user is blocked": () => {
    const user = oneOf(USERS);
    now.blocked.add(user);
    return (call) => call.user === user;
  },
  "users are unblocked": () => {
    now.blocked.clear();
    return () => false;
  },
};

it(`loses no call that it should not lose (seed ${SEED})`, { timeout: WEEKS * 120_000 }, async () => {
  for (let change = 0; change < WEEKS * 7 * CHANGES_A_DAY; change++) {
    for (const user of USERS) {
      if (now.blocked.has(user)) continue;
      if (![...calls].some((call) => call.user === user)) await begin(user);
    }
    await Promise.all([...calls].map(({ stream }) => stream.flows(3)));
    const before = JSON.stringify(worldOf());
    const what = oneOf(Object.keys(changes));
    const isEnded = changes[what]!();
    if (JSON.stringify(worldOf()) === before) continue;
    await live.edit(worldOf());
    for (const call of calls) if (isEnded?.(call) === true) await expectCut(call);
    await Promise.all([...calls].map(({ stream }) => stream.flows(3)));
    const users = new Set(live.standalone.relay.state().allocations.map(({ user }) => user));
    for (const user of now.blocked) expect(users, what).not.toContain(user);
  }
  const lost = await Promise.all([...calls].map(({ stream }) => stream.lost()));
  expect(lost.flat()).toEqual([]);
  const closed = live.standalone.relay.state().closed;
  console.log(
    `${begun} calls, ${ended} ended by changes, ${calls.size} at the end; allocations closed: ${JSON.stringify(closed)}`,
  );
  expect(begun).toBe(ended + calls.size);
});
