import { expect, it } from "vitest";
import { createHistory, gone, seen, synced } from "../../test/support/given.ts";
import { aCall, dataplane, gateway } from "../../test/support/objects.ts";
import { parseMetrics } from "../../test/support/metrics.ts";
import { nothingOpen } from "../dataplane/relay.ts";
import type { Secret } from "../resources/core.ts";
import { operatorOptions } from "../runtime/options.ts";
import { createFactTally } from "./fact-tally.ts";
import { createMetrics } from "./metrics.ts";

const relay = {
  summary: () =>
    Promise.resolve({
      open: nothingOpen,
      waiting: 7,
      listeners: [],
      clusters: [],
      refused: { "401 challenge": 5, "401 credentials": 2, "486 quota": 1 },
      denied: { "no-cluster": 3 },
      dropped: {},
      opened: {},
      closed: {},
      moved: {},
      offload: undefined,
    }),
};

const secret = (name: string, notAfter: string): Secret => ({
  apiVersion: "v1",
  kind: "Secret",
  metadata: { name, namespace: "ns" },
  data: {},
  certificate: { parses: true, notAfter },
});

it("has the expiry of listeners' certificates, and refusals by their code", async () => {
  const { core, take } = createHistory();
  const tls = (...names: readonly string[]) => ({ certificateRefs: names.map((name) => ({ name })) });
  take(
    ...aCall(),
    seen(
      "Gateway",
      gateway("gw", [
        { name: "udp", port: 1, protocol: "TURN-UDP" },
        { name: "tls", port: 2, protocol: "TURN-TLS", tls: tls("absent", "first", "second") },
        { name: "dtls", port: 2, protocol: "TURN-DTLS", tls: tls("absent") },
      ]),
    ),
    seen("Secret", secret("first", "2030-01-01T00:00:00.000Z")),
    seen("Secret", secret("second", "2040-01-01T00:00:00.000Z")),
    { type: "objects.synced", data: { objects: 1 } },
  );
  const journal = { lastSeq: () => 9, refusal: () => "ENOSPC" };
  const series = parseMetrics(await createMetrics({ core, relay, facts: createFactTally(), journal }).scrape());
  const told = (name: string) => series.filter((one) => one.name === name).map(({ labels, value }) => [labels, value]);
  expect(told("turnpike_certificate_expiry_timestamp_seconds")).toEqual([
    [{ name: "ns/gw/tls" }, Date.UTC(2030, 0, 1) / 1000],
  ]);
  expect(told("turnpike_peers_denied_total")).toEqual([[{ reason: "no-cluster" }, 3]]);
  expect(told("turnpike_authentication_failures_total")).toEqual([[{ reason: "401 credentials" }, 2]]);
  expect(told("turnpike_requests_refused_total")).toHaveLength(3);
  expect(told("turnpike_journal_disk_refused")).toEqual([[{}, 1]]);
  expect(told("turnpike_draining")).toEqual([[{}, 0]]);
  take({ type: "operator.stopping", data: { reason: "SIGTERM" } });
  const later = parseMetrics(await createMetrics({ core, relay, facts: createFactTally(), journal }).scrape());
  expect(later).toContainEqual({ name: "turnpike_draining", labels: {}, value: 1 });
  expect(told("turnpike_control_queue_requests")).toEqual([[{}, 7]]);
  expect(told("turnpike_watch_connected")).toEqual([[{}, 0]]);
});

it("has the expiry of the certificate that is served, of several and in a dataplane", async () => {
  const { core, take } = createHistory(operatorOptions());
  const data = { "tls.crt": "vault:c", "tls.key": "vault:k" };
  const tls = { certificateRefs: [{ name: "bad" }, { name: "good" }] };
  take(
    ...aCall(),
    seen("Dataplane", dataplane),
    seen("Gateway", gateway("gw", [{ name: "tls", port: 2, protocol: "TURN-TLS", tls }])),
    seen("Secret", {
      ...secret("bad", "2030-01-01T00:00:00.000Z"),
      data,
      certificate: { parses: true, notAfter: "2030-01-01T00:00:00.000Z", problem: "key-mismatch" },
    }),
    seen("Secret", { ...secret("good", "2040-01-01T00:00:00.000Z"), data }),
    seen("DataplaneConfig", {
      apiVersion: "turnpike/v1",
      kind: "DataplaneConfig",
      metadata: { name: "gw", namespace: "ns" },
      certificates: [{ listener: "ns/gw/dtls", notAfter: "2050-01-01T00:00:00.000Z" }],
      spec: { version: "v1", admin: { name: "ns/gw" }, auth: { type: "none", realm: "r", credentials: {} } },
    }),
  );
  const journal = { lastSeq: () => 9, refusal: () => undefined };
  const expiries = async () =>
    parseMetrics(await createMetrics({ core, relay, facts: createFactTally(), journal }).scrape())
      .filter(({ name }) => name === "turnpike_certificate_expiry_timestamp_seconds")
      .map(({ labels, value }) => [labels["name"], value]);
  expect(await expiries()).toEqual([
    ["ns/gw/tls", Date.UTC(2040, 0, 1) / 1000],
    ["ns/gw/dtls", Date.UTC(2050, 0, 1) / 1000],
  ]);
  // The last good certificate is served; it is no longer in any Secret.
  take(synced, { type: "lease.acquired", data: { holder: "test" } });
  take(gone("Secret", "ns/good"));
  expect((await expiries())[0]).toEqual(["ns/gw/tls", Date.UTC(2040, 0, 1) / 1000]);
});

it("has no utilization of the event loop, which does not see the relay wait", async () => {
  const { core } = createHistory();
  const journal = { lastSeq: () => 9, refusal: () => undefined };
  const text = await createMetrics({ core, relay, facts: createFactTally(), journal }).scrape();
  expect(text).toContain("nodejs_eventloop_lag_seconds");
  expect(text).not.toContain("nodejs_eventloop_utilization");
});
