/** STUNner's kinds (`stunner.l7mp.io`), as far as Turnpike reads them. */
import type { KubernetesObject } from "./core.ts";
import type { RouteSpec, SecretReference } from "./gateway-api.ts";

export interface GatewayConfig extends KubernetesObject {
  readonly spec?: {
    readonly dataplane?: string;
    readonly realm?: string;
    readonly authType?: string;
    readonly userName?: string;
    /** A digest after the vault. */
    readonly password?: string;
    /** A digest after the vault. */
    readonly sharedSecret?: string;
    readonly authRef?: SecretReference;
    readonly loadBalancerServiceAnnotations?: Readonly<Record<string, string>>;
    readonly logLevel?: string;
    readonly userQuota?: number;
    readonly stunMode?: boolean;
  };
}

export interface UDPRoute extends KubernetesObject {
  readonly spec: RouteSpec;
  readonly status?: unknown;
}

export interface StaticService extends KubernetesObject {
  readonly spec: { readonly prefixes: readonly string[] };
}

export interface Dataplane extends KubernetesObject {
  readonly spec?: {
    readonly image?: string;
    readonly imagePullPolicy?: string;
    readonly imagePullSecrets?: readonly unknown[];
    readonly dataplaneResource?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly command?: readonly string[];
    readonly args?: readonly string[];
    readonly envFrom?: readonly unknown[];
    readonly env?: readonly unknown[];
    readonly containerSecurityContext?: unknown;
    readonly replicas?: number;
    readonly resources?: unknown;
    readonly terminationGracePeriodSeconds?: number;
    readonly hostNetwork?: boolean;
    readonly affinity?: unknown;
    readonly securityContext?: unknown;
    readonly tolerations?: readonly unknown[];
    readonly topologySpreadConstraints?: readonly unknown[];
    readonly disableHealthCheck?: boolean;
    readonly enableMetricsEndpoint?: boolean;
    readonly offloadEngine?: string;
    readonly offloadInterfaces?: readonly string[];
  };
}
