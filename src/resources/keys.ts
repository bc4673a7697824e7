/** References to objects as branded strings, so that they can be map keys and cannot be confused. */
import { kindOf, type AnyObject, type KindId } from "./kinds.ts";

declare const brand: unique symbol;
/** `NAMESPACE/NAME`, or `NAME` for a cluster-scoped object. */
export type Name = string & { readonly [brand]: "Name" };
/** `KIND/NAMESPACE/NAME`, or `KIND/NAME` for a cluster-scoped object. */
export type ObjectKey = string & { readonly [brand]: "ObjectKey" };

export const nameOf = (namespace: string | undefined, name: string): Name =>
  (namespace ? `${namespace}/${name}` : name) as Name;

export const keyOf = (kind: KindId, name: Name): ObjectKey => `${kind}/${name}` as ObjectKey;

/** The name of `object`; a namespaced object without a namespace is in `default`. */
export const nameOfObject = (kind: KindId, object: AnyObject): Name =>
  kindOf(kind).namespaced
    ? nameOf(object.metadata.namespace ?? "default", object.metadata.name)
    : nameOf(undefined, object.metadata.name);

export const splitName = (name: Name): { readonly namespace: string; readonly name: string } => {
  const slash = name.indexOf("/");
  return slash < 0 ? { namespace: "", name } : { namespace: name.slice(0, slash), name: name.slice(slash + 1) };
};

export const splitKey = (key: ObjectKey): { readonly kind: KindId; readonly name: Name } => {
  const slash = key.indexOf("/");
  return { kind: key.slice(0, slash) as KindId, name: key.slice(slash + 1) as Name };
};

/** The name in `WHAT:NAME`, as objects refer to each other. */
export const targetOf = (reference: `${string}:${string}`): Name => reference.slice(reference.indexOf(":") + 1) as Name;

/** Undefined if `text` is not `NAMESPACE/NAME`. */
export const parseName = (text: string): Name | undefined => (/^[^/]+\/[^/]+$/.test(text) ? (text as Name) : undefined);
