/** What a cluster tells of itself when a test has failed in it. */
import type { RealNode } from "../cluster/nodes/node.ts";
import { run } from "../cluster/nodes/wire.ts";

const NAMESPACES = ["turnpike-system", "media"] as const;
const LINES = 40;

const FLOWS = "grep -w udp /proc/net/nf_conntrack; ip -4 neighbour; ip -6 neighbour";

/** UDP flows as a node translates them, and whom it knows on the wire. */
const flowsOf = ({ name, inside }: RealNode): string => {
  try {
    return `flows of ${name}\n${run(inside(["sh", "-c", FLOWS])).trimEnd()}`;
  } catch (error) {
    return `flows of ${name}\n${String(error)}`;
  }
};

/** @param kubectl resolves to what it printed. */
export const diagnose = async (
  kubectl: (...args: readonly string[]) => Promise<string>,
  nodes: readonly RealNode[],
): Promise<string> => {
  // First: what passes soonest.
  const flows = nodes.map(flowsOf);
  const ask = (...args: readonly string[]): Promise<string> =>
    kubectl(...args).then(
      (text) => `$ kubectl ${args.join(" ")}\n${text.trimEnd().split("\n").slice(-LINES).join("\n")}`,
      (error: unknown) => `$ kubectl ${args.join(" ")}\n${String(error)}`,
    );
  const logsIn = async (namespace: string): Promise<readonly string[]> => {
    const pods = await kubectl("get", "pods", "--namespace", namespace, "--output", "name").catch(() => "");
    const names = pods.split("\n").filter((name) => name !== "");
    return Promise.all(names.map((name) => ask("logs", "--namespace", namespace, "--tail", String(LINES), name)));
  };
  const answers = await Promise.all([
    ask("get", "pods,services,endpointslices", "--all-namespaces", "--output", "wide"),
    ask("get", "gateways,udproutes", "--all-namespaces", "--output", "wide"),
    ask("get", "events", "--all-namespaces", "--sort-by", ".lastTimestamp"),
    ...NAMESPACES.map(async (namespace) => (await logsIn(namespace)).join("\n")),
  ]);
  return [...answers, ...flows].join("\n");
};
