import { createSocket, type RemoteInfo } from "node:dgram";
import { once } from "node:events";
import { describe, expect, it, onTestFinished } from "vitest";
import { attribute } from "../stun/attributes.ts";
import { decode, encode } from "./codec.ts";
import { ephemeralCredentials } from "./credentials.ts";
import { TurnClient } from "./turn-client.ts";

/** A server that does as `answer` says; the count of a request starts at 1. */
const server = async (answer: (request: Buffer, count: number) => Buffer | undefined): Promise<number> => {
  const socket = createSocket("udp4");
  let count = 0;
  socket.on("message", (bytes: Buffer, from: RemoteInfo) => {
    const response = answer(bytes, ++count);
    if (response !== undefined) socket.send(response, from.port, from.address);
  });
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  onTestFinished(() => void socket.close());
  return socket.address().port;
};

const respond = (
  request: Buffer,
  kind: "success" | "error",
  attributes: Parameters<typeof encode>[0]["attributes"] = [],
) => {
  const decoded = decode(request);
  if (decoded.kind !== "message") throw new Error(decoded.code);
  const { method, transactionId } = decoded.message;
  return encode({ method, class: kind, transactionId, attributes });
};

const open = async (port: number, options = {}): Promise<TurnClient> => {
  const client = await TurnClient.connect({ host: "127.0.0.1", port, username: "u", password: "p", ...options });
  onTestFinished(() => client.close());
  return client;
};

describe("a TURN client", () => {
  it("asks again over UDP until it is answered", async () => {
    const mapped = { type: attribute.xorMappedAddress, address: { address: "192.0.2.1", port: 7 } };
    const port = await server((request, count) => (count < 3 ? undefined : respond(request, "success", [mapped])));
    const client = await open(port, { retransmitMilliseconds: 10 });
    expect(await client.binding()).toEqual({ address: "192.0.2.1", port: 7 });
  });

  it("gives up in the time it was given", async () => {
    const client = await open(await server(() => undefined), { timeoutMilliseconds: 50 });
    await expect(client.binding()).rejects.toThrow("no answer");
  });

  it("does not take an answer that is not signed for the server's", async () => {
    const challenge = [
      { type: attribute.errorCode, code: 401 },
      { type: attribute.realm, value: "r" },
      { type: attribute.nonce, value: "n" },
    ];
    const port = await server((request, count) =>
      count === 1 ? respond(request, "error", challenge) : respond(request, "success"),
    );
    await expect((await open(port)).allocate()).rejects.toThrow("not signed");
  });

  it("follows a stale nonce", async () => {
    const nonces: (string | undefined)[] = [];
    const port = await server((request, count) => {
      const decoded = decode(request);
      nonces.push(decoded.kind === "message" ? decoded.message.nonce : undefined);
      return respond(request, "error", [
        { type: attribute.errorCode, code: count === 1 ? 401 : count === 2 ? 438 : 486 },
        { type: attribute.realm, value: "r" },
        { type: attribute.nonce, value: `nonce-${count}` },
      ]);
    });
    await expect((await open(port)).allocate()).rejects.toMatchObject({ code: 486 });
    expect(nonces).toEqual([undefined, "nonce-1", "nonce-2"]);
  });

  it("makes ephemeral credentials", () => {
    expect(ephemeralCredentials("s", "alice", 60, 1_000_000)).toMatchObject({ username: "1060:alice" });
  });
});
