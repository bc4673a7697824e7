/**
 * `turnpike kick`, `block` and `unblock`: end calls of users. In a cluster the order is written to the Gateway, whose
 * annotation all of its dataplanes follow; elsewhere what runs here takes it by its admin API, which needs a token.
 */
import { userInfo } from "node:os";
import { Command } from "commander";
import { TurnpikeError } from "../errors.ts";
import { ApiError, type Api } from "../kubernetes/api.ts";
import { apiOf } from "../kubernetes/connect.ts";
import { loadKubeconfig } from "../kubernetes/kubeconfig.ts";
import { objectPath } from "../kubernetes/paths.ts";
import { parseHostPort } from "../net/host-port.ts";
import { parseIp } from "../net/ip.ts";
import type { Gateway } from "../resources/gateway-api.ts";
import type { Name } from "../resources/keys.ts";
import { kindOf } from "../resources/kinds.ts";
import { annotations } from "../resources/names.ts";
import { withOrder, type UserAction, type UserOrder } from "../resources/users.ts";
import { annotatedUsers } from "../render/users.ts";
import { adminTokenOption, DEFAULT_ADMIN, readAdminToken } from "./admin-options.ts";
import { addClusterOptions, gatewayId, type ClusterFlags } from "./discovery-options.ts";
import { refuseUsage } from "./output.ts";

interface UserFlags extends ClusterFlags {
  readonly reason: string;
  readonly by?: string;
  readonly admin: string;
  readonly adminTokenFile?: string;
}

const GATEWAY = kindOf("Gateway");
const MAX_CONFLICTS = 5;

/** Who asks, as the API server knows them. */
const whoAsks = async (api: Api): Promise<string | undefined> => {
  const path = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
  const body = { apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview" };
  const review = await api
    .json<{ readonly status?: { readonly userInfo?: { readonly username?: string } } }>({ method: "POST", path, body })
    .catch(() => undefined);
  return review?.status?.userInfo?.username;
};

/** Writes the order to the Gateway. An annotation that changed meanwhile is read again. */
const annotate = async (api: Api, gateway: Name, order: UserOrder): Promise<void> => {
  const path = objectPath(GATEWAY, GATEWAY.versions[0] ?? "v1", gateway);
  for (let attempt = 1; ; attempt++) {
    const { metadata } = await api.json<Gateway>({ path });
    const before = annotatedUsers(metadata.annotations ?? {});
    if (typeof before === "string") return refuseUsage(`the annotation ${annotations.users} of ${gateway} ${before}`);
    const value = JSON.stringify(withOrder(before, order));
    const body = {
      metadata: { resourceVersion: metadata.resourceVersion, annotations: { [annotations.users]: value } },
    };
    try {
      await api.json({ method: "PATCH", path, body, contentType: "application/merge-patch+json" });
      return undefined;
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 409 || attempt === MAX_CONFLICTS) throw error;
    }
  }
};

const inCluster = async (gateway: string, order: UserOrder, flags: UserFlags): Promise<string> => {
  const id = (await gatewayId(gateway, flags)) as Name;
  const api = await apiOf(await loadKubeconfig(flags));
  try {
    const by = order.by ?? (await whoAsks(api));
    await annotate(api, id, { ...order, at: new Date().toISOString(), ...(by === undefined ? {} : { by }) });
    return id;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    throw new TurnpikeError(error.status === 404 ? "gateway-unknown" : "api-refused", error.message);
  } finally {
    await api.close();
  }
};

const here = async (order: UserOrder, { admin, adminTokenFile }: UserFlags): Promise<string> => {
  const { token } = readAdminToken(adminTokenFile);
  const url = `http://${admin}/api/v1/users`;
  const response = await fetch(url, {
    method: "POST",
    signal: AbortSignal.timeout(5000),
    headers: {
      "content-type": "application/json",
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify({ ...order, by: order.by ?? userInfo().username }),
  }).catch((error: unknown) => {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error);
    throw new TurnpikeError("admin-unreachable", `nothing answers at ${url}: ${cause}`);
  });
  if (response.status === 400) return refuseUsage((await response.text()).trim());
  if (!response.ok)
    throw new TurnpikeError(
      "admin-unreachable",
      `${url} answered ${response.status}: ${(await response.text()).trim()}`,
    );
  return ((await response.json()) as { readonly gateway: string }).gateway;
};

const done: Readonly<Record<UserAction, string>> = { kick: "kicked", block: "blocked", unblock: "unblocked" };

const give = async (
  action: UserAction,
  who: Pick<UserOrder, "user" | "relayed">,
  gateway: string | undefined,
  flags: UserFlags,
): Promise<void> => {
  const order: UserOrder = {
    action,
    ...who,
    reason: flags.reason,
    ...(flags.by === undefined ? {} : { by: flags.by }),
  };
  try {
    const at = await (gateway === undefined ? here(order, flags) : inCluster(gateway, order, flags));
    process.stdout.write(`${at}: ${who.user ?? who.relayed} ${done[action]}\n`);
  } catch (error) {
    if (error instanceof RangeError) refuseUsage(error.message);
    throw error;
  }
};

const isTransportAddress = (text: string): boolean => {
  const at = parseHostPort(text);
  return at?.port !== undefined && parseIp(at.host) !== undefined;
};

const command = (action: UserAction, argument: string, of: string): Command =>
  addClusterOptions(new Command(action))
    .argument(argument, of)
    .argument("[gateway]", "NAME or NAMESPACE/NAME: in the cluster, by its annotation (default: what runs here)")
    .option("--reason <text>", "why, for the log", "")
    .option("--by <name>", "who asks, for the log (default: the user of the kubeconfig, or of this machine)")
    .option("--admin <host:port>", "admin API of what runs here", DEFAULT_ADMIN)
    .addOption(adminTokenOption());

export const kickCommand = (): Command =>
  command("kick", "<user-or-relayed>", "user, or ADDRESS:PORT that is the relayed address of one allocation")
    .description("end the calls of a user, or one call; the user may call again")
    .action((who: string, gateway: string | undefined, flags: UserFlags) =>
      give("kick", isTransportAddress(who) ? { relayed: who } : { user: who }, gateway, flags),
    );

export const blockCommand = (): Command =>
  command("block", "<user>", "as `turnpike status` and the log name it")
    .description("end the calls of a user, who can make none until unblocked")
    .action((user: string, gateway: string | undefined, flags: UserFlags) => give("block", { user }, gateway, flags));

export const unblockCommand = (): Command =>
  command("unblock", "<user>", "who is blocked")
    .description("let a blocked user call again")
    .action((user: string, gateway: string | undefined, flags: UserFlags) => give("unblock", { user }, gateway, flags));
