/** What is known of users of a Gateway: by its annotation or its config, and by orders to this process. */
import type { Gateway } from "../resources/gateway-api.ts";
import type { Name } from "../resources/keys.ts";
import { annotations as keys } from "../resources/names.ts";
import { mergeUserRules, readUserRules, type UserRules } from "../resources/users.ts";
import type { ObjectsView } from "../resources/view.ts";
import type { Annotations } from "./annotations.ts";

/** @returns a sentence that follows the key of the annotation, if its value cannot be read. */
export const annotatedUsers = (annotations: Annotations): UserRules | string => {
  const text = annotations[keys.users];
  if (text === undefined) return {};
  try {
    const rules = readUserRules(JSON.parse(text));
    return typeof rules === "string" ? `is ignored: ${rules}` : rules;
  } catch {
    return "is ignored: it is not JSON";
  }
};

/** Why the annotation is ignored; empty if it is not. */
export const ignoredUsers = (gateway: Gateway): readonly string[] => {
  const users = annotatedUsers(gateway.metadata.annotations ?? {});
  return typeof users === "string" ? [`${keys.users} ${users}`] : [];
};

/** As fields of a config. @param own rules of the Gateway itself. */
const withOrders = (view: ObjectsView, name: Name, own: UserRules | undefined): { readonly users?: UserRules } => {
  const users = mergeUserRules(own, view.get("UserRules", name)?.spec);
  return users === undefined ? {} : { users };
};

export const usersOfGateway = (view: ObjectsView, name: Name, gateway: Gateway): { readonly users?: UserRules } => {
  const annotated = annotatedUsers(gateway.metadata.annotations ?? {});
  return withOrders(view, name, typeof annotated === "string" ? undefined : annotated);
};

export const usersOfReceived = withOrders;
