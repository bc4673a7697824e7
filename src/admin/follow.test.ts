import { createServer } from "node:http";
import { onTestFinished, expect, it } from "vitest";
import { answer, listen } from "../http.ts";
import { followEndpoint } from "./follow.ts";
import { eventually } from "../../test/support/eventually.ts";

const BACKOFF = { firstMs: 10, longestMs: 20 };
const greet = () => (_: unknown, response: Parameters<typeof answer>[0]) => answer(response, 200, "hello");

const occupied = async () => {
  const server = createServer();
  const port = await listen(server, "127.0.0.1", 0);
  return { port, release: () => new Promise((resolve) => server.close(resolve)) };
};

const following = () => {
  const failures: string[] = [];
  const endpoint = followEndpoint(8086, greet, (reason) => failures.push(reason), BACKOFF);
  onTestFinished(() => endpoint.close());
  return { endpoint, failures };
};
const textOf = async (port: number) => (await fetch(`http://127.0.0.1:${port}`)).text();

it("binds an address that was in use as soon as it is free, and reports it once", async () => {
  const { port, release } = await occupied();
  const { endpoint, failures } = following();
  await endpoint.at(`http://127.0.0.1:${port}`);
  await eventually(() => expect(failures).toHaveLength(1));
  await release();
  await eventually(async () => expect(await textOf(port)).toBe("hello"));
  expect(failures).toEqual([expect.stringContaining("EADDRINUSE")]);
});

it("gives up an address that cannot be bound when another one is wanted", async () => {
  const { port, release } = await occupied();
  const { endpoint } = following();
  await endpoint.at(`http://127.0.0.1:${port}`);
  const other = await occupied();
  await other.release();
  await endpoint.at(`http://127.0.0.1:${other.port}`);
  await release();
  // Far more requests than fit into the longest pause before a retry.
  for (let count = 0; count < 100; count += 1) expect(await textOf(other.port)).toBe("hello");
  await expect(textOf(port)).rejects.toThrow("fetch failed");
});

it("reports what is not an address", async () => {
  const { endpoint, failures } = following();
  await endpoint.at("http://127.0.0.1:99999");
  expect(failures).toEqual(["http://127.0.0.1:99999: it is not an address"]);
});
