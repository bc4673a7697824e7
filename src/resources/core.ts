/** Kubernetes' built-in kinds, as far as Turnpike reads or writes them. */

export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
}

export interface ObjectMeta {
  readonly name: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly generation?: number;
  readonly resourceVersion?: string;
  /** RFC 3339. */
  readonly creationTimestamp?: string;
  readonly deletionTimestamp?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly ownerReferences?: readonly OwnerReference[];
}

export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
}

/** A condition without its transition time: what rendering decides. */
export interface Condition {
  readonly type: string;
  readonly status: "True" | "False" | "Unknown";
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration: number;
}

export type ServiceType = "ClusterIP" | "NodePort" | "LoadBalancer" | "ExternalName";

export interface ServicePort {
  readonly name?: string;
  readonly protocol?: "UDP" | "TCP" | "SCTP";
  readonly port: number;
  readonly targetPort?: number | string;
  readonly nodePort?: number;
}

export interface LoadBalancerIngress {
  readonly ip?: string;
  readonly hostname?: string;
  readonly ports?: readonly { readonly port: number; readonly protocol: string }[];
}

export type IpFamilyPolicy = "SingleStack" | "PreferDualStack" | "RequireDualStack";
export type IpFamily = "IPv4" | "IPv6";

export interface Service extends KubernetesObject {
  readonly spec?: {
    readonly type?: ServiceType;
    readonly clusterIP?: string;
    readonly clusterIPs?: readonly string[];
    readonly selector?: Readonly<Record<string, string>>;
    readonly ports?: readonly ServicePort[];
    readonly externalTrafficPolicy?: "Local" | "Cluster";
    readonly sessionAffinity?: "ClientIP" | "None";
    readonly loadBalancerIP?: string;
    readonly loadBalancerClass?: string;
    readonly ipFamilyPolicy?: IpFamilyPolicy;
    readonly ipFamilies?: readonly IpFamily[];
    readonly externalName?: string;
  };
  readonly status?: { readonly loadBalancer?: { readonly ingress?: readonly LoadBalancerIngress[] } };
}

export interface EndpointSlice extends KubernetesObject {
  readonly addressType: string;
  readonly endpoints?: readonly {
    readonly addresses: readonly string[];
    readonly nodeName?: string | null;
    readonly conditions?: {
      readonly ready?: boolean | null;
      readonly serving?: boolean | null;
      readonly terminating?: boolean | null;
    };
  }[];
  readonly ports?: readonly { readonly name?: string; readonly port?: number; readonly protocol?: string }[];
}

export interface Endpoints extends KubernetesObject {
  readonly subsets?: readonly {
    readonly addresses?: readonly { readonly ip: string }[];
    readonly notReadyAddresses?: readonly { readonly ip: string }[];
    readonly ports?: readonly { readonly name?: string; readonly port: number; readonly protocol?: string }[];
  }[];
}

/** Why a server can never use a certificate that parses. */
export type CertificateProblem =
  | "key-unreadable"
  | "key-mismatch"
  /** Its extended key usage does not include server authentication. */
  | "not-for-servers"
  /** Its key usage allows neither signatures nor key exchange: for example, it may only sign certificates. */
  | "not-for-handshakes"
  /** A certificate of its chain cannot be read, or OpenSSL rejects it. */
  | "unusable";

export interface CertificateState {
  readonly parses: boolean;
  /** RFC 3339. Logs of the first release lack it, and all that follows except `matchesKey`. */
  readonly notBefore?: string;
  /** RFC 3339. */
  readonly notAfter?: string;
  readonly matchesKey?: boolean;
  readonly problem?: CertificateProblem;
  /** At the time of the fact. Absent if it is valid. */
  readonly validity?: "expired" | "not-yet-valid";
}

/**
 * A Secret as the core sees it: every value that could be secret is a digest (`vault:…`, see `journal/vault.ts`); `type`
 * and `username` are kept, base64-decoded like all the others.
 */
export interface Secret extends KubernetesObject {
  readonly type?: string;
  /** Decoded text or digest by key; never base64. */
  readonly data?: Readonly<Record<string, string>>;
  /** Metadata of the certificate in `tls.crt` (or `crt`, `cert`), if there is one. */
  readonly certificate?: CertificateState;
}

export interface Namespace extends KubernetesObject {}

export interface Node extends KubernetesObject {
  readonly status?: { readonly addresses?: readonly { readonly type: string; readonly address: string }[] };
}

/** Values of its data are digests after the vault. */
export interface ConfigMap extends KubernetesObject {
  readonly data?: Readonly<Record<string, string>>;
}

/** Written, and read back only as a whole. */
export interface NetworkPolicy extends KubernetesObject {
  readonly spec?: unknown;
}

/** A Deployment or DaemonSet: written, and read back only as a whole. */
export interface Workload extends KubernetesObject {
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly status?: Readonly<Record<string, unknown>>;
}
