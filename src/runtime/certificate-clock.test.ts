import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { seen } from "../../test/support/given.ts";
import { openJournal, type JournalWriter } from "../journal/writer.ts";
import type { CertificateState, Secret } from "../resources/core.ts";
import type { Name } from "../resources/keys.ts";
import { startCertificateClock, type CertificateClock } from "./certificate-clock.ts";
import { createLoop, type Loop } from "./loop.ts";
import { standaloneOptions } from "./options.ts";

let folder: string;
let journal: JournalWriter;
let loop: Loop;
let clock: CertificateClock;
let elapsedMs = 0;
const startedAt = Date.UTC(2030, 0, 1);

beforeEach(() => {
  elapsedMs = 0;
  folder = mkdtempSync(join(tmpdir(), "turnpike-clock-"));
  journal = openJournal(folder);
  loop = createLoop(journal, standaloneOptions("127.0.0.1"));
  clock = startCertificateClock(loop, () => startedAt + elapsedMs);
});
afterEach(() => {
  clock.close();
  journal.close();
  rmSync(folder, { recursive: true });
});

const secret = (certificate: CertificateState): Secret => ({
  apiVersion: "v1",
  kind: "Secret",
  metadata: { name: "certificate", namespace: "ns" },
  data: { "tls.crt": "vault:c", "tls.key": "vault:k" },
  certificate,
});
const take = (object: Secret): unknown => loop.take([{ fact: seen("Secret", object), source: "test", cause: null }]);
const current = () => loop.core.view.get("Secret", "ns/certificate" as Name)?.certificate;
const at = (ms: number): string => new Date(startedAt + ms).toISOString();

it("says of a certificate when it begins and when it ends to be valid", async () => {
  const dates = { parses: true, notBefore: at(20), notAfter: at(40) };
  take(secret({ ...dates, validity: "not-yet-valid" }));
  elapsedMs = 20;
  await expect.poll(current).toEqual(dates);
  elapsedMs = 40;
  await expect.poll(current).toEqual({ ...dates, validity: "expired" });
});

it("forgets the deadline of a certificate that is renewed", async () => {
  take(secret({ parses: true, notAfter: at(20) }));
  const renewed = { parses: true, notAfter: at(60 * 60_000) };
  take(secret(renewed));
  take({ ...secret({ parses: true, notAfter: at(20) }), metadata: { name: "other", namespace: "ns" } });
  elapsedMs = 30;
  const other = () => loop.core.view.get("Secret", "ns/other" as Name)?.certificate?.validity;
  await expect.poll(other).toBe("expired");
  expect(current()).toEqual(renewed);
});
