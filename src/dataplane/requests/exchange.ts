/** One request, what it may use, and its answer: everything that the request files know. */
import type { TransportAddress } from "../../net/address.ts";
import type { ListenerConfig } from "../../resources/dataplane-config.ts";
import type { Family } from "../../net/ip.ts";
import type { Allocation, AllocationScope, Owner } from "../allocation.ts";
import type { Gateway } from "../gateway.ts";
import type { RelayAddress } from "../placement.ts";
import type { RelayContext } from "../relay-context.ts";
import { attribute } from "../../stun/attributes.ts";
import type { Attribute, Message } from "../../stun/message.ts";
import type { ListenerPath } from "../listeners/listener.ts";
import type { DropCode, RefusalCode } from "../../reasons.ts";

/** The listener that received the request, its gateway, and the relay. */
export interface RequestContext extends AllocationScope {
  readonly relay: RelayContext;
  readonly gateway: Gateway;
  readonly config: Pick<ListenerConfig, "address" | "port">;
  /** Where relayed transport addresses of `family` are bound; undefined if there are none. */
  relayAddress(family: Family): RelayAddress | undefined;
  /** Whether the listener is closed: nothing may be opened through it. */
  readonly isClosed: boolean;
  /** Sends an answer to an unauthenticated client: over UDP the source address may be a victim's. */
  reply(path: ListenerPath, request: Buffer, bytes: Buffer): void;
  /** Sends an answer to an authenticated client. */
  send(path: ListenerPath, bytes: Buffer): void;
  /** Counts a request that is answered with an error. */
  refusedRequest(path: ListenerPath, code: RefusalCode): void;
  /** Reports a client that is sent to `server`. */
  redirected(path: ListenerPath, who: Owner, server: TransportAddress): void;
  dropped(reason: DropCode): void;
}

/** An authenticated request. */
export interface Exchange {
  readonly message: Message;
  readonly path: ListenerPath;
  readonly context: RequestContext;
  readonly who: Owner;
  /** Milliseconds of the monotonic clock. */
  readonly now: number;
}

/** A request that needs an allocation, and the allocation of its five-tuple. */
export interface AllocationExchange extends Exchange {
  readonly allocation: Allocation;
}

export type Answer =
  | {
      readonly kind: "success";
      readonly attributes: readonly Attribute[];
      /** Runs after the answer has been sent. */
      readonly afterwards?: () => void;
    }
  | {
      readonly kind: "error";
      /** The error code is sent to the client; the rest is for counters and logs. */
      readonly code: RefusalCode;
      readonly attributes?: readonly Attribute[];
    }
  | { readonly kind: "silence" };

export const success = (...attributes: readonly Attribute[]): Extract<Answer, { readonly kind: "success" }> => ({
  kind: "success",
  attributes,
});
export const failure = (code: RefusalCode): Answer => ({ kind: "error", code });
/** RFC 8489 §6.3.1. */
export const notUnderstood = (types: readonly number[]): Answer => ({
  kind: "error",
  code: "420 unknown-attributes",
  attributes: [{ type: attribute.unknownAttributes, value: types }],
});
export const silence: Answer = { kind: "silence" };
