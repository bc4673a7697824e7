/** Histories in which something fails: the API server, its store, its answers, the operator itself. */
import { join } from "node:path";
import { readJournal } from "../../../src/journal/reader.ts";
import type { ObjectKey } from "../../../src/resources/keys.ts";
import { installOurs } from "../../cluster/crds.ts";
import type { Asked } from "../../cluster/faulty/faults.ts";
import { startKillable } from "../../cluster/killable.ts";
import { deployment, gateway, gatewayClass, gatewayConfig, route, TCP, UDP } from "./manifests.ts";
import type { Recipe, Stage, StageOptions } from "./stage.ts";

/** A write that changes what is; Events and leases only tell. */
const isChange = ({ verb, path }: Asked): boolean =>
  verb === "write" && !path.includes("/events.k8s.io/") && !path.includes("/leases");

const count = (stage: Stage, type: string): number => stage.facts.filter((fact) => fact.type === type).length;
const accepted = (stage: Stage) => (): boolean => stage.state("listener", "media/edge/tcp") === "accepted";

/** Lines of a log, whatever is written at this moment. */
const lengthOf = (journal: string): number => {
  let length = 0;
  for (const _ of readJournal(journal)) length += 1;
  return length;
};

export const failureRecipes: Readonly<Record<string, readonly [StageOptions, Recipe]>> = {
  "api-server-restarted": [
    {},
    async (stage) => {
      await stage.cluster.apiServer.kill();
      await stage.until("the watches are lost", () => count(stage, "watch.lost") > 0);
      await stage.cluster.apiServer.restart();
      await stage.apply(gateway([UDP, TCP]));
      await stage.until("a change is seen", accepted(stage));
      await stage.until("the watches are back", () => count(stage, "watch.restored") > 0);
      await stage.settled();
    },
  ],
  "etcd-paused": [
    { overrides: { requestTimeoutMs: 1500 } },
    async (stage) => {
      let isPaused = false;
      // In the middle of what the change asks for.
      stage.proxy.listen({
        asked(asked) {
          if (!isPaused && isChange(asked)) stage.cluster.etcd.pause();
          isPaused ||= isChange(asked);
        },
      });
      const change = stage.apply(gateway([UDP, TCP])).catch(() => undefined);
      try {
        await stage.until("a write fails", () => count(stage, "effect.failed") >= 2);
      } finally {
        stage.cluster.etcd.resume();
      }
      await change;
      await stage.until("the change is seen", accepted(stage));
      await stage.settled();
    },
  ],
  "watch-expired": [
    { isDark: true },
    async (stage) => {
      // Each watch breaks within three seconds.
      stage.proxy.suffer([{ fault: "cut", share: 1 }]);
      await stage.start({ listWatch: { firstPauseMs: 300, longestPauseMs: 500, absentPauseMs: 100 } });
      await stage.until("it leads", () => stage.operator.state === "leading");
      stage.begins();
      stage.proxy.suffer([{ fault: "expired", share: 1 }]);
      await stage.until("every watch has broken", () => stage.proxy.happened.expired > 20);
      // Nobody is notified.
      await stage.remove(route());
      await stage.apply(gateway([UDP, TCP]));
      await stage.until(
        "it is found all the same",
        () => accepted(stage)() && stage.state("route", "UDPRoute/media/calls") === undefined,
      );
      await stage.proxy.heal();
      await stage.settled();
    },
  ],
  "crd-removed": [
    {},
    async (stage) => {
      const definition = {
        apiVersion: "apiextensions.k8s.io/v1",
        kind: "CustomResourceDefinition",
        metadata: { name: "udproutes.stunner.l7mp.io" },
      };
      await stage.remove(definition);
      await stage.until("routes are gone", () => stage.operator.loop.core.registry.entities("route").size === 0);
      await stage.settled();
      await stage.until("the definition is gone", () =>
        stage.client.get(definition).then(
          () => false,
          () => true,
        ),
      );
      await installOurs(stage.client);
      await stage.until("routes can be written", () =>
        stage.apply(route()).then(
          () => true,
          () => false,
        ),
      );
      await stage.until("the route is back", () => stage.state("route", "UDPRoute/media/calls") === "attached");
      await stage.settled();
    },
  ],
  "writes-conflict": [
    {},
    async (stage) => {
      stage.proxy.suffer([{ fault: "conflict", share: 1, of: isChange }]);
      await stage.apply(gateway([UDP, TCP]));
      await stage.until("writes fail", () => count(stage, "effect.failed") >= 1);
      await stage.proxy.heal();
      await stage.settled();
    },
  ],
  "write-refused": [
    {},
    async (stage) => {
      // A node port outside of the range that the API server allows.
      const { metadata, ...rest } = gateway();
      const annotations = { "stunner.l7mp.io/nodeport": '{"udp": 80}', "stunner.l7mp.io/service-type": "NodePort" };
      await stage.apply({ ...rest, metadata: { ...metadata, annotations } });
      await stage.until("it is refused, and the status says so", () =>
        JSON.stringify(stage.operator.loop.core.status("Gateway/media/edge" as ObjectKey) ?? "").includes("refuses"),
      );
      await stage.apply({
        ...rest,
        metadata: { ...metadata, annotations: { ...annotations, "stunner.l7mp.io/nodeport": '{"udp": 30478}' } },
      });
      await stage.until("it is written", () => stage.operator.left.length === 0);
      await stage.settled();
    },
  ],
  "operator-killed": [
    { isDark: true },
    async (stage) => {
      await stage.start({}, "measured");
      await stage.until("it leads", () => stage.operator.state === "leading");
      await stage.settled();
      await stage.stop();
      const startUp = lengthOf(join(stage.root, "measured"));
      // While it writes down what a change leads to.
      const options = stage.options({
        lease: {
          namespace: "default",
          name: "turnpike",
          holder: "operator-journal",
          durationSeconds: 2,
          renewDeadlineMs: 1500,
          retryMs: 200,
        },
      });
      const killable = startKillable(
        { options, line: { number: startUp + 6, share: 0.5 } },
        join(stage.root, "compiled"),
      );
      let changes = 0;
      await stage.until("it is dead", async () => {
        changes += 1;
        await stage.apply(gateway([{ ...UDP, port: 3000 + (changes % 100) }]));
        return !killable.isAlive;
      });
      await killable.ended;
      await stage.apply(gateway([UDP, TCP]));
      await stage.start(options);
      await stage.until("the next one leads", () => stage.operator.state === "leading");
      await stage.settled();
    },
  ],
  "leader-changed": [
    { isDark: true },
    async (stage) => {
      const first = await stage.start({}, "first");
      await stage.until("the first one leads", () => stage.operator.state === "leading");
      await stage.settled();
      stage.isOf("second");
      await stage.start({}, "second");
      await stage.until("the second one waits", () => stage.operator.state === "standby");
      await stage.settled();
      stage.begins();
      await stage.apply(deployment(3));
      await stage.until(
        "it knows what happens",
        () => stage.operator.loop.core.registry.entities("endpoint").size === 3,
      );
      await first.stop("rollout");
      await stage.until("the second one leads", () => stage.operator.state === "leading");
      await stage.settled();
      await stage.apply(gateway([UDP, TCP]));
      await stage.until("it acts", accepted(stage));
      await stage.settled();
    },
  ],
  "lease-lost": [
    {
      overrides: {
        lease: {
          namespace: "default",
          name: "turnpike",
          holder: "operator-0",
          durationSeconds: 2,
          renewDeadlineMs: 1000,
          retryMs: 200,
        },
      },
    },
    async (stage) => {
      stage.proxy.suffer([{ fault: "internal", share: 1, of: ({ path }) => path.includes("/leases") }]);
      await stage.until("the lease is lost", () => stage.operator.state === "standby");
      await stage.apply(gateway([UDP, TCP]));
      await stage.until("it learns on", accepted(stage));
      await stage.proxy.heal();
      await stage.until("it leads again", () => stage.operator.state === "leading");
      await stage.settled();
    },
  ],
  finalized: [
    { overrides: { finalizer: true } },
    async (stage) => {
      await stage.stop();
    },
  ],
  "class-deleted": [
    {},
    async (stage) => {
      await stage.remove(gatewayClass());
      await stage.until("the Gateway is no longer ours", () => stage.state("gateway", "media/edge") === undefined);
      await stage.remove(gatewayConfig());
      await stage.settled();
      await stage.apply(gatewayClass());
      await stage.until("it is ours, and invalid", () => stage.state("gateway", "media/edge") === "invalid");
      await stage.settled();
      await stage.apply(gatewayConfig());
      await stage.until("it is whole", () => stage.state("gateway", "media/edge") === "active");
      await stage.settled();
    },
  ],
};
