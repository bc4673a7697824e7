import { expect, it } from "vitest";
import {
  TCP,
  UDP,
  gateway1,
  optionsWith,
  plus,
  routeOf,
  see,
  udpRoute,
  withListeners,
} from "../../test/render/fixture.ts";
import { rejectionOf } from "./attachment.ts";

const selector = { from: "Selector", selector: { matchLabels: { team: "rtc" } } };
const namespace = (name: string, labels: object): unknown => ({
  apiVersion: "v1",
  kind: "Namespace",
  metadata: { name, labels },
});

it.each([
  ["nothing: it is accepted", "testnamespace", UDP, {}, undefined],
  ["nothing, from a namespace with the labels", "rtc", UDP, { namespaces: selector }, undefined],
  ["nothing, from any namespace", "unknown", UDP, { namespaces: { from: "All" } }, undefined],
  ["its sectionName, before all else", "other", TCP, { kinds: [{ kind: "TCPRoute" }] }, "section-name"],
  ["its kind, before its namespace", "other", UDP, { kinds: [{ kind: "TCPRoute" }] }, "kind"],
  ["its namespace, by default", "other", UDP, {}, "other-namespace"],
  ["its namespace, which is not known", "unknown", UDP, { namespaces: selector }, "unknown-namespace"],
  ["the labels of its namespace", "web", UDP, { namespaces: selector }, "namespace-labels"],
  ["a selector that is missing", "rtc", UDP, { namespaces: { from: "Selector" } }, "namespace-labels"],
] as const)("the reason that a listener rejects a route is %s", (_, from, sectionName, allowedRoutes, rejection) => {
  const objects = plus(
    withListeners([{ name: UDP, port: 1, protocol: "UDP", allowedRoutes }]),
    namespace("rtc", { team: "rtc" }),
    namespace("web", { team: "web" }),
    udpRoute("asking", {}, from),
  );
  const view = see(objects);
  const gateway = view.get("Gateway", gateway1)!;
  const parent = { namespace: "testnamespace", name: "gateway-1", sectionName };
  const [listener] = gateway.spec.listeners;
  expect(rejectionOf(view, optionsWith(), gateway, listener!, routeOf(objects, "asking"), parent)).toBe(rejection);
});
