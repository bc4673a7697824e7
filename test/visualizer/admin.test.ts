/** Access to the admin port: read-only, by token, and to no page of another site. */
import { request } from "node:http";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startAdmin, type AdminServer } from "../../src/admin/server.ts";
import { openJournal } from "../../src/journal/writer.ts";
import { openBrowser, untilLoaded, visit } from "../support/browser.ts";

const TOKEN = "open-sesame";

let folder: string;
let open: AdminServer;
let guarded: AdminServer;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "turnpike-admin-"));
  const journal = openJournal(folder);
  journal.append({ type: "watch.lost", data: { reason: "test" } }, "test", null);
  journal.close();
  [open, guarded] = await Promise.all([
    startAdmin({ host: "127.0.0.1", port: 0, journal: folder }),
    startAdmin({ host: "127.0.0.1", port: 0, journal: folder, token: TOKEN }),
  ]);
});
afterAll(async () => {
  await Promise.all([open.close(), guarded.close()]);
  rmSync(folder, { recursive: true });
});

interface Answer {
  readonly status: number | undefined;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}

const ask = (
  port: number,
  path: string,
  headers: Readonly<Record<string, string>> = {},
  method = "GET",
): Promise<Answer> =>
  new Promise((resolve, reject) => {
    request({ host: "127.0.0.1", port, path, method, headers }, (response) => {
      let body = "";
      response.on("data", (chunk: Buffer) => (body += chunk.toString()));
      response.on("end", () => resolve({ status: response.statusCode, headers: response.headers, body }));
    })
      .on("error", reject)
      .end();
  });

describe("the admin port", () => {
  it("serves the page with a policy that lets nothing else in", async () => {
    const { status, headers, body } = await ask(open.port, "/");
    expect(status).toBe(200);
    const policy = String(headers["content-security-policy"]);
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toMatch(/unsafe|https?:|\*/);
    expect(headers["x-content-type-options"]).toBe("nosniff");
    expect(body).not.toMatch(/(?:src|href)="(?:https?:)?\/\//);
    expect(body).not.toMatch(/<script(?![^>]* src=)|<style| on\w+=/);
    const { status: unchanged } = await ask(open.port, "/", { "if-none-match": String(headers["etag"]) });
    expect(unchanged).toBe(304);
  });

  it("serves of the program what the page imports, and no other file", async () => {
    const { body } = await ask(open.port, "/");
    const modules = [...body.matchAll(/modulepreload" href="([^"]+)"/g)].map(([, url]) => url!);
    expect(modules.length).toBeGreaterThan(20);
    for (const url of modules) {
      const { status, headers, body: code } = await ask(open.port, url);
      expect([status, headers["content-type"]]).toEqual([200, "text/javascript; charset=utf-8"]);
      expect(code).not.toMatch(/from "node:/);
    }
    for (const path of [
      "/app/journal/vault.ts",
      "/app/cli/main.ts",
      "/app/../package.json",
      "/app/visualizer/app/%2e%2e/%2e%2e/cli/main.ts",
      "/lib/..%2f..%2fpackage.json",
      "//etc/passwd",
    ])
      expect((await ask(open.port, path)).status, path).toBe(404);
  });

  it.each(["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])("answers no %s", async (method) => {
    expect((await ask(open.port, "/api/v1/log", {}, method)).status).toBe(405);
  });

  it("makes profiles for who has the token, and for nobody where there is none", async () => {
    const authorization = `Bearer ${TOKEN}`;
    const cpu = await ask(guarded.port, "/api/v1/profile?seconds=1", { authorization });
    expect(cpu.status).toBe(200);
    expect(JSON.parse(cpu.body)).toMatchObject({ nodes: expect.any(Array), samples: expect.any(Array) });
    const heap = await ask(guarded.port, "/api/v1/heap", { authorization });
    expect(JSON.parse(heap.body)).toMatchObject({ snapshot: { meta: expect.any(Object) } });
    expect((await ask(guarded.port, "/api/v1/profile?seconds=0", { authorization })).status).toBe(400);
    expect((await ask(guarded.port, "/api/v1/profile")).status).toBe(401);
    for (const path of ["/api/v1/profile", "/api/v1/heap"])
      expect(await ask(open.port, path)).toMatchObject({ status: 403, body: expect.stringContaining("need a token") });
  });

  it("makes one profile at a time", async () => {
    const authorization = `Bearer ${TOKEN}`;
    const two = await Promise.all([1, 2].map(() => ask(guarded.port, "/api/v1/profile?seconds=1", { authorization })));
    expect(two.map(({ status }) => status).toSorted()).toEqual([200, 503]);
  });

  it("answers only to its own address and to localhost, as pages of other sites may be sent here", async () => {
    for (const [host, status] of [
      ["attacker.example", 403],
      ["attacker.example:8086", 403],
      ["localhost", 200],
      ["localhost:8086", 200],
      ["127.0.0.1", 200],
      ["[::1]:8086", 200],
    ] as const)
      expect((await ask(open.port, "/api/v1/log", { host })).status, host).toBe(status);
  });

  it("asks for the token, where there is one, below /api/ alone", async () => {
    for (const path of ["/api/v1/log", "/api/v1/state", "/api/v1/machines", "/api/v1/traffic", "/api/none"]) {
      expect((await ask(guarded.port, path)).status, path).toBe(401);
      expect((await ask(guarded.port, path, { authorization: `Bearer ${TOKEN}x` })).status, path).toBe(401);
    }
    expect((await ask(guarded.port, "/api/v1/log", { authorization: `Bearer ${TOKEN}` })).status).toBe(200);
    expect((await ask(guarded.port, "/")).status).toBe(200);
  });

  it("says that a log alone has no state and no traffic", async () => {
    for (const path of ["/api/v1/state", "/api/v1/traffic"]) {
      const { status, body } = await ask(open.port, path);
      expect([status, body]).toEqual([404, "nothing runs here; there is a log alone\n"]);
    }
  });

  it("sends the log as it stands, from a line on, and its size", async () => {
    const many = mkdtempSync(join(tmpdir(), "turnpike-admin-log-"));
    const journal = openJournal(many, { segmentBytes: 2000 });
    for (let n = 0; n < 100; n += 1) {
      journal.append({ type: "watch.lost", data: { reason: `number ${n}` } }, "test", null);
      journal.flush();
      if (journal.full) journal.rotate({});
    }
    journal.close();
    const admin = await startAdmin({ host: "127.0.0.1", port: 0, journal: many });
    const seqs = async (query: string): Promise<readonly number[]> =>
      (await ask(admin.port, `/api/v1/log${query}`)).body
        .trimEnd()
        .split("\n")
        .map((line) => (JSON.parse(line) as { seq: number }).seq);
    const all = await seqs("");
    expect(all).toEqual(all.map((_, at) => at + 1));
    expect(await seqs("?from=57")).toEqual(all.slice(56));
    const last = await seqs("?last=20");
    expect(last.length).toBeGreaterThanOrEqual(20);
    expect(last.length).toBeLessThan(all.length);
    const { headers, body } = await ask(admin.port, "/api/v1/log");
    expect(Number(headers["turnpike-log-bytes"])).toBe(Buffer.byteLength(body));
    await admin.close();
    rmSync(many, { recursive: true });
  });

  it("answers with an error, and lives on, when the log cannot be read", async () => {
    const gone = mkdtempSync(join(tmpdir(), "turnpike-admin-gone-"));
    const admin = await startAdmin({ host: "127.0.0.1", port: 0, journal: gone });
    rmSync(gone, { recursive: true });
    expect((await ask(admin.port, "/api/v1/log")).status).toBe(500);
    expect((await ask(admin.port, "/api/v1/machines")).status).toBe(200);
    await admin.close();
  });
});

describe("the page of a guarded port", () => {
  let browser: Browser;
  beforeAll(async () => void (browser = await openBrowser()));
  afterAll(() => browser.close());

  it("asks for the token and goes on with it", async () => {
    const { page } = await visit(browser, `127.0.0.1:${guarded.port}`);
    await page.getByRole("alert").getByText("a token is asked for").waitFor();
    await page.getByLabel("Token").fill(TOKEN);
    await page.getByRole("button", { name: "Go on" }).click();
    await untilLoaded(page);
    expect(await page.getByRole("alert").count()).toBe(0);
    await page.close();
  });

  it("takes it from a link, and out of the address", async () => {
    const { page } = await visit(browser, `127.0.0.1:${guarded.port}`, { fragment: `token=${TOKEN}` });
    await untilLoaded(page);
    expect(page.url()).not.toContain(TOKEN);
    await page.close();
  });
});

it("a token file that is empty or missing guards nothing and is refused", async () => {
  const { readAdminToken } = await import("../../src/cli/admin-options.ts");
  const file = join(folder, "token");
  writeFileSync(file, "  \n");
  expect(() => readAdminToken(file)).toThrow("is empty");
  expect(() => readAdminToken(join(folder, "none"))).toThrow("no such file");
  writeFileSync(file, `${TOKEN}\n`);
  expect(readAdminToken(file)).toEqual({ token: TOKEN });
  expect(readAdminToken(undefined)).toEqual({});
});
