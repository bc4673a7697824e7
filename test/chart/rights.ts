/** Our operator's rights as the chart gives them, for operators that tests run without installing the chart. */
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import type { Literal } from "../cluster/client.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { writeKubeconfig } from "../cluster/credentials.ts";
import { chart, helmFor } from "./helm.ts";

export interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly verbs: readonly string[];
}

export type Role = Literal & { readonly rules: readonly Rule[] };

export interface Access {
  readonly kubeconfig: string;
  readonly token: string;
}

export interface Rights {
  readonly namespace: string;
  readonly lease: string;
  /** The ClusterRole and the Roles. */
  readonly roles: readonly Role[];
  /**
   * Gives them to a service account, a new one each time: tests delete what is in namespaces.
   * @param missing `VERB GROUP/RESOURCE` to leave out.
   */
  grant(cluster: Cluster, missing?: string): Promise<Access>;
}

const NAMESPACE = "turnpike-system";
const KINDS = ["ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"];

/** @param withJob whether they are those of the Job, too, that removes everything. */
export const rightsOf = async (values: Readonly<Record<string, unknown>> = {}, withJob = false): Promise<Rights> => {
  const helm = await helmFor();
  const flags = Object.entries(values).flatMap(([key, value]) => ["--set-json", `${key}=${JSON.stringify(value)}`]);
  const hooks = withJob ? [] : ["--no-hooks"];
  const text = await helm("template", "turnpike", chart, "--namespace", NAMESPACE, ...hooks, ...flags);
  const objects = parseAllDocuments(text)
    .flatMap((document) => (document.contents === null ? [] : [document.toJS() as Literal]))
    .filter(({ kind }) => KINDS.includes(kind));
  return {
    namespace: NAMESPACE,
    lease: "turnpike",
    roles: objects.filter((object): object is Role => "rules" in object),
    async grant(cluster, missing) {
      await cluster.client.apply({ apiVersion: "v1", kind: "Namespace", metadata: { name: NAMESPACE } });
      for (const object of objects)
        await cluster.client.apply(
          missing !== undefined && "rules" in object ? without(object as Role, missing) : object,
        );
      const { status } = await cluster.client.request<{ readonly status: { readonly token: string } }>(
        `/api/v1/namespaces/${NAMESPACE}/serviceaccounts/turnpike/token`,
        { method: "POST", body: { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: {} } },
      );
      const kubeconfig = join(cluster.directory, "operator.kubeconfig");
      writeKubeconfig(kubeconfig, { ...cluster, token: status.token });
      return { kubeconfig, token: status.token };
    },
  };
};

/** One for each verb of each resource: `VERB GROUP/RESOURCE`. */
export const rightsIn = (roles: readonly Role[]): readonly string[] =>
  roles
    .flatMap(({ rules }) => rules)
    .flatMap(({ apiGroups, resources, verbs }) =>
      apiGroups.flatMap((group) =>
        resources.flatMap((resource) => verbs.map((verb) => `${verb} ${group}/${resource}`)),
      ),
    )
    .toSorted();

/** The same role without one of them. */
const without = ({ rules, ...role }: Role, right: string): Role => ({
  ...role,
  rules: rules
    .flatMap((rule) =>
      rule.apiGroups.flatMap((group) =>
        rule.resources.map((resource) => ({
          ...rule,
          apiGroups: [group],
          resources: [resource],
          verbs: rule.verbs.filter((verb) => `${verb} ${group}/${resource}` !== right),
        })),
      ),
    )
    .filter(({ verbs }) => verbs.length > 0),
});
