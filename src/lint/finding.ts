/**
 * The findings of `turnpike lint`: every code once, with its meaning and what to do. The documentation is generated from
 * it.
 */
export const findings = {
  manifest: {
    severity: "error",
    what: "a document cannot be read, or does not match its schema",
    todo: "correct the field that the message names",
  },
  "no-class-of-ours": {
    severity: "error",
    what: "there are GatewayClasses, but none belongs to this controller: nothing is served",
    todo: "set controllerName: stunner.l7mp.io/gateway-operator in one, or set the operator's name with --controller-name",
  },
  "class-missing": {
    severity: "error",
    what: "a Gateway refers to a GatewayClass that does not exist",
    todo: "create it, or use another",
  },
  "class-of-another": {
    severity: "note",
    what: "a Gateway uses a GatewayClass of another controller, and is ignored",
    todo: "nothing, unless it is meant for this controller",
  },
  "class-parameters": {
    severity: "error",
    what: "a GatewayClass of this controller refers to no GatewayConfig: its Gateways are ignored silently",
    todo: "set parametersRef to group stunner.l7mp.io, kind GatewayConfig, a name and a namespace",
  },
  "gateway-invalid": {
    severity: "error",
    what: "a Gateway cannot be served: its GatewayConfig, Dataplane or Secret is missing or incomplete",
    todo: "add the field or object that the message names",
  },
  "config-unused": {
    severity: "warning",
    what: "no GatewayClass of this controller refers to this GatewayConfig",
    todo: "refer to it in a GatewayClass, or remove it",
  },
  "listener-protocol": {
    severity: "error",
    what: "the listener's protocol is not a TURN protocol",
    todo: "use TURN-UDP, TURN-TCP, TURN-TLS or TURN-DTLS",
  },
  "listener-conflict": {
    severity: "error",
    what: "two listeners of a Gateway use the same port and transport: the second is not served",
    todo: "give it another port",
  },
  "listener-certificate": {
    severity: "error",
    what: "a TLS or DTLS listener has no usable certificate",
    todo: "add a Secret with tls.crt and tls.key to tls.certificateRefs",
  },
  "listener-route-kinds": {
    severity: "error",
    what: "a listener's allowedRoutes.kinds has an unsupported kind of route; without a supported one it is not served",
    todo: "use UDPRoute of gateway.networking.k8s.io or of stunner.l7mp.io, or remove kinds",
  },
  "certificate-expires": {
    severity: "warning",
    what: "the certificate of a TLS or DTLS listener expires within 14 days",
    todo: "renew it, or find out why cert-manager does not",
  },
  "object-name": {
    severity: "error",
    what: "Kubernetes does not accept the Gateway's name for a Service or workload: it is not created",
    todo: "give the Gateway a name of at most 63 letters a-z, digits and hyphens that begins with a letter",
  },
  "listener-name": {
    severity: "error",
    what: "Kubernetes does not accept a listener's name as a port name of the Gateway's Service: the listener is not served",
    todo: "give the listener a unique name of at most 63 letters a-z, digits and hyphens",
  },
  "target-port": {
    severity: "error",
    what: "the annotation stunner.l7mp.io/targetport has an invalid port for a listener: the listener is not served",
    todo: "use a port from 1 to 65535, or remove the entry",
  },
  "target-port-conflict": {
    severity: "error",
    what: "two listeners of a Gateway bind the same port of the same transport in the dataplane: the second is not served",
    todo: "give one of them another port in the annotation stunner.l7mp.io/targetport",
  },
  "listener-not-exposed": {
    severity: "warning",
    what: "the Gateway's Service does not include a listener: the first listener determines whether the Service is for UDP or TCP",
    todo: 'annotate the Gateway with stunner.l7mp.io/enable-mixed-protocol-lb: "true" if the load balancer supports both, or create two Gateways',
  },
  "name-taken": {
    severity: "error",
    what: "a Service or workload with the Gateway's name has another owner: it is not changed, and none is created for the Gateway",
    todo: "give the Gateway another name",
  },
  "listener-without-routes": {
    severity: "warning",
    what: "no route is attached to a listener: its clients cannot reach any peer",
    todo: "create a UDPRoute with a parentRef to the Gateway",
  },
  "address-ignored": {
    severity: "warning",
    what: "an address in spec.addresses of a Gateway is neither an IP address nor a host name, and is ignored",
    todo: "correct the address, or remove it",
  },
  "annotation-unknown": {
    severity: "warning",
    what: "an annotation of stunner.l7mp.io/ or turnpike.dev/ is unknown and has no effect",
    todo: "check the spelling",
  },
  "annotation-value": {
    severity: "warning",
    what: "an annotation has an invalid value and no effect",
    todo: "use one of the values in the message",
  },
  "http-backend": {
    severity: "error",
    what: "the Service behind a listener, in the annotation turnpike.dev/http-backends, cannot be used: the listener serves only TURN",
    todo: "create the Service in the Gateway's namespace, with a cluster IP and this TCP port",
  },
  "annotation-listener": {
    severity: "warning",
    what: "an annotation names a listener that the Gateway does not have",
    todo: "correct the name",
  },
  "node-port-range": {
    severity: "warning",
    what: "a NodePort is outside of the default range of Kubernetes, which then rejects the whole Service",
    todo: "choose one from 30000 to 32767, or set --service-node-port-range",
  },
  "node-port-conflict": {
    severity: "error",
    what: "two listeners request the same NodePort: Kubernetes rejects the second Service",
    todo: "choose another",
  },
  "node-port-ignored": {
    severity: "warning",
    what: "NodePorts are set for a type of Service that has none",
    todo: "use service-type NodePort or LoadBalancer, or leave the annotation out",
  },
  "traffic-policy-ignored": {
    severity: "warning",
    what: "external-traffic-policy applies only to NodePort and LoadBalancer Services",
    todo: "change service-type, or leave the annotation out",
  },
  "traffic-policy-local": {
    severity: "warning",
    what: "with external-traffic-policy: local, nodes without a dataplane pod drop the traffic that they receive",
    todo: "run the dataplane as a DaemonSet (dataplaneResource of the Dataplane), or make the load balancer check node health",
  },
  "dataplane-memory": {
    severity: "warning",
    what: "the memory limit of the dataplane's pods is less than Turnpike needs, and Kubernetes would end them; without `resources` in the Dataplane it is 20 MB, as in STUNner",
    todo: "set resources.limits.memory of the Dataplane to 256Mi or more",
  },
  "relay-address-unreachable": {
    severity: "warning",
    what: "relayed addresses are the node's (enable-relay-address-discovery), but the dataplane does not use the node's network: no packet of a peer reaches them",
    todo: "set hostNetwork: true in the Dataplane, or leave the annotation out",
  },
  "route-without-parent": {
    severity: "error",
    what: "a route has no parentRefs",
    todo: "add one that refers to a Gateway",
  },
  "route-parent-missing": {
    severity: "error",
    what: "a route's parent does not exist",
    todo: "correct its name or namespace",
  },
  "route-not-accepted": {
    severity: "error",
    what: "no listener of a route's Gateway accepts it",
    todo: "correct sectionName, or allow the route's namespace in allowedRoutes",
  },
  "route-masked": {
    severity: "warning",
    what: "a Gateway API UDPRoute is ignored because a UDPRoute of stunner.l7mp.io has the same name",
    todo: "remove one of them",
  },
  "route-rules": {
    severity: "warning",
    what: "only the first rule of a route is used",
    todo: "put all backends into the first rule",
  },
  "route-without-backends": {
    severity: "warning",
    what: "a route has no backends: clients cannot reach any peer through it",
    todo: "add backendRefs",
  },
  "backend-kind": {
    severity: "error",
    what: "a backend is neither a Service nor a StaticService",
    todo: "correct its group and kind",
  },
  "backend-missing": {
    severity: "error",
    what: "a backend does not exist",
    todo: "create it, or correct its name or namespace",
  },
  "backend-unusable": {
    severity: "error",
    what: "a backend exists but cannot be reached: its type of Service has no endpoints, or its ports match nothing",
    todo: "use a Service with endpoints or a StaticService; set port and endPort in ascending order",
  },
  "backend-without-endpoints": {
    severity: "warning",
    what: "a Service has neither a selector nor an EndpointSlice with addresses: it has no endpoints",
    todo: "add a selector, or create an EndpointSlice with its addresses",
  },
  "backend-not-permitted": {
    severity: "error",
    what: "no ReferenceGrant allows a route to refer to a Service of another namespace",
    todo: "create one in the namespace of the Service",
  },
  "backend-port": {
    severity: "warning",
    what: "a route's port must be a port of the pods, not of the Service; no pod of this Service listens on it",
    todo: "use the Service's targetPort, or omit port to allow all ports",
  },
  "backend-malformed": {
    severity: "error",
    what: "a StaticService has an entry that is neither an address nor a prefix",
    todo: "correct it",
  },
  "backend-special": {
    severity: "warning",
    what: "a backend admits an address that is denied by default: loopback, link-local, cloud metadata or multicast",
    todo: "remove it, unless clients need to reach it",
  },
  "backend-everything": {
    severity: "warning",
    what: "a backend admits every address: clients can relay to anywhere, including the cluster",
    todo: "list the prefixes that clients need",
  },
} as const satisfies Record<string, { readonly severity: Severity; readonly what: string; readonly todo: string }>;

export type Severity = "error" | "warning" | "note";
export type FindingCode = keyof typeof findings;

export interface Finding {
  readonly code: FindingCode;
  readonly severity: Severity;
  /** `KIND/NAMESPACE/NAME`; for listeners followed by `/LISTENER`. */
  readonly object: string;
  readonly says: string;
  readonly todo: string;
}

export const finding = (code: FindingCode, object: string, says: string): Finding => ({
  code,
  severity: findings[code].severity,
  object,
  says,
  todo: findings[code].todo,
});
