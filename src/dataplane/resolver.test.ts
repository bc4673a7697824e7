import pino from "pino";
import { expect, it } from "vitest";
import { startDnsServer } from "../../test/support/dns-server.ts";
import { Resolver } from "./resolver.ts";

const log = pino({ level: "silent" });

it("looks names up, reports a change, and drops names that nobody needs", async () => {
  let changes = 0;
  const resolver = new Resolver({ changed: () => changes++, log });
  resolver.watch(new Set(["127.0.0.1", "name.invalid"]));
  expect(resolver.addresses(["127.0.0.1"])).toEqual([]);
  await expect.poll(() => changes).toBe(1);
  expect(resolver.addresses(["127.0.0.1", "name.invalid"])).toEqual(["127.0.0.1"]);
  resolver.watch(new Set());
  expect(resolver.addresses(["127.0.0.1"])).toEqual([]);
});

it("looks a name up again when its time to live is over, and keeps the last answer when that fails", async () => {
  const server = await startDnsServer("192.0.2.1", 1);
  const logged: string[] = [];
  const seen: string[] = [];
  let asked = 0;
  const resolver = new Resolver({
    changed: () => seen.push(...resolver.addresses(["media.test"])),
    log: pino({}, { write: (line) => void logged.push(line) }),
    lookUp: async () => {
      asked += 1;
      if (asked > 2) throw new Error("no answer");
      return [`192.0.2.${asked}`];
    },
    dns: server.client,
  });
  resolver.watch(new Set(["media.test"]));
  await expect.poll(() => asked).toBe(3);
  await expect.poll(() => logged).toHaveLength(1);
  expect(seen).toEqual(["192.0.2.1", "192.0.2.2"]);
  expect(resolver.addresses(["media.test"])).toEqual(["192.0.2.2"]);
  resolver.close();
  server.close();
});
