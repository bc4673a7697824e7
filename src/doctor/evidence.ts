/** The input of the checks, as read from the cluster. */
import type { LintWorld } from "../lint/world.ts";
import type { Name } from "../resources/keys.ts";
import type { Kind, KindId } from "../resources/kinds.ts";

export type Server =
  | { readonly isReached: true; readonly url: string; readonly version: string }
  | { readonly isReached: false; readonly url: string | undefined; readonly reason: string };

/** A kind that could not be listed. */
export interface Refusal {
  readonly kind: KindId;
  /** The message of the API server. */
  readonly message: string;
}

/** A CustomResourceDefinition. */
export interface Definition {
  readonly kind: Kind;
  readonly isPresent: boolean;
  readonly isEstablished: boolean;
  readonly served: readonly string[];
  /** The release and channel of Gateway API, if its annotations contain them. */
  readonly release?: string;
  readonly channel?: string;
}

export interface SeenPod {
  readonly namespace: string;
  readonly name: string;
  readonly isReady: boolean;
  /** Why it is not ready, as far as its status says. */
  readonly why: string;
}

export interface OperatorDeployment {
  readonly name: Name;
  readonly controllerName: string;
  readonly readyPods: number;
  readonly desiredPods: number;
  /** As far as they can be listed. */
  readonly pods: readonly SeenPod[];
  /** Undefined if it does not exist or cannot be read. */
  readonly lease: { readonly name: Name; readonly holder: string } | undefined;
}

/** A pod's report of its running config: `/status` of a dataplane, as far as it is compared. */
export interface RunningConfig {
  readonly auth?: { readonly type?: string; readonly realm?: string };
  readonly listeners?: readonly {
    readonly name: string;
    readonly protocol?: string;
    readonly port?: number;
    readonly public_address?: string;
    readonly routes?: readonly string[];
  }[];
  readonly clusters?: readonly { readonly name: string; readonly endpoints?: readonly string[] }[];
}

export interface DataplanePod extends SeenPod {
  /** Undefined if it was not requested. */
  readonly answer?: { readonly status: RunningConfig } | { readonly reason: string };
}

/** A test allocation at a listener. */
export interface Call {
  /** `NAMESPACE/GATEWAY/LISTENER`. */
  readonly listener: string;
  /** The URI of the listener. */
  readonly uri: string;
  /** `ADDRESS:PORT`; undefined at a listener that answers only STUN Binding requests. */
  readonly relayed?: string;
  /** The address that a permission was created for. */
  readonly peer?: string;
  /** From the connection to the last answer. */
  readonly milliseconds: number;
  readonly failure?: {
    readonly step: string;
    readonly kind: "unanswered" | "certificate" | "refused";
    readonly says: string;
  };
}

export interface Evidence {
  readonly server: Server;
  readonly controllerName: string;
  /** Only this Gateway is checked. */
  readonly only?: Name | undefined;
  readonly refusals: readonly Refusal[];
  readonly definitions: readonly Definition[];
  readonly operators: readonly OperatorDeployment[];
  /** Undefined if no object could be read. */
  readonly world: LintWorld | undefined;
  /** Of Services without an address, the latest first. */
  readonly events: ReadonlyMap<Name, readonly string[]>;
  /** By Gateway. */
  readonly pods: ReadonlyMap<Name, readonly DataplanePod[]> | { readonly skipped: string };
  readonly calls: { readonly made: readonly Call[] } | { readonly skipped: string };
}
