import { expect, it } from "vitest";
import { Admission } from "./admission.ts";
import { hostAt } from "./own-host.ts";
import { clusterTransitions } from "./transition.ts";

it("takes a cluster from the endpoints that it has to those that it is to have, with a transition for each", () => {
  const admission = new Admission(hostAt([]));
  const become = (endpoints: readonly string[], draining: readonly string[] = []): readonly string[] => {
    const wanted = { protocol: "UDP" as const, endpoints, draining: new Set(draining) };
    const transitions = clusterTransitions("c", admission.endpoints("c"), wanted);
    admission.apply(transitions);
    return transitions.map(({ change, endpoint }) => `${change} ${endpoint}`);
  };
  expect(become(["10.0.0.1", "10.0.0.2"])).toEqual(["admit 10.0.0.1", "admit 10.0.0.2"]);
  expect(become(["10.0.0.1", "10.0.0.2"], ["10.0.0.1"])).toEqual(["drain 10.0.0.1"]);
  expect(become(["10.0.0.1", "10.0.0.2"], ["10.0.0.1"])).toEqual([]);
  expect(become(["10.0.0.2", "10.0.0.3"], ["10.0.0.3"])).toEqual(["revoke 10.0.0.1", "drain 10.0.0.3"]);
  expect(become(["10.0.0.2", "10.0.0.3"])).toEqual(["admit 10.0.0.3"]);
});
