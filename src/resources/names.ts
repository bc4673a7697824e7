/**
 * Labels, annotations and default names, each string once. They are STUNner's, so that its users keep their manifests; what
 * STUNner does not have begins with `turnpike.dev/`.
 */

export const DEFAULT_CONTROLLER_NAME = "stunner.l7mp.io/gateway-operator";
export const DEFAULT_REALM = "stunner.l7mp.io";
/**
 * Maximum number of `secret.NAME` or `password.NAME` in addition to `secret` or `password`: each costs a failed request an
 * HMAC.
 */
export const MAX_FURTHER_CREDENTIALS = 7;
/** Whether `name` is `secret.NAME` or `password.NAME`. */
export const isFurther = (key: "secret" | "password", name: string): boolean => name.startsWith(`${key}.`);
export const DEFAULT_LOG_LEVEL = "all:INFO";
export const DEFAULT_DATAPLANE = "default";

export const GATEWAY_API_GROUP = "gateway.networking.k8s.io";
export const STUNNER_GROUP = "stunner.l7mp.io";

export const APP_LABEL = "app";
export const APP_LABEL_VALUE = "stunner";
export const OWNED_BY_LABEL = "stunner.l7mp.io/owned-by";
export const OWNED_BY_VALUE = "stunner";
/** As a label its value is the Gateway's name; as an annotation it is `NAMESPACE/NAME`. */
export const RELATED_GATEWAY_NAME = "stunner.l7mp.io/related-gateway-name";
export const RELATED_GATEWAY_NAMESPACE = "stunner.l7mp.io/related-gateway-namespace";
export const SERVICE_NAME_LABEL = "kubernetes.io/service-name";

export const annotations = {
  serviceType: "stunner.l7mp.io/service-type",
  enableMixedProtocolLb: "stunner.l7mp.io/enable-mixed-protocol-lb",
  externalTrafficPolicy: "stunner.l7mp.io/external-traffic-policy",
  disableManagedDataplane: "stunner.l7mp.io/disable-managed-dataplane",
  nodePort: "stunner.l7mp.io/nodeport",
  targetPort: "stunner.l7mp.io/targetport",
  disableHealthCheckExpose: "stunner.l7mp.io/disable-health-check-expose",
  disableSessionAffinity: "stunner.l7mp.io/disable-session-affinity",
  relayAddressDiscovery: "stunner.l7mp.io/enable-relay-address-discovery",
  users: "turnpike.dev/users",
  ipFamilyPolicy: "turnpike.dev/ip-family-policy",
  ipFamilies: "turnpike.dev/ip-families",
  loadBalancerClass: "turnpike.dev/load-balancer-class",
  networkPolicy: "turnpike.dev/network-policy",
  httpBackends: "turnpike.dev/http-backends",
  httpBackendProxyProtocol: "turnpike.dev/http-backend-proxy-protocol",
} as const;

/** The value of `networkPolicy`. */
export const NETWORK_POLICY_ENABLED = "enabled";
/** Of a pod: which one of a ReplicaSet ends first, the lowest; 0 if absent. */
export const DELETION_COST_ANNOTATION = "controller.kubernetes.io/pod-deletion-cost";
/** With which the operator writes. */
export const FIELD_MANAGER = "turnpike";
export const LAST_APPLIED_ANNOTATION = "kubectl.kubernetes.io/last-applied-configuration";
/** A listener's `address` in a dataplane config: the dataplane replaces it by its own address. */
export const ADDRESS_PLACEHOLDER = "$STUNNER_ADDR";
/** A listener's `address` that stands for the external address of the node on which its dataplane runs. */
export const NODE_ADDRESS_PLACEHOLDER = "__node_address_placeholder";
/** How many other dataplanes a dataplane gets to know. */
export const MAX_ALTERNATES = 8;
export const DISCOVERY_PORT = 13478;
/** The default of Kubernetes clusters. */
export const DEFAULT_CLUSTER_DOMAIN = "cluster.local";
/** Of the pod that serves configs, with the value `enabled`. */
export const DISCOVERY_LABEL = "stunner.l7mp.io/config-discovery-service";
export const HEALTH_CHECK_PORT_NAME = "gateway-health-check";
/** In legacy mode the ConfigMap of a class's dataplane, and the key of its data. */
export const LEGACY_CONFIG_MAP = "stunnerd-config";
export const LEGACY_CONFIG_KEY = "stunnerd.conf";
export const DATAPLANE_CONTAINER = "stunner-daemon";
