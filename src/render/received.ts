/** A Gateway of a dataplane: its config was received rendered, and there is no cluster to write to. */
import type { Name } from "../resources/keys.ts";
import type { ObjectsView } from "../resources/view.ts";
import type { RenderedGateway } from "./gateway.ts";
import { usersOfReceived } from "./users.ts";

export const receivedGateway = (view: ObjectsView, name: Name): RenderedGateway | undefined => {
  const received = view.get("DataplaneConfig", name)?.spec;
  if (received === undefined) return undefined;
  const config = { ...received, ...usersOfReceived(view, name, received.users) };
  return (
    config && {
      name,
      config,
      invalid: undefined,
      // There is no Gateway object for a status.
      status: { addresses: [], conditions: [], listeners: [] },
      objects: [],
      removals: [],
      listeners: (config.listeners ?? []).map(({ name: entity }) => ({
        name: entity.startsWith(`${name}/`) ? entity.slice(name.length + 1) : entity,
        entity,
        outcome: "accepted",
        why: "",
      })),
      // A config says which endpoints are permitted, not which of them are terminating.
      draining: {},
    }
  );
};
