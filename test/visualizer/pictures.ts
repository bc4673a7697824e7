/** `npm run docs:pictures`: the main views of the page, light and dark, as `docs/images` has them. A live gateway with calls. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Page } from "playwright-core";
import { pino } from "pino";
import { startStandalone } from "../../src/runtime/standalone.ts";
import { TurnClient } from "../../src/turn-client/turn-client.ts";
import { openBrowser } from "../support/browser.ts";
import { freePort } from "../support/free-port.ts";
import { manifestsOf, startEchoBackend, type World } from "../support/live.ts";
import { startStream } from "../support/stream.ts";

const IMAGES = fileURLToPath(new URL("../../docs/images", import.meta.url));
const [MEDIA, OTHER] = ["127.0.0.1", "127.0.0.2"] as const;

interface Picture {
  readonly name: string;
  readonly fragment: string;
  /** What has to be there before the picture is taken. */
  readonly until: string;
  readonly then?: (page: Page) => Promise<void>;
}

const pictures: readonly Picture[] = [
  { name: "topology", fragment: `select=endpoint:default/other%23${OTHER}`, until: ".edge.busy text" },
  {
    name: "statecharts",
    fragment: `view=machines&machine=endpoint&select=endpoint:default/other%23${OTHER}`,
    until: ".state.current",
  },
  {
    name: "allocations",
    fragment: "view=allocations",
    until: ".spark",
    then: async (page) => {
      await page
        .getByRole("table", { name: "Refused peers" })
        .getByRole("button", { name: "10.9.9.9" })
        .first()
        .click();
      await page.getByRole("region", { name: "Explanation" }).waitFor();
      // Some seconds of rates, to be seen as a line.
      await page.waitForTimeout(9000);
    },
  },
  { name: "compare", fragment: "view=compare&vs=20&select=line:45", until: ".compare li" },
];

const main = async (): Promise<void> => {
  const root = mkdtempSync(join(tmpdir(), "turnpike-pictures-"));
  const port = await freePort("127.0.0.1");
  const world: World = {
    port,
    backends: [{ address: MEDIA }, { address: "127.0.0.3" }],
    otherBackends: [{ address: OTHER }],
  };
  const write = (next: World): void => writeFileSync(join(root, "manifests.yaml"), manifestsOf(next));
  write(world);
  const gateway = await startStandalone({
    directory: root,
    addresses: ["127.0.0.1"],
    journal: join(root, "journal"),
    admin: { host: "127.0.0.1", port: 0 },
    log: pino({ level: "silent" }),
  });
  await gateway.started;
  const connection = { host: "127.0.0.1", port, transport: "udp", username: "user-1", password: "pass-1" } as const;
  const backends = await Promise.all([MEDIA, OTHER].map((address) => startEchoBackend(address)));
  const streams = await Promise.all(
    backends.flatMap((one) => [startStream(connection, one), startStream(connection, one)]),
  );
  const client = await TurnClient.connect(connection);
  await client.allocate();
  await client.createPermission("10.9.9.9").catch(() => undefined);
  client.close();
  write({ ...world, otherBackends: [{ address: OTHER, terminating: true }] });

  mkdirSync(IMAGES, { recursive: true });
  const browser = await openBrowser();
  for (const colorScheme of ["light", "dark"] as const)
    for (const { name, fragment, until, then } of pictures) {
      const page = await browser.newPage({ viewport: { width: 1400, height: 860 }, colorScheme });
      await page.goto(`http://127.0.0.1:${gateway.admin.port}/#${fragment}`);
      await page.locator(until).first().waitFor();
      await then?.(page);
      await page.screenshot({ path: join(IMAGES, `${name}-${colorScheme}.png`) });
      await page.close();
      console.log(`docs/images/${name}-${colorScheme}.png`);
    }
  await browser.close();
  for (const stream of streams) stream.stop();
  await gateway.stop("done");
  await Promise.all(backends.map((backend) => backend.close()));
  rmSync(root, { recursive: true });
};

await main();
