import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { newCertificate } from "../../test/support/certificate.ts";
import { followAccess, readAccess, type AccessFiles } from "./access-files.ts";
import { fetchConfig } from "./fetch.ts";
import { configOf, start, type Running } from "../../test/support/discovery.ts";
import type { TlsMaterial } from "./server.ts";
import { eventually } from "../../test/support/eventually.ts";

let [first, second]: TlsMaterial[] = [];
beforeAll(() => {
  [first, second] = [newCertificate(), newCertificate()];
});

let folder: string;
let files: Required<AccessFiles>;
let server: Running | undefined;
let unfollow: (() => void) | undefined;

const write = ({ cert, key }: TlsMaterial, token: string): void => {
  writeFileSync(files.tls.cert, cert);
  writeFileSync(files.tls.key, key);
  writeFileSync(files.token, token);
};

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "turnpike-access-"));
  const at = (name: string): string => join(folder, name);
  files = { tls: { cert: at("tls.crt"), key: at("tls.key") }, token: at("token") };
  write(first!, "s3cret\n");
});
afterEach(async () => {
  unfollow?.();
  await server?.close();
  [server, unfollow] = [undefined, undefined];
  rmSync(folder, { recursive: true });
});

const follow = async (): Promise<{ readonly renewed: () => number; readonly refused: readonly string[] }> => {
  const initial = readAccess(files);
  const started = await start(initial);
  server = started;
  started.set("ns/gw", configOf("ns/gw"));
  let renewed = 0;
  const refused: string[] = [];
  unfollow = followAccess(started, files, {
    everyMs: 5,
    initial,
    onRenewed: () => (renewed += 1),
    onRefused: (reason) => refused.push(reason),
  });
  return { renewed: () => renewed, refused };
};

const config = (ca: string, token: string) => fetchConfig({ origin: server!.origin, id: "ns/gw", ca, token });

it("serves with the certificate and token of the files", async () => {
  await follow();
  expect(await config(first!.cert, "s3cret")).toMatchObject({ version: "v1" });
  await expect(config(first!.cert, "other")).rejects.toThrow("401");
  await expect(config(second!.cert, "s3cret")).rejects.toThrow("certificate");
});

it("takes renewed files without a restart, each once", async () => {
  const { renewed, refused } = await follow();
  write(second!, "n3w");
  await eventually(() => expect(renewed()).toBeGreaterThan(0));
  await eventually(async () => expect(await config(second!.cert, "n3w")).toMatchObject({ version: "v1" }));
  await expect(config(second!.cert, "s3cret")).rejects.toThrow("401");
  const before = renewed();
  rmSync(files.token);
  await eventually(() => expect(refused.at(-1)).toContain("ENOENT"));
  expect(renewed()).toBe(before);
});

it("keeps what it has while the files cannot be used, and says so once", async () => {
  const { renewed, refused } = await follow();
  writeFileSync(files.tls.key, second!.key);
  await eventually(() => expect(refused).toHaveLength(1));
  expect(refused[0]).toMatch(/cannot be used: .*key/i);
  expect(await config(first!.cert, "s3cret")).toMatchObject({ version: "v1" });
  writeFileSync(files.tls.key, first!.key);
  writeFileSync(files.token, " \n");
  await eventually(() => expect(refused).toHaveLength(2));
  expect(refused[1]).toContain("empty token");
  expect(await config(first!.cert, "s3cret")).toMatchObject({ version: "v1" });
  expect(renewed()).toBe(0);
});

it.each([
  ["a file that is not there", () => rmSync(files.tls.cert), /ENOENT/],
  ["what is no certificate", () => writeFileSync(files.tls.cert, "nonsense"), /cannot be used: .*pem/i],
  ["a token of nothing", () => writeFileSync(files.token, "\n"), /empty token/],
])("does not start with %s", (_, spoil, message) => {
  spoil();
  expect(() => readAccess(files)).toThrow(
    expect.objectContaining({ code: "discovery-file", message: expect.stringMatching(message) }),
  );
});
