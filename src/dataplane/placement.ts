/** Where a listener's sockets are bound, and where the relayed transport addresses of its clients are. */
import { networkInterfaces } from "node:os";
import type { ListenerConfig } from "../resources/dataplane-config.ts";
import { familyOf } from "../net/address.ts";
import { parseIp, type Family } from "../net/ip.ts";

/** A relayed transport address without its port. */
export interface RelayAddress {
  /** IP literal that is bound. */
  readonly bind: string;
  /** IP literal that is advertised to clients. */
  readonly advertised: string;
}

export interface Placement {
  /** IP literals. */
  readonly bind: readonly string[];
  /** Allocations of a family that is missing are rejected with 440. */
  readonly relay: { readonly [family in Family]?: RelayAddress };
}

const WILDCARDS: { readonly [family in Family]: string } = { 4: "0.0.0.0", 6: "::" };

const relayOn = (addresses: readonly string[]): Placement["relay"] => {
  const first = (family: Family) => addresses.find((address) => familyOf(address) === family);
  const entries = ([4, 6] as const).flatMap((family) => {
    const address = first(family);
    return address === undefined ? [] : [[family, { bind: address, advertised: address }] as const];
  });
  return Object.fromEntries(entries);
};

/**
 * How listeners are placed: as their configs say, or all of them on the same addresses. It is plain data, because workers
 * receive it.
 */
export type PlaceRule =
  | { readonly by: "config" }
  | { readonly by: "addresses"; readonly bind: readonly string[]; readonly relay?: readonly string[] };

/** Every listener on the same `addresses`, whatever its config says. */
export const placeOn = (addresses: readonly string[]): PlaceRule => ({ by: "addresses", bind: addresses });

/** @param advertise IP literals that clients receive instead of those that are bound. */
export const placeListener = (
  rule: PlaceRule,
  listener: Pick<ListenerConfig, "address" | "more_addresses">,
  advertise: readonly string[] = [],
): Placement => {
  const { bind, relay } =
    rule.by === "config" ? placeByAddress(listener) : { bind: rule.bind, relay: relayOn(rule.relay ?? rule.bind) };
  const told = advertise.flatMap((advertised) => {
    const own = relay[familyOf(advertised)];
    return own === undefined ? [] : [[familyOf(advertised), { ...own, advertised }] as const];
  });
  return { bind, relay: { ...relay, ...Object.fromEntries(told) } };
};

interface Local {
  readonly interface: string;
  readonly address: string;
  readonly internal: boolean;
}

const isLinkLocal = (address: string): boolean => /^(169\.254\.|fe[89ab])/i.test(address);

/** This machine's addresses, without link-local ones. */
export const localAddresses = (interfaces = networkInterfaces()): readonly Local[] =>
  Object.entries(interfaces).flatMap(([name, addresses = []]) =>
    addresses.flatMap(({ address, internal }) => {
      const text = parseIp(address)?.text;
      return text === undefined || isLinkLocal(text) ? [] : [{ interface: name, address: text, internal }];
    }),
  );

/**
 * By the listener's own address, which for a managed dataplane is that of its pod. A pod with addresses of both families
 * serves both. A wildcard means all addresses; an address that is not this machine's (that of a node behind NAT, say) is
 * advertised to clients, and all addresses are bound. Its other addresses are advertised for the families that it serves.
 */
export const placeByAddress = (
  { address, more_addresses: others = [] }: Pick<ListenerConfig, "address" | "more_addresses">,
  locals: readonly Local[] = localAddresses(),
): Placement => {
  const wanted = others
    .flatMap((text) => parseIp(text)?.text ?? [])
    .filter((one) => familyOf(one) !== familyOf(address));
  const { bind, relay } = placeByOne(address, wanted, locals);
  const further = wanted.flatMap((advertised) => {
    const family = familyOf(advertised);
    const own = relay[family];
    if (own === undefined) return [];
    if (locals.some((local) => local.address === advertised))
      return [[family, { bind: advertised, advertised }] as const];
    // What comes for it is translated to an address of this machine.
    return [[family, { bind: bind.includes(own.bind) ? own.bind : WILDCARDS[family], advertised }] as const];
  });
  return { bind, relay: { ...relay, ...Object.fromEntries(further) } };
};

/** @param wanted addresses of the other family that are preferred to others of the interface. */
const placeByOne = (address: string, wanted: readonly string[], locals: readonly Local[]): Placement => {
  const own = parseIp(address)?.text;
  const bears = locals.find((local) => local.address === own);
  if (own !== undefined && bears !== undefined) {
    const preferred = locals.find((local) => wanted.includes(local.address));
    const other =
      preferred ??
      locals.find(
        (local) => local.interface === bears.interface && familyOf(local.address) !== familyOf(own) && !local.internal,
      );
    const bind = [own, ...(other === undefined ? [] : [other.address])];
    return { bind, relay: relayOn(bind) };
  }
  const families = ([4, 6] as const).filter((family) => locals.some((local) => familyOf(local.address) === family));
  const bind = families.map((family) => WILDCARDS[family]);
  const outer = [...locals].toSorted((a, b) => Number(a.internal) - Number(b.internal));
  const relay = relayOn(outer.map((local) => local.address));
  if (own === undefined || own === WILDCARDS[4] || own === WILDCARDS[6]) return { bind, relay };
  const family = familyOf(own);
  return { bind, relay: { ...relay, [family]: { bind: WILDCARDS[family], advertised: own } } };
};
