/** Ports of pods, on a port of this machine: through the API server, like `kubectl port-forward`. */
import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { Writable } from "node:stream";
import type { KubeConfig } from "@kubernetes/client-node";
import { TurnpikeError } from "../errors.ts";
import { ApiError, type Api } from "./api.ts";

export interface Pod {
  readonly namespace: string;
  readonly name: string;
  /** `Running`, … */
  readonly phase: string;
  readonly isReady: boolean;
  /** Why it is not ready, from its status; its phase if the status has no reason. */
  readonly why: string;
  readonly address: string | undefined;
}

interface PodList {
  readonly items: readonly {
    readonly metadata: { readonly name: string; readonly namespace?: string; readonly deletionTimestamp?: string };
    readonly status?: PodStatus;
  }[];
}

interface PodStatus {
  readonly phase?: string;
  readonly podIP?: string;
  readonly conditions?: readonly { readonly type: string; readonly status: string; readonly message?: string }[];
  readonly containerStatuses?: readonly {
    readonly name: string;
    readonly state?: { readonly waiting?: { readonly reason?: string; readonly message?: string } };
  }[];
}

/** Of a waiting container, or of an unmet condition. */
const whyOf = ({ phase = "Unknown", conditions = [], containerStatuses = [] }: PodStatus = {}): string => {
  const waiting = containerStatuses.find(({ state }) => state?.waiting !== undefined);
  const { reason, message } = waiting?.state?.waiting ?? {};
  const unmet = conditions.find((one) => one.status !== "True" && one.message !== undefined);
  const says = [reason, message ?? (reason === undefined ? unmet?.message : undefined)];
  return [phase, ...says].filter((one) => one !== undefined && one !== "").join(", ");
};

/** @throws TurnpikeError `api-refused`. */
export const findPods = async (
  api: Api,
  labels: Readonly<Record<string, string>>,
  namespace?: string,
): Promise<readonly Pod[]> => {
  const labelSelector = Object.entries(labels)
    .map(([name, value]) => `${name}=${value}`)
    .join(",");
  const path = namespace === undefined ? "/api/v1/pods" : `/api/v1/namespaces/${namespace}/pods`;
  try {
    const { items } = await api.json<PodList>({ path, query: { labelSelector } });
    return items
      .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
      .map(({ metadata, status }) => ({
        namespace: metadata.namespace ?? namespace ?? "default",
        name: metadata.name,
        phase: status?.phase ?? "Unknown",
        isReady: (status?.conditions ?? []).some((one) => one.type === "Ready" && one.status === "True"),
        why: whyOf(status),
        address: status?.podIP,
      }));
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    throw new TurnpikeError("api-refused", `pods with ${labelSelector} cannot be listed: ${error.message}`);
  }
};

export interface Forwarded {
  /** `127.0.0.1:PORT`. */
  readonly at: string;
  close(): void;
}

/**
 * Forwards every connection to `port` of the pod that `find` returns: called again if the current one cannot be reached.
 */
export const forwardPort = async (
  config: KubeConfig,
  find: () => Promise<Pick<Pod, "namespace" | "name">>,
  port: number,
): Promise<Forwarded> => {
  const { PortForward } = await import("@kubernetes/client-node");
  const forward = new PortForward(config);
  const sockets = new Set<Socket>();
  let known: ReturnType<typeof find> | undefined = find();
  await known;
  const connect = async (socket: Socket): Promise<void> => {
    const { namespace, name } = await (known ??= find());
    const complaints = new Writable({
      write: (complaint: Buffer, _, done) => {
        // The first message of each stream is the number of the port, which is not needed here.
        if (complaint.length > 0) {
          known = undefined;
          socket.destroy();
        }
        done();
      },
    });
    const opened = await forward.portForward(namespace, name, [port], socket, complaints, socket);
    const connection = typeof opened === "function" ? opened() : opened;
    if (connection === null || socket.destroyed) {
      socket.destroy();
      connection?.close();
      return;
    }
    connection.addEventListener("close", () => socket.end());
    connection.addEventListener("error", () => socket.destroy());
    socket.once("close", () => connection.close());
    socket.resume();
  };
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.pause();
    socket.on("error", () => undefined);
    socket.once("close", () => sockets.delete(socket));
    connect(socket).catch(() => {
      known = undefined;
      socket.destroy();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    at: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
};
