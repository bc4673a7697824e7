import { expect, it } from "vitest";
import { discoveryUrl } from "../render/workload.ts";
import { addressProblem, discoveryAddress, ownAddress } from "./discovery-address.ts";

const bound = { host: "0.0.0.0", port: 13_478 };

it.each([
  ["discovery.example.org", "http://discovery.example.org:13478"],
  ["discovery.example.org:8080", "http://discovery.example.org:8080"],
  ["10.0.0.1:8080", "http://10.0.0.1:8080"],
  ["fd00::1", "http://[fd00::1]:13478"],
  ["[fd00::1]", "http://[fd00::1]:13478"],
  ["[fd00::1]:8080", "http://[fd00::1]:8080"],
])("an operator at %s hands %s to its pods", (text, url) => {
  expect(discoveryUrl(discoveryAddress(ownAddress(text), bound))).toBe(url);
  expect(URL.canParse(url)).toBe(true);
});

it("hands the address that it binds to its pods, if it has no other", () => {
  expect(discoveryAddress(ownAddress(""), { host: "192.0.2.1", port: 80 })).toBe("192.0.2.1:80");
  expect(discoveryAddress(undefined, { host: "fd00::1", port: 80 })).toBe("[fd00::1]:80");
});

it.each(["a:1:2", "http://a", "a b", "a:0", "a:99999", "[fd00::1"])(
  "refuses %s by the name of the variable",
  (text) => {
    expect(() => ownAddress(text)).toThrow(/^STUNNER_GATEWAY_OPERATOR_ADDRESS ".*": expected HOST/);
  },
);

it.each(["", "0.0.0.0", "::"])("knows no address for its pods if it has none and is bound to %j", (host) => {
  const address = discoveryAddress(undefined, { host, port: 13_478 });
  expect(addressProblem(address, { mode: "managed" })).toContain("STUNNER_GATEWAY_OPERATOR_ADDRESS is not set");
  expect(addressProblem(address, { mode: "legacy" })).toBeUndefined();
  expect(addressProblem(address, { mode: "managed", embedded: { namespace: "ns", selector: {} } })).toBeUndefined();
  expect(addressProblem(discoveryAddress(ownAddress("discovery"), bound), { mode: "managed" })).toBeUndefined();
});
