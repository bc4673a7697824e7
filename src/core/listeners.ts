/** Tells the listener machines of a Gateway what rendering decided about each of them. */
import type { Name } from "../resources/keys.ts";
import type { Registry, Transition } from "../machines/registry.ts";
import type { RenderedGateway } from "../render/render.ts";

/** `NAMESPACE/GATEWAY/LISTENER`. */
export const listenerEntity = (gateway: Name, listener: string): string => `${gateway}/${listener}`;

export const moveListeners = (
  registry: Registry,
  gateway: Name,
  before: RenderedGateway | undefined,
  next: RenderedGateway | undefined,
): readonly Transition[] => {
  const transitions: Transition[] = [];
  const kept = new Set(next?.listeners.map(({ name }) => name));
  for (const { name } of before?.listeners ?? [])
    if (!kept.has(name)) transitions.push(...registry.send("listener", listenerEntity(gateway, name), "dropped"));
  for (const { name, outcome, why } of next?.listeners ?? []) {
    const entity = listenerEntity(gateway, name);
    if (outcome === "pending") transitions.push(...registry.create("listener", entity));
    else
      transitions.push(
        ...registry.send(
          "listener",
          entity,
          outcome === "accepted" ? "accepted" : "refused",
          outcome === "accepted" ? undefined : why,
        ),
      );
  }
  return transitions;
};
