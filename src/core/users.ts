/** Sends the user machines of a Gateway what its rules say anew of each user. */
import type { Registry, Transition } from "../machines/registry.ts";
import type { Name } from "../resources/keys.ts";
import { userEntity } from "../resources/entities.ts";
import { describeOrder, newKicks, type UserRules } from "../resources/users.ts";

/** @param before undefined with the first config of a Gateway: kicks in it are of earlier times. */
export const moveUsers = (
  registry: Registry,
  gateway: Name,
  before: { readonly users?: UserRules } | undefined,
  next: { readonly users?: UserRules } | undefined,
): readonly Transition[] => {
  const blocked = next?.users?.blocked ?? {};
  const transitions: Transition[] = [];
  for (const user of Object.keys(before?.users?.blocked ?? {}))
    if (!Object.hasOwn(blocked, user))
      transitions.push(...registry.send("user", userEntity(gateway, user), "released"));
  for (const [user, order] of Object.entries(blocked)) {
    const entity = userEntity(gateway, user);
    if (registry.state("user", entity) !== "blocked")
      transitions.push(...registry.send("user", entity, "blocked", describeOrder(order)));
  }
  for (const kick of before === undefined ? [] : newKicks(before.users, next?.users)) {
    const entity = userEntity(gateway, kick.user ?? kick.relayed ?? "");
    transitions.push(...registry.send("user", entity, "kicked", describeOrder(kick)));
  }
  return transitions;
};
