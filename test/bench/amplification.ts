/**
 * What `npm run bench:flood` prints last: how many bytes of answers an address gets in whose name requests are sent over UDP,
 * for each byte of the requests, by kind of request. In a network of its own, as loopback has no limit; needs root.
 */
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { setTimeout as pause } from "node:timers/promises";
import { pino } from "pino";
import { createRelay } from "../../src/dataplane/create-relay.ts";
import { attribute } from "../../src/stun/attributes.ts";
import { longTermKey } from "../../src/stun/integrity.ts";
import { method, type Attribute } from "../../src/stun/message.ts";
import { encode } from "../../src/turn-client/codec.ts";
import { enterOwnNetwork } from "../support/network.ts";

const SERVER = "10.99.0.1";
const PORT = 3478;
const PER_SECOND = 500;
const SECONDS = 5;

const udp: Attribute = { type: attribute.requestedTransport, value: 17 * 0x1000000 };
const request = (asked: number, attributes: readonly Attribute[] = [], isSigned = false): Buffer =>
  encode({
    method: asked,
    class: "request",
    transactionId: randomBytes(12),
    attributes,
    ...(isSigned ? { key: longTermKey("u", "r", "wrong") } : {}),
  });
const credentials: readonly Attribute[] = [
  { type: attribute.username, value: "u" },
  { type: attribute.realm, value: "r" },
  { type: attribute.nonce, value: "0123456789abcdef" },
];

const kinds: Readonly<Record<string, () => Buffer>> = {
  Binding: () => request(method.binding),
  "Allocate without credentials": () => request(method.allocate, [udp]),
  "Allocate with a stale nonce": () => request(method.allocate, [udp, ...credentials], true),
  "CreatePermission without credentials": () => request(method.createPermission),
  "random bytes": () => randomBytes(60),
};

enterOwnNetwork();
const run = (...args: readonly string[]): void => {
  const { status, stderr } = spawnSync("ip", args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`ip ${args.join(" ")}: ${stderr}`);
};
run("address", "add", `${SERVER}/24`, "dev", "lo");
const relay = createRelay({ place: { by: "config" }, own: [], log: pino({ level: "silent" }) });
await relay.apply({
  version: "v1",
  admin: { name: "gw" },
  auth: { type: "static", realm: "r", credentials: { username: "u", password: "p" } },
  listeners: [{ name: "gw/udp", protocol: "TURN-UDP", address: SERVER, port: PORT, routes: ["c"] }],
  clusters: [{ name: "c", type: "STATIC", protocol: "UDP", endpoints: [SERVER] }],
});

let last = 1;
for (const [name, make] of Object.entries(kinds)) {
  const address = `10.99.0.${(last += 1)}`;
  run("address", "add", `${address}/24`, "dev", "lo");
  const socket = createSocket("udp4");
  socket.bind(0, address);
  await once(socket, "listening");
  let [asked, answered] = [0, 0];
  socket.on("message", (bytes) => (answered += bytes.length));
  const began = performance.now();
  for (let sent = 0; sent < PER_SECOND * SECONDS; await pause(10))
    for (const due = ((performance.now() - began) / 1000) * PER_SECOND; sent < due; sent++) {
      const bytes = make();
      asked += bytes.length;
      socket.send(bytes, PORT, SERVER);
    }
  await pause(200);
  console.log(`${name.padEnd(44)} ${asked} B sent, ${answered} B answered: ${(answered / asked).toFixed(2)} times`);
  socket.close();
}
await relay.close();
