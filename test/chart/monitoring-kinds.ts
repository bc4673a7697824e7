/** Stand-ins for the kinds of the Prometheus operator: they are there, and take everything. */
import { setTimeout as after } from "node:timers/promises";
import type { Client } from "../cluster/client.ts";

const GROUP = "monitoring.coreos.com";

export const installStandIns = async (client: Client): Promise<void> => {
  for (const kind of ["ServiceMonitor", "PodMonitor", "PrometheusRule"]) {
    const plural = `${kind.toLowerCase()}s`;
    await client.apply({
      apiVersion: "apiextensions.k8s.io/v1",
      kind: "CustomResourceDefinition",
      metadata: { name: `${plural}.${GROUP}` },
      spec: {
        group: GROUP,
        scope: "Namespaced",
        names: { kind, plural },
        versions: [
          {
            name: "v1",
            served: true,
            storage: true,
            schema: { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } },
          },
        ],
      },
    });
    const isServed = (): Promise<boolean> =>
      client.request(`/apis/${GROUP}/v1/${plural}`).then(
        () => true,
        () => false,
      );
    while (!(await isServed())) await after(50);
  }
};
