/** Everything that is in a cluster. */
import { groupPath, type Client } from "../cluster/client.ts";

interface Item {
  readonly metadata: { readonly name: string; readonly namespace?: string };
}

interface Groups {
  readonly groups: readonly { readonly preferredVersion: { readonly groupVersion: string } }[];
}

/** Events end by themselves; the cluster's own controllers write into namespaces as they come. */
const PASSING = ["events", "componentstatuses"];

/** Every namespace has it, and keeps it for a while after it was deleted. */
const MADE_BY_KUBERNETES = /^serviceaccounts \S+\/default$/;

/** `RESOURCE.GROUP NAMESPACE/NAME` of every object, sorted. */
export const inventoryOf = async (client: Client): Promise<readonly string[]> => {
  const { groups } = await client.request<Groups>("/apis");
  const versions = ["v1", ...groups.map(({ preferredVersion }) => preferredVersion.groupVersion)];
  const lists = await Promise.all(
    versions.map(async (version) => {
      const resources = (await client.resources(version)).filter(
        ({ name, verbs }) => verbs.includes("list") && !PASSING.includes(name),
      );
      return Promise.all(
        resources.map(async ({ name }) => {
          const { items } = await client.request<{ items: readonly Item[] }>(`${groupPath(version)}/${name}`);
          const group = version.includes("/") ? `.${version.split("/")[0]}` : "";
          return items.map(({ metadata }) => `${name}${group} ${metadata.namespace ?? ""}/${metadata.name}`);
        }),
      );
    }),
  );
  return lists
    .flat(2)
    .filter((one) => !MADE_BY_KUBERNETES.test(one))
    .toSorted();
};
