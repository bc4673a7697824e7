/** Names that Kubernetes rejects for the objects of a Gateway, which have the Gateway's name. */
import { splitName, type Name } from "../resources/keys.ts";
import type { MadeKind } from "../resources/kinds.ts";

const MAX_LABEL = 63;
/** RFC 1035: of a Service. */
const SERVICE_NAME = /^[a-z]([-a-z0-9]*[a-z0-9])?$/;
/** RFC 1123: of a port of a Service. */
const PORT_NAME = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
/** RFC 1123: of most other objects. */
const OBJECT_NAME = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

/** Why an object of a kind cannot have the name of its Gateway, in an API server's words; undefined if it can. */
export const objectNameProblem = (kind: MadeKind, gateway: Name): string | undefined => {
  const { name } = splitName(gateway);
  const refuse = (rule: string): string => `the Gateway's ${kind} cannot be named ${gateway}: ${rule}`;
  // Of any kind: the name is also the value of a label.
  if (name.length > MAX_LABEL) return refuse(`it has ${name.length} characters, and may have ${MAX_LABEL}`);
  if (kind === "Service")
    return SERVICE_NAME.test(name)
      ? undefined
      : refuse("only a-z, 0-9 and - are allowed, from a letter at its start to a letter or digit at its end");
  return OBJECT_NAME.test(name) ? undefined : refuse("only a-z, 0-9, - and . are allowed, between letters or digits");
};

/** Why a port of a Service cannot have the name of a listener; undefined if it can. */
export const portNameProblem = (listener: string): string | undefined => {
  const refuse = (rule: string): string => `no port of the Gateway's Service can be named ${listener}: ${rule}`;
  if (listener.length > MAX_LABEL) return refuse(`it has ${listener.length} characters, and may have ${MAX_LABEL}`);
  return PORT_NAME.test(listener) ? undefined : refuse("only a-z, 0-9 and - are allowed, between letters or digits");
};
