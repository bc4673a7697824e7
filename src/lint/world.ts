/** The input: objects as last observed, what is rendered from them, and how much of a cluster they cover. */
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
 * For example the manifests of an application: the Gateways that its routes name, and the classes of those, are elsewhere.
 * A missing object is then not an error.
 */
export const isFragment = ({ view, hasEndpoints }: LintWorld): boolean =>
  !hasEndpoints && view.list("GatewayClass").length === 0 && view.list("Gateway").length === 0;
