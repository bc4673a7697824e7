/** The page says which channels the kernel forwards, and why it does not forward the others. */
import { expect, it, onTestFinished } from "vitest";
import { openBrowser, untilLoaded, visit } from "../support/browser.ts";
import { credentials, startTestDataplane } from "../support/dataplane.ts";
import { startEchoBackend } from "../support/live.ts";
import { enterOwnNetwork } from "../support/network.ts";
import { offloadOn } from "../support/offload.ts";
import { startStream } from "../support/stream.ts";

it("shows them with the allocations", async () => {
  enterOwnNetwork();
  offloadOn("lo");
  const here = await startTestDataplane({}, { admin: true });
  onTestFinished(() => here.stop());
  const echo = await startEchoBackend();
  onTestFinished(() => echo.close());
  for (const transport of ["udp", "tcp"] as const) {
    const call = await startStream({ host: "127.0.0.1", port: here.ports[transport], transport, ...credentials }, echo);
    onTestFinished(() => call.stop());
    await call.flows(5);
  }
  const browser = await openBrowser();
  onTestFinished(() => browser.close());
  const { page, problems } = await visit(browser, `127.0.0.1:${here.dataplane.admin!.port}`, {
    fragment: "view=allocations",
  });
  await untilLoaded(page);
  const table = page.getByRole("table", { name: "Allocations" });
  await table.getByRole("columnheader", { name: "Kernel" }).waitFor();
  const cells = table.locator("td", { hasText: / of 1$/ });
  expect(await cells.allTextContents()).toEqual(expect.arrayContaining(["1 of 1", "0 of 1"]));
  expect(await cells.filter({ hasText: "0 of 1" }).getAttribute("title")).toBe(
    `127.0.0.1:${echo.port}: user space, transport`,
  );
  expect(problems).toEqual([]);
});
