/** Legacy mode on a real API server: one ConfigMap for a class, for dataplanes that others run. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { replay } from "../../src/core/replay.ts";
import { digest } from "../../src/journal/digest.ts";
import { readJournal } from "../../src/journal/reader.ts";
import type { DataplaneConfig } from "../../src/resources/dataplane-config.ts";
import { startOperator, type Operator } from "../../src/runtime/operator.ts";
import { operatorOptions } from "../../src/runtime/options.ts";
import { keepLog } from "../support/logs.ts";
import { orAbsent, type Literal } from "./client.ts";
import { startCluster, type Cluster } from "./cluster.ts";
import { resetCluster } from "./reset.ts";
import { eventually } from "../support/eventually.ts";

const namespace = "testnamespace";
const named = (apiVersion: string, kind: string, name: string, spec?: unknown, more: object = {}): Literal => ({
  apiVersion,
  kind,
  metadata: { name, ...(kind === "GatewayClass" || kind === "Node" || kind === "Namespace" ? {} : { namespace }) },
  ...(spec === undefined ? {} : { spec }),
  ...more,
});
const GATEWAY_API = "gateway.networking.k8s.io/v1";
const STUNNER = "stunner.l7mp.io/v1";
const gatewayClass = named(GATEWAY_API, "GatewayClass", "gatewayclass-ok", {
  controllerName: "stunner.l7mp.io/gateway-operator",
  parametersRef: { group: "stunner.l7mp.io", kind: "GatewayConfig", name: "gatewayconfig-ok", namespace },
});
const gatewayConfig = (spec: object = {}) =>
  named(STUNNER, "GatewayConfig", "gatewayconfig-ok", {
    realm: "testrealm",
    authType: "static",
    userName: "testuser",
    password: "testpass",
    ...spec,
  });
const udp = { name: "gateway-1-listener-udp", port: 1, protocol: "TURN-UDP" };
const tcp = { name: "gateway-1-listener-tcp", port: 2, protocol: "TURN-TCP" };
const gateway = (name = "gateway-1", listeners: readonly object[] = [udp, tcp]) =>
  named(GATEWAY_API, "Gateway", name, { gatewayClassName: "gatewayclass-ok", listeners });
const route = (name: string, parentRefs: readonly object[], backends: readonly string[] = ["testservice-ok"]) =>
  named(STUNNER, "UDPRoute", name, {
    parentRefs,
    rules: [{ backendRefs: backends.map((backend) => ({ name: backend })) }],
  });
const authSecret = (data: Readonly<Record<string, string>>) =>
  named("v1", "Secret", "testauthsecret-ok", undefined, {
    data: Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value).toString("base64")])),
  });
const configMap = named("v1", "ConfigMap", "stunnerd-config");

let cluster: Cluster;
let root: string;
let operator: Operator | undefined;

beforeAll(async () => {
  cluster = await startCluster();
});
afterAll(async () => {
  await cluster?.stop();
});

const start = async (journal = "journal"): Promise<Operator> => {
  operator = await startOperator({
    kubeconfig: cluster.kubeconfig,
    render: operatorOptions({ mode: "legacy", endpointDiscovery: false }),
    journal: join(root, journal),
    discovery: { host: "127.0.0.1", port: 0 },
    finalizer: true,
    log: pino({ level: "silent" }),
  });
  return operator;
};
const apply = async (...objects: readonly Literal[]): Promise<void> => {
  for (const object of objects) await cluster.client.apply(object);
};

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), "turnpike-legacy-"));
  await resetCluster(cluster.client);
  await apply(named("v1", "Namespace", namespace), named("v1", "Node", "testnode-ok"), gatewayClass, gatewayConfig());
  await cluster.client.patchStatus(named("v1", "Node", "testnode-ok"), {
    addresses: [{ type: "ExternalIP", address: "1.2.3.4" }],
  });
});
afterEach(async () => {
  await operator?.stop("test");
  operator = undefined;
  for (const folder of readdirSync(root)) {
    const path = join(root, folder);
    expect(replay(readJournal(path), digest).divergence).toBeUndefined();
    keepLog(path);
  }
  rmSync(root, { recursive: true, force: true });
});

interface Stored {
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly data?: Readonly<Record<string, string>>;
}

const text = async (): Promise<string | undefined> =>
  (await cluster.client.get<Stored>(configMap).catch(orAbsent))?.data?.["stunnerd.conf"];
const configIs = (check: (config: DataplaneConfig) => void): Promise<void> =>
  eventually(async () => {
    const found = await text();
    expect(found).toMatch(/^\{.*\}$/);
    check(JSON.parse(found ?? "") as DataplaneConfig);
  });

it("the ConfigMap holds the listeners, routes and addresses of a Gateway, and follows their changes", async () => {
  const { discovery } = await start();
  await apply(gateway());
  await configIs(({ admin, auth, listeners }) => {
    expect(admin.name).toBe("stunner-daemon");
    expect(auth).toMatchObject({ realm: "testrealm", credentials: { username: "testuser", password: "testpass" } });
    expect(listeners).toMatchObject([
      { name: "testnamespace/gateway-1/gateway-1-listener-udp", protocol: "TURN-UDP", port: 1 },
      { name: "testnamespace/gateway-1/gateway-1-listener-tcp", protocol: "TURN-TCP", port: 2 },
    ]);
    // A node port of a Node: that of the Service's LoadBalancer type.
    expect(listeners?.[0]?.public_address).toBe("1.2.3.4");
  });
  const { metadata } = await cluster.client.get<Stored>(configMap);
  expect(metadata).toMatchObject({
    labels: { "stunner.l7mp.io/owned-by": "stunner" },
    annotations: { "stunner.l7mp.io/related-gateway-name": "/gatewayclass-ok" },
    ownerReferences: [{ apiVersion: STUNNER, kind: "GatewayConfig", name: "gatewayconfig-ok" }],
  });

  await apply(route("udproute-ok", [{ name: "gateway-1", sectionName: udp.name }]));
  await configIs(({ listeners, clusters }) => {
    expect(listeners?.map(({ routes = [] }) => routes)).toEqual([["testnamespace/udproute-ok"], []]);
    expect(clusters).toMatchObject([
      { type: "STRICT_DNS", endpoints: ["testservice-ok.testnamespace.svc.cluster.local"] },
    ]);
  });
  await eventually(async () =>
    expect(await cluster.client.get(gateway())).toMatchObject({
      status: {
        conditions: [
          { type: "Accepted", status: "True" },
          { type: "Programmed", status: "False", reason: "AddressNotAssigned" },
        ],
      },
    }),
  );
  expect(
    (await cluster.client.get<{ spec: { selector: unknown } }>(named("v1", "Service", "gateway-1"))).spec.selector,
  ).toEqual({ app: "stunner" });
  for (const kind of ["Deployment", "DaemonSet"])
    expect(await cluster.client.list({ apiVersion: "apps/v1", kind, namespace })).toEqual([]);

  await apply(gateway("gateway-1", [{ ...udp, port: 1234 }, tcp]));
  await configIs(({ listeners }) => expect(listeners?.[0]?.port).toBe(1234));
  await cluster.client.delete(route("udproute-ok", []));
  await configIs(({ listeners, clusters }) => expect([listeners?.length, clusters]).toEqual([2, undefined]));
  await cluster.client.delete(gateway());
  await configIs(({ listeners, auth }) => expect([listeners, auth.realm]).toEqual([undefined, "testrealm"]));

  const served = await fetch(`http://127.0.0.1:${discovery.port}/api/v1/configs`);
  expect(await served.json()).toEqual({ version: "v1", items: [] });
});

it("the ConfigMap follows credentials, inline and from a Secret, and is empty without them", async () => {
  await start();
  await apply(gateway());
  const authIs = (auth: object) => configIs((config) => expect(config.auth).toMatchObject(auth));
  await authIs({ type: "static", credentials: { username: "testuser", password: "testpass" } });
  await apply(gatewayConfig({ authType: "ephemeral", sharedSecret: "dummy" }));
  await authIs({ type: "ephemeral", credentials: { secret: "dummy" } });
  await apply(authSecret({ username: "ext-testuser", password: "ext-testpass", secret: "ext-secret" }));
  await apply(gatewayConfig({ authRef: { name: "testauthsecret-ok" } }));
  await authIs({ type: "static", credentials: { username: "ext-testuser", password: "ext-testpass" } });
  await apply(authSecret({ username: "new-user", password: "ext-testpass", secret: "ext-secret" }));
  await authIs({ credentials: { username: "new-user" } });
  await apply(authSecret({ type: "ephemeral", secret: "dummy-secret" }));
  await authIs({ type: "ephemeral", credentials: { secret: "dummy-secret" } });
  await cluster.client.delete(authSecret({}));
  await eventually(async () => expect(await text()).toBe(""));
  await eventually(async () =>
    expect(await cluster.client.get(gateway())).toMatchObject({
      status: { conditions: [{ type: "Accepted", status: "False", reason: "Pending" }, {}] },
    }),
  );
  expect(await cluster.client.get(gatewayClass)).toMatchObject({ status: { conditions: [{ status: "True" }] } });
  await apply(gatewayConfig({ authType: "timewindowed", sharedSecret: "dummy" }));
  await authIs({ type: "ephemeral", credentials: { secret: "dummy" } });
  const log = readdirSync(join(root, "journal"), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), "utf8"))
    .join("");
  expect(log).toContain("ConfigMap");
  for (const secret of ["testpass", "ext-testpass", "ext-secret", "dummy-secret"]) expect(log).not.toContain(secret);
});

it("the ConfigMap holds the listeners of all Gateways of the class, and each route once", async () => {
  await start();
  await apply(
    gateway(),
    gateway("gateway-2", [
      { name: "gateway-2-udp", port: 1234, protocol: "TURN-UDP" },
      { name: "gateway-2-tcp", port: 1, protocol: "TURN-TCP" },
    ]),
    route("udproute-ok", [{ name: "gateway-1", sectionName: udp.name }]),
    route(
      "route-2",
      [
        { name: "gateway-1", sectionName: udp.name },
        { name: "gateway-2", sectionName: "gateway-2-udp" },
        { name: "gateway-2", sectionName: "unknown" },
      ],
      ["dummy", "dummy-2"],
    ),
  );
  const [one, two] = ["testnamespace/udproute-ok", "testnamespace/route-2"];
  await configIs(({ listeners, clusters }) => {
    expect(listeners?.map(({ name, routes }) => [name.split("/")[2], routes?.toSorted()])).toEqual([
      ["gateway-1-listener-udp", [two, one]],
      ["gateway-1-listener-tcp", undefined],
      ["gateway-2-udp", [two]],
      ["gateway-2-tcp", undefined],
    ]);
    expect(clusters?.map(({ name, endpoints }) => [name, endpoints?.length])).toEqual([
      [two, 2],
      [one, 1],
    ]);
  });
});

it("the ConfigMap is restored when somebody changes or deletes it; a second operator writes nothing", async () => {
  const first = await start();
  await apply(gateway());
  await configIs(({ listeners }) => expect(listeners?.[0]?.public_address).toBe("1.2.3.4"));
  await cluster.client.patch(configMap, { data: { "stunnerd.conf": "theirs" } });
  await configIs(({ listeners }) => expect(listeners).toHaveLength(2));
  await cluster.client.delete(configMap);
  await configIs(({ listeners }) => expect(listeners).toHaveLength(2));
  await first.idle();
  const second = await start("second");
  await eventually(() => expect(second.state).toBe("leading"));
  await second.idle();
  const { GET: _, ...writes } = second.requests;
  expect(writes).toEqual({});
  await first.stop("test");
});

it("the finalizer removes the ConfigMap and the Services", async () => {
  const started = await start();
  await apply(gateway());
  await configIs(({ listeners }) => expect(listeners).toHaveLength(2));
  expect(await started.stop("test")).toEqual([]);
  operator = undefined;
  expect(await cluster.client.get(configMap).catch(orAbsent)).toBeUndefined();
  expect(await cluster.client.get(named("v1", "Service", "gateway-1")).catch(orAbsent)).toBeUndefined();
  expect(await cluster.client.get(gatewayClass)).toMatchObject({ status: { conditions: [{ status: "False" }] } });
});

it("a ConfigMap of another owner stays as it is, and is reported until it is gone", async () => {
  await apply({ ...configMap, data: { "stunnerd.conf": "theirs" } });
  await start();
  await apply(gateway("gateway-1", [udp]));
  const programmed = (expected: object): Promise<void> =>
    eventually(async () =>
      expect(await cluster.client.get(gateway())).toMatchObject({
        status: { conditions: [{}, { type: "Programmed", ...expected }] },
      }),
    );
  await programmed({ status: "False", message: expect.stringContaining("stunnerd-config exists and is not managed") });
  expect(await text()).toBe("theirs");
  await cluster.client.delete(configMap);
  await programmed({ status: "True" });
  await configIs(({ listeners }) => expect(listeners).toHaveLength(1));
});
