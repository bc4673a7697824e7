/** A server that runs by its guide. */
import { beforeAll } from "vitest";
import type { Stage } from "../node/stage.ts";
import { readGuide } from "./guide.ts";
import type { GuidedServer } from "./media-server.ts";

export interface Addresses {
  /** Of its signalling, outside. */
  readonly signalling: string;
  /** Of its Gateway. */
  readonly gateway: string;
}

/** Registers the hook that applies the guide's manifests and waits for what they name. */
export const useGuided = (stage: Stage, server: GuidedServer): Addresses => {
  const { namespace, name, signallingPort } = server;
  const addresses = { signalling: "", gateway: "" };
  beforeAll(async () => {
    const { manifests } = readGuide(server.guide);
    const [begin, rest] = [
      manifests.filter(({ kind }) => kind !== "Deployment"),
      manifests.filter(({ kind }) => kind === "Deployment"),
    ];
    await stage.apply(
      { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } },
      ...begin,
      // In the place of an ingress.
      {
        apiVersion: "v1",
        kind: "Service",
        metadata: { name: "signalling", namespace },
        spec: { type: "LoadBalancer", selector: { app: name }, ports: [{ port: signallingPort }] },
      },
    );
    addresses.gateway = (await stage.addressed(server.gateway, namespace)).address;
    await stage.apply(...server.configuration(addresses.gateway), ...rest);
    await stage.ready(`app=${name}`, 1, namespace);
    await stage.ready(`stunner.l7mp.io/related-gateway-name=${server.gateway}`, 1, namespace);
    addresses.signalling = (await stage.addressed("signalling", namespace)).address;
  });
  return addresses;
};
