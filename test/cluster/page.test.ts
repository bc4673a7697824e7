/** The page of a live operator on a real API server: what changes in the cluster is seen, and why. */
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { scenarios } from "../conformance/scenario.ts";
import { openBrowser, untilLoaded, visit } from "../support/browser.ts";
import type { Literal } from "./client.ts";
import { useOperatorCommand } from "./operator-command.ts";

const command = useOperatorCommand();
let browser: Browser;
beforeAll(async () => void (browser = await openBrowser()));
afterAll(() => browser.close());

/** The EndpointSlice of the world, with other endpoints. */
const sliceWith = (endpoints: readonly unknown[]): Literal => {
  const basic = scenarios.find(({ name }) => name === "basic-udp")!;
  const slice = basic.stages[0]!.do.map((operation) => ("apply" in operation ? operation.apply : undefined)).find(
    (object) => (object as { readonly kind?: string } | undefined)?.kind === "EndpointSlice",
  );
  return { ...(slice as Literal), endpoints };
};

it("shows a pod that comes, terminates and goes, the objects made for a Gateway, and what led there", async () => {
  const { admin } = await command.start();
  const { page, problems } = await visit(browser, `127.0.0.1:${admin}`);
  await untilLoaded(page);
  await page.getByText("managed").waitFor();
  await page.getByRole("button", { name: "gateway stunner/gw: active" }).waitFor();
  await page.getByRole("button", { name: "route stunner/route: UDPRoute · attached" }).waitFor();

  const { client } = command.cluster;
  await client.apply(sliceWith([{ addresses: ["10.77.0.1"] }, { addresses: ["10.77.0.2"] }]));
  await page.getByRole("button", { name: "endpoint 10.77.0.2: active" }).waitFor();
  await client.apply(
    sliceWith([
      { addresses: ["10.77.0.1"] },
      { addresses: ["10.77.0.2"], conditions: { terminating: true, ready: false } },
    ]),
  );
  await page.getByRole("button", { name: /^endpoint 10\.77\.0\.2: terminating \d+ s/ }).click();
  const inspector = page.getByRole("complementary", { name: "Inspector" });
  await inspector.getByRole("heading", { name: "endpoint stunner/media#10.77.0.2" }).waitFor();
  await client.apply(sliceWith([{ addresses: ["10.77.0.1"] }]));
  await expect.poll(() => page.getByRole("button", { name: /endpoint 10\.77\.0\.2/ }).count()).toBe(0);
  // What is selected is remembered, and says how it ended.
  await inspector.getByRole("listitem").filter({ hasText: "unlisted" }).getByRole("button").first().click();
  await inspector.getByRole("list", { name: "Causes" }).getByText("seen EndpointSlice/stunner/media-a").waitFor();

  await page.getByRole("button", { name: "Now" }).click();
  await page.getByRole("button", { name: "gateway stunner/gw: active" }).click();
  await inspector.getByText(/^\d+ objects made for it$/).click();
  await inspector.getByText('"kind": "Deployment"').waitFor();
  // Passwords are digests, here as everywhere.
  await inspector.getByText("Dataplane config").click();
  expect(await inspector.textContent()).not.toContain("secret-pass");
  expect(problems).toEqual([]);
  await page.close();
});

it("shows what a Gateway that is refused lacks", async () => {
  const { admin } = await command.start();
  const { page, problems } = await visit(browser, `127.0.0.1:${admin}`);
  await untilLoaded(page);
  await page.getByRole("button", { name: "gateway stunner/gw: active" }).waitFor();
  await command.cluster.client.delete({
    apiVersion: "stunner.l7mp.io/v1",
    kind: "GatewayConfig",
    metadata: { name: "config", namespace: "stunner" },
  });
  await page.getByRole("button", { name: /^gateway stunner\/gw: invalid: / }).waitFor();
  await page.getByRole("tab", { name: "Allocations" }).click();
  await page.getByLabel("Can clients reach").fill("10.77.0.1:5000");
  await page.getByRole("button", { name: "Explain" }).click();
  const explanation = page.getByRole("region", { name: "Explanation" });
  await explanation.getByRole("heading", { name: "10.77.0.1:5000 is not reachable" }).waitFor();
  expect(await explanation.textContent()).toContain("gateway-invalid");
  expect(problems).toEqual([]);
  await page.close();
});
