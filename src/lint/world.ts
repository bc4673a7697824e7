/** What is looked at: objects as last seen, what is rendered from them, and how much of a cluster they are. */
import type { RenderedGateway } from "../render/render.ts";
import type { Name } from "../resources/keys.ts";
import type { ObjectsView, RenderOptions } from "../resources/view.ts";

export interface LintWorld {
  readonly view: ObjectsView;
  readonly options: RenderOptions;
  readonly rendered: (gateway: Name) => RenderedGateway | undefined;
  /** A cluster has EndpointSlices for its Services; manifests have them only sometimes. */
  readonly hasEndpoints: boolean;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/**
 * Manifests of an application, for example: the Gateways that its routes name, and the classes of those, are kept elsewhere. A
 * missing object is then not a fault.
 */
export const isFragment = ({ view, hasEndpoints }: LintWorld): boolean =>
  !hasEndpoints && view.list("GatewayClass").length === 0 && view.list("Gateway").length === 0;
