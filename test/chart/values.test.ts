/** The values that the chart's schema accepts, and what becomes of them. */
import { readFileSync } from "node:fs";
import { Ajv } from "ajv";
import { expect, it } from "vitest";
import { parseHostPort } from "../../src/net/host-port.ts";

const schema = JSON.parse(
  readFileSync(new URL("../../deploy/helm/turnpike/values.schema.json", import.meta.url), "utf8"),
) as { readonly properties: { readonly discovery: { readonly properties: { readonly address: object } } } };
const accepts = new Ajv().compile(schema.properties.discovery.properties.address);

it.each(["discovery", "discovery.example.org:80", "10.0.0.1", "10.0.0.1:8080", "fd00::1", "[fd00::1]", "[fd00::1]:80"])(
  "discovery.address may be %s",
  (address) => {
    expect(accepts(address)).toBe(true);
    expect(parseHostPort(address)).toBeDefined();
  },
);

it("discovery.address may be empty", () => expect(accepts("")).toBe(true));

it.each([
  "a:13478:13478",
  "discovery.example.org:13478:13478",
  "http://discovery",
  "discovery:",
  ":13478",
  "discovery:0",
  "a b",
  "-discovery",
  "[fd00::1",
])("discovery.address may not be %s", (address) => expect(accepts(address)).toBe(false));
