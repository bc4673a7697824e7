/** Names, labels and owner references that everything generated for a Gateway carries. */
import type { OwnerReference } from "../resources/core.ts";
import type { Gateway } from "../resources/gateway-api.ts";
import type { Name } from "../resources/keys.ts";
import {
  APP_LABEL,
  APP_LABEL_VALUE,
  GATEWAY_API_GROUP,
  OWNED_BY_LABEL,
  OWNED_BY_VALUE,
  RELATED_GATEWAY_NAME,
  RELATED_GATEWAY_NAMESPACE,
} from "../resources/names.ts";

type Labels = Readonly<Record<string, string>>;

/** Labels and annotations that the Gateway wants on all that is made for it. Ours take precedence. */
export const infrastructureOf = ({ spec }: Gateway): { readonly labels: Labels; readonly annotations: Labels } => ({
  labels: spec.infrastructure?.labels ?? {},
  annotations: spec.infrastructure?.annotations ?? {},
});

const relatedLabels = (gateway: Gateway): Labels => ({
  [RELATED_GATEWAY_NAME]: gateway.metadata.name,
  [RELATED_GATEWAY_NAMESPACE]: gateway.metadata.namespace ?? "default",
});

export const ownedLabels = (gateway: Gateway): Labels => ({
  [OWNED_BY_LABEL]: OWNED_BY_VALUE,
  ...relatedLabels(gateway),
});

/** Labels of the pods of a Gateway's dataplane, which its Service selects. */
export const podLabels = (gateway: Gateway): Labels => ({ [APP_LABEL]: APP_LABEL_VALUE, ...relatedLabels(gateway) });

export const relatedAnnotation = (name: Name): Labels => ({ [RELATED_GATEWAY_NAME]: name });

/** The garbage collector removes the objects of a deleted Gateway. */
export const ownerReference = (gateway: Gateway): OwnerReference => ({
  apiVersion: `${GATEWAY_API_GROUP}/v1`,
  kind: "Gateway",
  name: gateway.metadata.name,
  uid: gateway.metadata.uid ?? "",
});
