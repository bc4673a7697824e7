/** Gateway API kinds (`gateway.networking.k8s.io`), as far as Turnpike reads them. */
import type { KubernetesObject } from "./core.ts";

export interface LabelSelector {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly {
    readonly key: string;
    readonly operator: string;
    readonly values?: readonly string[];
  }[];
}

export interface GatewayClass extends KubernetesObject {
  readonly spec: {
    readonly controllerName: string;
    readonly parametersRef?: {
      readonly group: string;
      readonly kind: string;
      readonly name: string;
      readonly namespace?: string;
    };
  };
  readonly status?: unknown;
}

export interface SecretReference {
  readonly group?: string;
  readonly kind?: string;
  readonly name: string;
  readonly namespace?: string;
}

export interface GatewayListener {
  readonly name: string;
  readonly port: number;
  readonly protocol: string;
  readonly hostname?: string;
  readonly tls?: { readonly mode?: string; readonly certificateRefs?: readonly SecretReference[] };
  readonly allowedRoutes?: {
    readonly namespaces?: { readonly from?: string; readonly selector?: LabelSelector };
    readonly kinds?: readonly { readonly group?: string; readonly kind: string }[];
  };
}

export interface Gateway extends KubernetesObject {
  readonly spec: {
    readonly gatewayClassName: string;
    readonly listeners: readonly GatewayListener[];
    readonly addresses?: readonly { readonly type?: string; readonly value?: string }[];
    readonly infrastructure?: {
      readonly labels?: Readonly<Record<string, string>>;
      readonly annotations?: Readonly<Record<string, string>>;
    };
  };
  readonly status?: unknown;
}

export interface ParentReference {
  readonly group?: string;
  readonly kind?: string;
  readonly namespace?: string;
  readonly name: string;
  readonly sectionName?: string;
  readonly port?: number;
}

export interface BackendReference {
  readonly group?: string;
  readonly kind?: string;
  readonly name: string;
  readonly namespace?: string;
  readonly port?: number;
  /** Only in `stunner.l7mp.io` routes. */
  readonly endPort?: number;
}

export interface RouteSpec {
  readonly parentRefs?: readonly ParentReference[];
  readonly rules: readonly { readonly backendRefs?: readonly BackendReference[] }[];
}

export interface GatewayApiUDPRoute extends KubernetesObject {
  readonly spec: RouteSpec;
  readonly status?: unknown;
}

/** Lets objects of other namespaces refer to objects of its namespace. */
export interface ReferenceGrant extends KubernetesObject {
  readonly spec: {
    /** Allowed sources: any of these. */
    readonly from: readonly { readonly group: string; readonly kind: string; readonly namespace: string }[];
    /** Allowed targets: any of these. Without a name, every object of the kind. */
    readonly to: readonly { readonly group: string; readonly kind: string; readonly name?: string }[];
  };
}
