/** The objects of a test in a cluster: made, waited for, removed. */
import { setTimeout as after } from "node:timers/promises";
import { TurnpikeError } from "../errors.ts";
import { ApiError, type Api } from "../kubernetes/api.ts";
import type { ClusterObject } from "./objects.ts";

const PLURALS: Readonly<Record<string, string>> = {
  Namespace: "namespaces",
  Pod: "pods",
  Service: "services",
  Dataplane: "dataplanes",
  GatewayClass: "gatewayclasses",
  GatewayConfig: "gatewayconfigs",
  Gateway: "gateways",
  UDPRoute: "udproutes",
};

export const pathOf = ({
  apiVersion,
  kind,
  metadata,
}: Pick<ClusterObject, "apiVersion" | "kind" | "metadata">): string => {
  const root = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const scope = metadata.namespace === undefined ? "" : `/namespaces/${metadata.namespace}`;
  return `${root}${scope}/${PLURALS[kind]}/${metadata.name}`;
};

export const isAbsent = (error: unknown): boolean => error instanceof ApiError && error.status === 404;

/** @returns undefined where it is not there. @throws ApiError. */
export const read = async <T>(api: Api, object: Parameters<typeof pathOf>[0]): Promise<T | undefined> => {
  try {
    return await api.json<T>({ path: pathOf(object) });
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
};

/** A namespace that is new has no service account yet, and takes no pod without one. */
const ACCOUNT_MS = 10_000;
const lacksAccount = (error: unknown): error is ApiError =>
  error instanceof ApiError && error.status === 403 && error.message.includes("serviceaccount");

/** @throws ApiError; TurnpikeError `icetest-failed`. */
export const apply = (api: Api, object: ClusterObject): Promise<object> =>
  until(`${object.kind} ${object.metadata.name}`, ACCOUNT_MS, async () => {
    try {
      return await api.json<object>({
        method: "PATCH",
        path: pathOf(object),
        query: { fieldManager: "turnpike-icetest", force: true },
        contentType: "application/apply-patch+yaml",
        body: object,
      });
    } catch (error) {
      if (lacksAccount(error)) return error.message;
      throw error;
    }
  });

/** What is not there counts as removed. @throws ApiError. */
export const remove = async (api: Api, object: ClusterObject): Promise<void> => {
  try {
    await api.json({ method: "DELETE", path: pathOf(object), body: { propagationPolicy: "Background" } });
  } catch (error) {
    if (!isAbsent(error)) throw error;
  }
};

const LOOK_MS = 250;

/**
 * Asks until there is an answer.
 * @param look undefined: not yet; a text: not yet, and why.
 * @throws TurnpikeError `icetest-failed` when it takes longer than `limitMs`, with the last reason.
 */
export const until = async <T extends object>(
  what: string,
  limitMs: number,
  look: () => Promise<T | string | undefined>,
): Promise<T> => {
  const end = performance.now() + limitMs;
  for (;;) {
    const found = await look();
    if (typeof found === "object") return found;
    if (performance.now() > end)
      throw new TurnpikeError(
        "icetest-failed",
        `${what} took longer than ${limitMs / 1000} s${found === undefined ? "" : `: ${found}`}`,
      );
    await after(LOOK_MS);
  }
};
