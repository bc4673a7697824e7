/** What a relay admits, by the steps that it is given; without a listener, so that only admission is at work. */
import { pino } from "pino";
import { expect, it, onTestFinished } from "vitest";
import type { AdmissionStep, AdmissionTransition } from "../admission/transition.ts";
import type { ClusterConfig, DataplaneConfig } from "../resources/dataplane-config.ts";
import { createRelay } from "./create-relay.ts";
import { placeOn } from "./placement.ts";
import { offload } from "../../test/support/offload.ts";

const cluster = (endpoints: readonly string[], type: ClusterConfig["type"] = "STATIC"): ClusterConfig => ({
  name: "ns/r",
  type,
  protocol: "UDP",
  endpoints,
});

const start = () => {
  const relay = createRelay({
    place: placeOn(["127.0.0.1"]),
    own: [],
    engine: "dgram",
    log: pino({ level: "silent" }),
  });
  onTestFinished(() => relay.close());
  const apply = async (clusters: readonly ClusterConfig[], admission?: AdmissionStep) => {
    const config: DataplaneConfig = {
      version: "v1",
      admin: { name: "ns/gw", ...offload() },
      auth: { type: "none", realm: "r", credentials: {} },
      listeners: [],
      clusters,
    };
    const report = await relay.apply(config, admission && { admission });
    return report.admission.map(({ change, endpoint }) => `${change} ${endpoint}`);
  };
  return apply;
};
const step = (
  from: number,
  ...changes: readonly (readonly [AdmissionTransition["change"], string])[]
): AdmissionStep => ({
  from,
  to: from + 1,
  transitions: changes.map(([change, endpoint]) => ({ change, cluster: "ns/r", endpoint })),
});

it("takes what the config says at first, and the transitions of the steps that follow", async () => {
  const apply = start();
  expect(await apply([cluster(["10.0.0.1"])], step(4))).toEqual(["admit 10.0.0.1"]);
  expect(await apply([cluster(["10.0.0.1", "10.0.0.2"])], step(5, ["admit", "10.0.0.2"]))).toEqual(["admit 10.0.0.2"]);
  expect(await apply([cluster(["10.0.0.2"])], step(6, ["revoke", "10.0.0.1"]))).toEqual(["revoke 10.0.0.1"]);
});

it("takes what the config says when it has missed a step, or is given none", async () => {
  const apply = start();
  await apply([cluster(["10.0.0.1"])], step(0));
  expect(await apply([cluster(["10.0.0.3"])], step(2, ["admit", "10.0.0.3"]))).toEqual([
    "revoke 10.0.0.1",
    "admit 10.0.0.3",
  ]);
  expect(await apply([cluster(["10.0.0.4"])])).toEqual(["revoke 10.0.0.3", "admit 10.0.0.4"]);
  expect(await apply([], step(4, ["revoke", "10.0.0.3"]))).toEqual(["revoke 10.0.0.4"]);
});

it("changes nothing when it is given a step again", async () => {
  const apply = start();
  await apply([cluster(["10.0.0.1"])], step(0));
  await apply([cluster(["10.0.0.2"])], step(1, ["revoke", "10.0.0.1"], ["admit", "10.0.0.2"]));
  expect(await apply([cluster(["10.0.0.2"])], step(1, ["revoke", "10.0.0.1"], ["admit", "10.0.0.2"]))).toEqual([]);
});

it("takes a cluster over from names to addresses and back", async () => {
  const apply = start();
  await apply([cluster(["no-such-name.invalid"], "STRICT_DNS")], step(0));
  expect(await apply([cluster(["10.0.0.1"])], step(1, ["admit", "10.0.0.1"]))).toEqual(["admit 10.0.0.1"]);
  expect(await apply([cluster(["no-such-name.invalid"], "STRICT_DNS")], step(2, ["revoke", "10.0.0.1"]))).toEqual([
    "revoke 10.0.0.1",
  ]);
});
