/** What a cluster tells of itself when a test has failed in it. */
const NAMESPACES = ["turnpike-system", "media"] as const;
const LINES = 40;

/** @param kubectl resolves to what it printed. */
export const diagnose = async (kubectl: (...args: readonly string[]) => Promise<string>): Promise<string> => {
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
  return answers.join("\n");
};
