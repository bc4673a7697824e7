/** From a watch event to the dataplane that receives it, in one trace whose numbers lead to the event log. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { stringify } from "yaml";
import { watchConfigs } from "../../src/discovery/client.ts";
import { readJournal } from "../../src/journal/reader.ts";
import { collectionPath } from "../../src/kubernetes/paths.ts";
import { kinds } from "../../src/resources/kinds.ts";
import { startOperator } from "../../src/runtime/operator.ts";
import { operatorOptions } from "../../src/runtime/options.ts";
import { startStandalone } from "../../src/runtime/standalone.ts";
import { openTracer, type TracerOptions } from "../../src/runtime/traces/otlp.ts";
import { traceSettings } from "../../src/runtime/traces/settings.ts";
import type { Tracer } from "../../src/runtime/traces/tracer.ts";
import { startCollector, type CollectedSpan, type Collector } from "../support/collector.ts";
import { launch } from "../support/commands.ts";
import { startFakeApi, type Made } from "../support/fake-api.ts";
import { freePort } from "../support/free-port.ts";
import { manifestsOf, type World } from "../support/live.ts";
import { keepLines } from "../support/log-lines.ts";
import { dataplane, gateway, gatewayClass, gatewayConfig, route, service, slice } from "../support/objects.ts";

let collector: Collector;
let root: string;

beforeEach(async () => {
  collector = await startCollector();
  root = mkdtempSync(join(tmpdir(), "turnpike-traces-"));
});
afterEach(async () => {
  await collector.close();
  rmSync(root, { recursive: true });
});

const silent = pino({ level: "silent" });

const tracerFor = (url: string, overrides: Partial<TracerOptions> = {}): Promise<Tracer> =>
  openTracer({ ...traceSettings(url, {})!, scheduledDelayMillis: 10, mode: "test", log: silent, ...overrides });

const childrenOf = (span: CollectedSpan, name: string): readonly CollectedSpan[] =>
  collector.spans.filter((one) => one.name === name && one.parentSpanId === span.spanId);

/** Waits until there are so many spans of that name below `span`. */
const childrenSoon = async (span: CollectedSpan, name: string, count = 1): Promise<readonly CollectedSpan[]> => {
  await expect.poll(() => childrenOf(span, name).length).toBe(count);
  return childrenOf(span, name);
};

const watchEventSoon = async (object: string): Promise<CollectedSpan> => {
  const found = () =>
    collector.spans.find(
      ({ name, attributes }) => name === "watch event" && attributes["turnpike.object.name"] === object,
    );
  await expect.poll(found).toBeDefined();
  return found()!;
};

describe("turnpike operator", () => {
  const serveAll = async (objects: readonly Made[]) => {
    const server = await startFakeApi();
    for (const kind of kinds) for (const version of kind.versions) server.serve(collectionPath(kind, version));
    for (const object of objects) server.put(pathOf(object), object);
    return server;
  };
  const pathOf = (object: Made): string => {
    const kind = kinds.find((one) => one.kind === object["kind"] && String(object["apiVersion"]).startsWith(one.group));
    return collectionPath(kind!, String(object["apiVersion"]).split("/").at(-1)!);
  };

  it("traces a change of endpoints up to every dataplane that receives it", async () => {
    const objects = [
      gatewayClass,
      gatewayConfig(),
      gateway("gw"),
      route("r", ["gw"], ["media"]),
      service("media"),
      slice("media-1", "media", ["10.0.0.1"]),
      dataplane,
    ] as unknown as readonly Made[];
    const server = await serveAll(objects);
    const kubeconfig = join(root, "kubeconfig");
    writeFileSync(
      kubeconfig,
      stringify({
        "current-context": "c",
        contexts: [{ name: "c", context: { cluster: "c", user: "u" } }],
        clusters: [{ name: "c", cluster: { server: server.url, "insecure-skip-tls-verify": true } }],
        users: [{ name: "u", user: {} }],
      }),
    );
    const journal = join(root, "journal");
    const operator = await startOperator({
      kubeconfig,
      render: operatorOptions(),
      journal,
      discovery: { host: "127.0.0.1", port: 0 },
      finalizer: false,
      tracer: await tracerFor(collector.url, { mode: "operator" }),
      log: silent,
    });
    const target = { origin: `127.0.0.1:${operator.discovery.port}`, id: "ns/gw" };
    const told: string[][] = [[], []];
    await expect.poll(() => operator.discovery.stats().configs).toBe(1);
    const watches = told.map((list) =>
      watchConfigs(target).subscribe((event) => {
        if (event.event === "config") list.push(event.config.clusters?.[0]?.endpoints?.join(" ") ?? "");
      }),
    );
    await expect.poll(() => told).toEqual([["10.0.0.1"], ["10.0.0.1"]]);
    await operator.idle();
    // A new watcher receives the current state, which no event caused.
    expect(collector.spans.filter(({ name }) => name === "config push")).toEqual([]);
    collector.clear();

    server.put("/apis/discovery.k8s.io/v1/endpointslices", slice("media-1", "media", ["10.0.0.2"]) as unknown as Made);
    await expect.poll(() => told).toEqual(told.map(() => ["10.0.0.1", "10.0.0.2"]));

    const event = await watchEventSoon("ns/media-1");
    const seq = event.attributes["turnpike.event.seq"] as number;
    expect(event).toMatchObject({
      parentSpanId: "",
      attributes: { "turnpike.object.kind": "EndpointSlice", "turnpike.event.type": "object.seen" },
      resource: { "service.name": "turnpike", "turnpike.mode": "operator" },
    });
    const [apply] = await childrenSoon(event, "apply");
    const [fold] = await childrenSoon(event, "fold");
    expect(fold!.attributes).toMatchObject({
      "turnpike.event.through": seq,
      "turnpike.gateways": ["ns/gw"],
      "turnpike.facts": 1,
    });
    const [publish] = await childrenSoon(fold!, "publish");
    expect(publish!.attributes).toMatchObject({ "turnpike.gateway": "ns/gw", "turnpike.cause.seq": seq });
    const pushes = await childrenSoon(publish!, "config push", 2);
    expect(new Set(pushes.map(({ attributes }) => attributes["turnpike.dataplane"])).size).toBe(2);
    for (const { attributes } of pushes)
      expect(attributes).toMatchObject({
        "turnpike.gateway": "ns/gw",
        "turnpike.dataplane": expect.stringMatching(/^127\.0\.0\.1:\d+$/),
        "turnpike.bytes": expect.any(Number),
      });
    const all = [event, apply!, fold!, publish!, ...pushes];
    expect(new Set(all.map(({ traceId }) => traceId)).size).toBe(1);
    for (const { startedAt, endedAt } of all) expect(endedAt).toBeGreaterThanOrEqual(startedAt);
    expect(apply!.startedAt).toBeLessThanOrEqual(fold!.startedAt);
    for (const push of pushes) expect(push.startedAt).toBeGreaterThanOrEqual(fold!.endedAt);

    // The numbers are those of the event log.
    const lines = [...readJournal(journal)];
    expect(lines.find((line) => line.seq === seq)).toMatchObject({
      type: "object.seen",
      data: { kind: "EndpointSlice", object: { metadata: { name: "media-1" } } },
    });
    expect(lines.find((line) => line.type === "rendered" && line.cause === seq)).toMatchObject({
      data: { output: "config ns/gw" },
    });

    // Objects and statuses are written because of a fold, too.
    collector.clear();
    server.put("/apis/gateway.networking.k8s.io/v1/gateways", {
      ...gateway("gw", [
        { name: "udp", port: 3478, protocol: "TURN-UDP" },
        { name: "more", port: 3479, protocol: "TURN-UDP" },
      ]),
    } as unknown as Made);
    const edit = await watchEventSoon("ns/gw");
    const [refold] = await childrenSoon(edit, "fold");
    await expect
      .poll(() => childrenOf(refold!, "write").map(({ attributes }) => attributes["turnpike.object.kind"]))
      .toEqual(expect.arrayContaining(["Service", "status"]));

    for (const watch of watches) watch.unsubscribe();
    await operator.stop("test");
    await server.stop();
  });
});

describe("turnpike standalone", () => {
  const start = async (tracer: Tracer | undefined) => {
    const manifests = join(root, "manifests");
    mkdirSync(manifests);
    const port = await freePort("127.0.0.1");
    const write = (world: World): void => writeFileSync(join(manifests, "all.yaml"), manifestsOf({ ...world, port }));
    write({ otherBackends: [{ address: "127.0.0.3" }] });
    const standalone = await startStandalone({
      directory: manifests,
      addresses: ["127.0.0.1"],
      journal: join(root, "journal"),
      admin: { host: "127.0.0.1", port: 0 },
      tracer,
      log: silent,
    });
    await standalone.started;
    return { standalone, write };
  };

  it("traces events that were folded together as one, with a link to each, up to the active config", async () => {
    const { standalone, write } = await start(await tracerFor(collector.url));
    await expect.poll(() => collector.spans.filter(({ name }) => name === "publish").length).toBe(1);
    collector.clear();
    write({ backends: [{ address: "127.0.0.2" }], otherBackends: [{ address: "127.0.0.4" }] });
    const [one, other] = [await watchEventSoon("default/echo-1"), await watchEventSoon("default/other-1")];
    const folds = () =>
      collector.spans.filter(({ name, attributes }) => name === "fold" && attributes["turnpike.facts"] === 2);
    await expect.poll(() => folds().length).toBe(1);
    const [fold] = folds();
    const [main, linked] = fold!.parentSpanId === one.spanId ? [one, other] : [other, one];
    expect(fold).toMatchObject({ traceId: main.traceId, parentSpanId: main.spanId, links: [linked.spanId] });
    expect(linked.traceId).not.toBe(main.traceId);
    const [publish] = await childrenSoon(fold!, "publish");
    expect(publish!.attributes).toMatchObject({ "turnpike.admitted": 2, "turnpike.revoked": 2 });
    const published = [...readJournal(join(root, "journal"))].find(
      ({ seq }) => seq === publish!.attributes["turnpike.event.seq"],
    );
    expect(published).toMatchObject({ type: "gateway.published", cause: publish!.attributes["turnpike.cause.seq"] });
    await standalone.stop("test");
  });

  it("says in its span what failed", async () => {
    const { standalone, write } = await start(await tracerFor(collector.url));
    collector.clear();
    standalone.relay.apply = () => Promise.reject(new Error("the relay is out of order"));
    write({ backends: [{ address: "127.0.0.2" }] });
    const failed = () => collector.spans.find(({ name, failure }) => name === "publish" && failure !== undefined);
    await expect.poll(failed).toBeDefined();
    expect(failed()?.failure).toBe("the relay is out of order");
    await standalone.stop("test");
  });

  it("serves on and stops while no collector answers, and says so once", async () => {
    vi.stubEnv("OTEL_EXPORTER_OTLP_TIMEOUT", "300");
    const [dead, hanging] = [await freePort("127.0.0.1"), collector];
    hanging.hang();
    const { log, lines } = keepLines();
    const { standalone, write } = await start(await tracerFor(`http://127.0.0.1:${dead}`, { log, maxQueueSize: 4 }));
    for (const address of ["127.0.0.5", "127.0.0.6", "127.0.0.7"]) {
      write({ backends: [{ address }] });
      await expect.poll(() => standalone.state().endpoints.some((one) => one.address === address)).toBe(true);
    }
    await expect.poll(() => lines.length).toBeGreaterThan(0);
    await standalone.stop("test");
    expect(lines.map(({ msg }) => msg)).toEqual(["traces cannot be sent, and are dropped"]);
    const tracer = await tracerFor(hanging.url);
    tracer.start({ name: "x", startedAt: 1, attributes: {} }).end(2);
    await tracer.close();
    vi.unstubAllEnvs();
  });

  it("keeps no more spans than fit, however many there are", async () => {
    const tracer = await tracerFor(collector.url, {
      maxQueueSize: 8,
      maxExportBatchSize: 8,
      scheduledDelayMillis: 60_000,
    });
    collector.hang();
    for (let count = 0; count < 100_000; count += 1) tracer.start({ name: "x", startedAt: 1, attributes: {} }).end(2);
    collector.clear();
    await tracer.close();
    // One batch is on its way, and one waits.
    expect(collector.requests.length).toBeLessThanOrEqual(2);
  });
});

describe("traces that nobody asked for", () => {
  // Prometheus' client has the API of OpenTelemetry, which is small, for itself.
  const hook = `import{registerHooks}from"node:module";registerHooks({resolve(s,c,n){if(/opentelemetry.(?!api$)/.test(s))process.stderr.write("LOADED "+s+"\\n");return n(s,c)}})`;
  const NODE_OPTIONS = `--import=data:text/javascript,${encodeURIComponent(hook)}`;

  const run = async (env: Readonly<Record<string, string>>, ...args: readonly string[]): Promise<string> => {
    const manifests = join(root, "manifests");
    mkdirSync(manifests, { recursive: true });
    writeFileSync(join(manifests, "all.yaml"), manifestsOf({ port: await freePort("127.0.0.1") }));
    const journal = join(root, "journal");
    const standalone = launch(["standalone", manifests, "--journal", journal, "--admin", "127.0.0.1:0", ...args], {
      env: { NODE_OPTIONS, ...env },
    });
    await standalone.printed(/Ctrl-C/);
    await standalone.stop();
    return standalone.output;
  };

  it("are not made, nor are the packages loaded that would", async () => {
    expect(await run({ OTEL_SERVICE_NAME: "x", OTEL_TRACES_EXPORTER: "otlp" })).not.toContain("LOADED");
    expect(collector.requests).toEqual([]);
  });

  it.each([
    ["--traces", {}, ["--traces", "URL"]],
    ["the environment", { OTEL_EXPORTER_OTLP_ENDPOINT: "URL", OTEL_EXPORTER_OTLP_HEADERS: "x-token=abc" }, []],
  ])("are when %s names a collector", async (_, env, args) => {
    const named = (text: string): string => text.replace("URL", collector.url);
    const output = await run(
      {
        OTEL_SERVICE_NAME: "mine",
        ...Object.fromEntries(Object.entries(env).map(([key, text]) => [key, named(text)])),
      },
      ...args.map(named),
    );
    expect(output).toContain("LOADED @opentelemetry/sdk-trace\n");
    expect(collector.requests[0]?.path).toBe("/v1/traces");
    expect(collector.requests[0]?.headers["x-token"]).toBe(
      "x-token" in collector.requests[0]!.headers ? "abc" : undefined,
    );
    expect(collector.spans.map(({ name }) => name)).toEqual(
      expect.arrayContaining(["watch event", "apply", "fold", "publish"]),
    );
    expect(collector.spans[0]?.resource).toMatchObject({ "service.name": "mine", "turnpike.mode": "standalone" });
  });
});

describe("what the environment says of traces", () => {
  const url = "http://c:4318";
  it.each([
    [undefined, {}, undefined],
    [undefined, { OTEL_EXPORTER_OTLP_ENDPOINT: "" }, undefined],
    [undefined, { OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_TRACES_EXPORTER: "none" }, undefined],
    [url, { OTEL_SDK_DISABLED: "TRUE" }, undefined],
    [undefined, { OTEL_EXPORTER_OTLP_ENDPOINT: url }, { maxQueueSize: 2048, ratio: 1 }],
    [undefined, { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: url }, { scheduledDelayMillis: 5000 }],
    [`${url}/`, { OTEL_TRACES_EXPORTER: "none" }, { url: `${url}/v1/traces` }],
    [
      url,
      { OTEL_BSP_MAX_QUEUE_SIZE: "7", OTEL_BSP_SCHEDULE_DELAY: "x" },
      { maxQueueSize: 7, scheduledDelayMillis: 5000 },
    ],
    [url, { OTEL_TRACES_SAMPLER: "parentbased_traceidratio", OTEL_TRACES_SAMPLER_ARG: "0.25" }, { ratio: 0.25 }],
    [url, { OTEL_TRACES_SAMPLER: "always_off" }, { ratio: 0 }],
    [url, { OTEL_TRACES_SAMPLER: "traceidratio", OTEL_TRACES_SAMPLER_ARG: "5" }, { ratio: 1 }],
  ])("%s with %j is %j", (given, environment, expected) => {
    const settings = traceSettings(given, environment);
    if (expected === undefined) expect(settings).toBeUndefined();
    else expect(settings).toMatchObject(expected);
  });

  it("refuses what is no URL, without quoting it", () => {
    expect(() => traceSettings("c:secret@4318", {})).toThrow(/^--traces: expected http:/);
  });
});
