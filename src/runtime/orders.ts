/** Orders of the admin API about users: each becomes a fact, from which the core concludes the rest. */
import type { GiveOrder } from "../admin/orders.ts";
import { wallMs } from "../clock.ts";
import type { Core } from "../core/core.ts";
import type { Fact } from "../journal/fact.ts";
import { splitName, type Name } from "../resources/keys.ts";
import { withOrder, type OrderedRules } from "../resources/users.ts";

export const createOrders = (core: Core, tell: (fact: Fact, source: string) => void): GiveOrder => {
  const gatewayOf = (asked: string | undefined): Name => {
    const names = [...core.registry.entities("gateway").keys()];
    if (asked === undefined && names.length === 1) return names[0] as Name;
    if (asked !== undefined && names.includes(asked)) return asked as Name;
    const which = names.length === 0 ? "there is none" : `there are ${names.join(", ")}`;
    throw new RangeError(asked === undefined ? `name a Gateway: ${which}` : `no Gateway ${asked} here: ${which}`);
  };
  return (asked, order) => {
    const gateway = gatewayOf(asked);
    const before = core.view.get("UserRules", gateway)?.spec ?? {};
    const spec = withOrder(before, { ...order, at: order.at ?? new Date(wallMs()).toISOString() });
    const { namespace, name } = splitName(gateway);
    const object: OrderedRules = { apiVersion: "turnpike/v1", kind: "UserRules", metadata: { namespace, name }, spec };
    tell({ type: "object.seen", data: { kind: "UserRules", object } }, "admin");
    return gateway;
  };
};
