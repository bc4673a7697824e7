/** Pages load while other tests change the network of the machine. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { spawn } from "node:child_process";
import { expect, it, onTestFinished } from "vitest";
import { startAdmin } from "../../src/admin/server.ts";
import { openJournal } from "../../src/journal/writer.ts";
import { openBrowser, untilLoaded, visit } from "./browser.ts";
import { enterOwnNetwork } from "./network.ts";

const VISITS = 3;
/** As fast as it can: a page takes some hundred milliseconds to load. */
const CHANGES = "while ip address add 10.77.0.1/24 dev plug && ip address delete 10.77.0.1/24 dev plug; do :; done";

it("a page loads while addresses come and go", async () => {
  enterOwnNetwork();
  const folder = mkdtempSync(join(tmpdir(), "turnpike-browser-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const journal = openJournal(folder);
  journal.append({ type: "watch.lost", data: { reason: "test" } }, "test", null);
  journal.close();
  const admin = await startAdmin({ host: "127.0.0.1", port: 0, journal: folder });
  onTestFinished(() => admin.close());
  const changes = spawn("sh", ["-c", CHANGES], { stdio: "ignore" });
  onTestFinished(() => void changes.kill("SIGKILL"));
  const browser = await openBrowser();
  onTestFinished(() => browser.close());
  for (let n = 0; n < VISITS; n += 1) {
    const { page, problems } = await visit(browser, `127.0.0.1:${admin.port}`);
    await untilLoaded(page);
    expect(problems).toEqual([]);
    await page.close();
  }
  expect(changes.exitCode).toBeNull();
});
