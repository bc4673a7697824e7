/** Sends the listener machines of a Gateway what rendering decided about each of them. */
import type { Registry, Transition } from "../machines/registry.ts";
import type { RenderedGateway } from "../render/render.ts";

export const moveListeners = (
  registry: Registry,
  before: RenderedGateway | undefined,
  next: RenderedGateway | undefined,
): readonly Transition[] => {
  const transitions: Transition[] = [];
  const kept = new Set(next?.listeners.map(({ entity }) => entity));
  for (const { entity } of before?.listeners ?? [])
    // A listener that was dropped before the end began does not get a new machine only to be dropped again.
    if (!kept.has(entity) && registry.state("listener", entity) !== undefined)
      transitions.push(...registry.send("listener", entity, "dropped"));
  for (const { entity, outcome, why } of next?.listeners ?? []) {
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
