/**
 * Users of a Gateway that somebody has blocked, or whose calls somebody has ended: who asked, when, and why. The annotation
 * of a Gateway, a dataplane's config and the orders of the admin API have this form.
 */
import type { KubernetesObject } from "./core.ts";

/** What is known of an order. Texts are at most 256 characters long. */
export interface Order {
  readonly reason: string;
  readonly by?: string;
  /** RFC 3339 */
  readonly at?: string;
}

/** Ends the allocations of a user, or the one with a relayed transport address; new ones may be made. */
export interface Kick extends Order {
  readonly user?: string;
  /** `ADDRESS:PORT`, IPv6 in brackets. */
  readonly relayed?: string;
}

export interface UserRules {
  /** By user. They can make no allocation, and have none. */
  readonly blocked?: Readonly<Record<string, Order>>;
  /** In the order in which they were given. One takes effect once, when it appears. */
  readonly kicked?: readonly Kick[];
}

/** Orders that the admin API of this process was given for a Gateway, in the form of an object: its name is the Gateway's. */
export interface OrderedRules extends KubernetesObject {
  readonly apiVersion: "turnpike/v1";
  readonly kind: "UserRules";
  readonly spec: UserRules;
}

export const MAX_BLOCKED = 1000;
/** The latest ones. */
export const MAX_KICKS = 32;
const MAX_TEXT = 256;

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

class Malformed extends Error {}

const malformed = (where: string, what: string): never => {
  throw new Malformed(`${where} ${what}`);
};

const text = (value: unknown, where: string): string =>
  typeof value === "string" && value.length <= MAX_TEXT
    ? value
    : malformed(where, `is no text of at most ${MAX_TEXT} characters`);

const texts = (value: unknown, where: string, names: readonly string[]): Readonly<Record<string, string>> => {
  if (!isRecord(value)) return malformed(where, "is no object");
  return Object.fromEntries(
    names.flatMap((name) => (value[name] === undefined ? [] : [[name, text(value[name], `${where}.${name}`)]])),
  );
};

const orderOf = (value: unknown, where: string): Order => {
  if (typeof value === "string") return { reason: text(value, where) };
  return { reason: "", ...texts(value, where, ["reason", "by", "at"]) };
};

const kickOf = (value: unknown, where: string): Kick => {
  const kick = { reason: "", ...texts(value, where, ["user", "relayed", "reason", "by", "at"]) };
  if (("user" in kick ? 1 : 0) + ("relayed" in kick ? 1 : 0) !== 1)
    return malformed(where, "names not one of user, relayed");
  return kick;
};

/**
 * The rules in a parsed document; fields that are not known are left out.
 * @returns a sentence about the first thing that is wrong, if something is.
 */
export const readUserRules = (value: unknown): UserRules | string => {
  try {
    if (!isRecord(value)) return malformed("it", "is no object with `blocked` or `kicked`");
    const { blocked = {}, kicked = [] } = value;
    if (!isRecord(blocked)) return malformed("blocked", "is no object of users");
    if (!Array.isArray(kicked)) return malformed("kicked", "is no list");
    const names = Object.keys(blocked);
    if (names.length > MAX_BLOCKED) return malformed("blocked", `has more than ${MAX_BLOCKED} users`);
    return {
      ...(names.length === 0
        ? {}
        : {
            blocked: Object.fromEntries(
              names.map((name) => [text(name, "a user of blocked"), orderOf(blocked[name], `blocked.${name}`)]),
            ),
          }),
      ...(kicked.length === 0
        ? {}
        : { kicked: kicked.slice(-MAX_KICKS).map((one: unknown, index) => kickOf(one, `kicked[${index}]`)) }),
    };
  } catch (error) {
    if (error instanceof Malformed) return error.message;
    throw error;
  }
};

/** Both; undefined if there are none. */
export const mergeUserRules = (one: UserRules = {}, other: UserRules = {}): UserRules | undefined => {
  const blocked = { ...one.blocked, ...other.blocked };
  const kicked = [...(one.kicked ?? []), ...(other.kicked ?? [])];
  const has = { blocked: Object.keys(blocked).length > 0, kicked: kicked.length > 0 };
  if (!has.blocked && !has.kicked) return undefined;
  return { ...(has.blocked ? { blocked } : {}), ...(has.kicked ? { kicked } : {}) };
};

/** Identifies a kick. */
export const kickKey = ({ user, relayed, at, by, reason }: Kick): string =>
  JSON.stringify([user, relayed, at, by, reason]);

/** Kicks of `next` that `before` does not have. */
export const newKicks = (before: UserRules | undefined, next: UserRules | undefined): readonly Kick[] => {
  if (next?.kicked === undefined) return [];
  const known = new Set(before?.kicked?.map(kickKey));
  return next.kicked.filter((kick) => !known.has(kickKey(kick)));
};

/** A sentence for people: `by NAME: REASON`. */
export const describeOrder = ({ by, reason }: Order): string =>
  [by === undefined || by === "" ? undefined : `by ${by}`, reason === "" ? undefined : reason]
    .filter((part) => part !== undefined)
    .join(": ");

export type UserAction = "block" | "unblock" | "kick";

export interface UserOrder extends Kick {
  readonly action: UserAction;
}

/** `rules` with the order. @throws RangeError with a sentence for who ordered it. */
export const withOrder = (rules: UserRules, { action, user, relayed, ...order }: UserOrder): UserRules => {
  const { blocked = {}, kicked = [] } = rules;
  if (action === "kick") {
    const kick: Kick = {
      ...(user === undefined ? {} : { user }),
      ...(relayed === undefined ? {} : { relayed }),
      ...order,
    };
    return { ...rules, kicked: [...kicked, kick].slice(-MAX_KICKS) };
  }
  if (user === undefined) throw new RangeError("users are blocked, not allocations: name a user");
  if (action === "unblock") {
    const { [user]: before, ...rest } = blocked;
    if (before === undefined) throw new RangeError(`user ${user} is not blocked here`);
    return { ...rules, blocked: rest };
  }
  const next = { ...blocked, [user]: order };
  if (Object.keys(next).length > MAX_BLOCKED) throw new RangeError(`${MAX_BLOCKED} users are blocked already`);
  return { ...rules, blocked: next };
};
