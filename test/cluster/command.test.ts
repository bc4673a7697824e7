/** `turnpike operator` as people start it: flags, environment, ports. */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { fetchConfig } from "../../src/discovery/fetch.ts";
import { newCertificate } from "../support/certificate.ts";
import { useOperatorCommand } from "./operator-command.ts";
import { eventually } from "../support/eventually.ts";

const command = useOperatorCommand();
const { start } = command;

it("serves configs over TLS to clients with the token, and configures dataplanes accordingly", async () => {
  const { cert, key } = newCertificate();
  const file = (name: string, text: string): string => {
    writeFileSync(join(command.root, name), text);
    return join(command.root, name);
  };
  const ports = await start(
    Object.entries({
      "--config-discovery-cert-file": file("tls.crt", cert),
      "--config-discovery-key-file": file("tls.key", key),
      "--config-discovery-token-file": file("token", "s3cret\n"),
    }).flat(),
    { STUNNER_GATEWAY_OPERATOR_ADDRESS: "discovery.example.org" },
  );
  const origin = `https://127.0.0.1:${ports.discovery}`;
  await eventually(async () =>
    expect(await fetchConfig({ origin, id: "stunner/gw", ca: cert, token: "s3cret" })).toMatchObject({
      admin: { name: "stunner/gw" },
    }),
  );
  await expect(fetchConfig({ origin, id: "stunner/gw", ca: cert })).rejects.toThrow("401");
  const deployment = { apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "gw", namespace: "stunner" } };
  await eventually(async () =>
    expect(JSON.stringify(await command.cluster.client.get(deployment))).toContain(
      '"STUNNER_CONFIG_ORIGIN","value":"https://discovery.example.org:',
    ),
  );
});

it("opens no port for a server whose bind address is 0", async () => {
  const off = ["--metrics-bind-address=0", "--health-probe-bind-address=0", "--admin-bind-address=0"];
  const { discovery, ...others } = await start(off);
  expect(others).toEqual({});
  const { status, stdout } = spawnSync("ss", ["-ltnpH"], { encoding: "utf8" });
  expect(status).toBe(0);
  const own = stdout.split("\n").filter((line) => line.includes(`pid=${command.pid},`));
  expect(own.map((line) => line.trim().split(/\s+/)[3])).toEqual([`127.0.0.1:${discovery}`]);
});

it("counts folds and writes as STUNner's operator does, and says which dataplane mode the environment chose", async () => {
  const startedSeconds = Math.floor(Date.now() / 1000);
  const ports = await start([], { STUNNER_GATEWAY_OPERATOR_DATAPLANE_MODE: "legacy" });
  const values = async (): Promise<Readonly<Record<string, number>>> => {
    const text = await (await fetch(`http://127.0.0.1:${ports.metrics}/metrics`)).text();
    const lines = text.split("\n").filter((line) => line.startsWith("stunner_gateway_operator_"));
    return Object.fromEntries(
      lines.map((line) => {
        const space = line.lastIndexOf(" ");
        return [line.slice("stunner_gateway_operator_".length, space), Number(line.slice(space + 1))];
      }),
    );
  };
  const operations = (kind: string, operation: string, scope = "spec"): string =>
    `resource_operations_total{scope="${scope}",kind="${kind}",operation="${operation}"}`;
  await eventually(async () => {
    const now = await values();
    expect(now).toMatchObject({
      [operations("ConfigMap", "created")]: 1,
      [operations("Service", "created")]: 1,
      [operations("Gateway", "updatedStatusOnly", "status")]: expect.any(Number),
      'reconcile_events_total{result="throttled"}': 0,
      'update_total{result="error"}': 0,
      update_errors_total: 0,
    });
    expect(now["generation"]).toBeGreaterThan(0);
    expect(now["generation_last_acked"]).toBe(now["generation"]);
    expect(now["render_total"]).toBe(now["render_time_seconds_count"]);
    expect(now['update_total{result="success"}']).toBe(now["update_time_seconds_count"]);
    expect(now['reconcile_events_total{result="passed"}']).toBeGreaterThan(5);
    // Each loop was active in this run, not at the epoch and not in the future.
    for (const loop of ["operator", "renderer", "updater"]) {
      const lastActive = now[`${loop}_loop_last_active_timestamp_seconds`];
      expect(lastActive).toBeGreaterThanOrEqual(startedSeconds);
      expect(lastActive).toBeLessThanOrEqual(Math.ceil(Date.now() / 1000));
    }
    expect(Object.keys(now).join()).not.toContain("Deployment");
  });
});
