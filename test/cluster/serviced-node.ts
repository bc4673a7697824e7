/** A node whose pods reach the API server as pods do, with their service accounts, and Services by name. */
import { join } from "node:path";
import type { Cluster } from "./cluster.ts";
import { startNodeAgent, type Commands, type NodeAgent } from "./node-agent.ts";
import { openPodAccess } from "./pod-access.ts";
import { startServiceProxy } from "./service-proxy.ts";

/** Needs a network of our own (`enterOwnNetwork`). @param folder for what pods are given. */
export const startServicedNode = async (cluster: Cluster, commands: Commands, folder: string): Promise<NodeAgent> => {
  const access = await openPodAccess(cluster);
  const services = await startServiceProxy(cluster.client, join(folder, "hosts"));
  const node = await startNodeAgent(cluster.client, commands, access, services.hostsFile);
  return {
    ...node,
    async close() {
      await node.close();
      await services.close();
      await access.close();
    },
  };
};
