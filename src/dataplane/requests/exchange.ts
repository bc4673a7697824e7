/** One request and its answer, as the request files see them. */
import type { Allocation, Owner } from "../allocation.ts";
import type { Serving } from "../serving.ts";
import { attribute } from "../../stun/attributes.ts";
import type { Attribute, Message } from "../../stun/message.ts";
import type { ListenerPath } from "../listeners/listener.ts";
import type { RefusalCode } from "../../reasons.ts";

/** An authenticated request. */
export interface Exchange {
  readonly message: Message;
  readonly path: ListenerPath;
  readonly serving: Serving;
  readonly who: Owner;
  /** Milliseconds of the monotonic clock. */
  readonly now: number;
}

/** A request that needs an allocation, and its own. */
export interface AllocationExchange extends Exchange {
  readonly allocation: Allocation;
}

export type Answer =
  | {
      readonly kind: "success";
      readonly attributes: readonly Attribute[];
      /** Done once the answer is on its way. */
      readonly afterwards?: () => void;
    }
  | {
      readonly kind: "error";
      /** Its number goes to the client; the rest is for counters and logs. */
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
