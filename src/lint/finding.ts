/** What `turnpike lint` finds: every code once, with what it means and what to do. The documentation is drawn from here. */
export const findings = {
  manifest: {
    severity: "error",
    what: "a document cannot be read, or does not match its schema",
    todo: "correct the field that is named",
  },
  "no-class-of-ours": {
    severity: "error",
    what: "there are GatewayClasses, and none of them is of this controller: nothing will be served",
    todo: "give one the controllerName stunner.l7mp.io/gateway-operator, or name the operator's with --controller-name",
  },
  "class-missing": {
    severity: "error",
    what: "a Gateway names a GatewayClass that is not there",
    todo: "create it, or name another",
  },
  "class-of-another": {
    severity: "note",
    what: "a Gateway is of another controller's class, and is left to it",
    todo: "nothing, unless it was meant for this one",
  },
  "class-parameters": {
    severity: "error",
    what: "a GatewayClass of ours names no GatewayConfig: its Gateways are ignored without a word",
    todo: "give parametersRef the group stunner.l7mp.io, kind GatewayConfig, a name and a namespace",
  },
  "gateway-invalid": {
    severity: "error",
    what: "nothing of a Gateway can be served: its GatewayConfig, Dataplane or Secret is missing or lacks a field",
    todo: "add what the message names",
  },
  "config-unused": {
    severity: "warning",
    what: "no GatewayClass of ours names this GatewayConfig",
    todo: "name it in a GatewayClass, or remove it",
  },
  "listener-protocol": {
    severity: "error",
    what: "a listener's protocol is none of TURN's",
    todo: "use TURN-UDP, TURN-TCP, TURN-TLS or TURN-DTLS",
  },
  "listener-conflict": {
    severity: "error",
    what: "two listeners of a Gateway want the same port of the same transport: the second is not served",
    todo: "give it another port",
  },
  "listener-certificate": {
    severity: "error",
    what: "a TLS or DTLS listener has no usable certificate",
    todo: "name a Secret with tls.crt and tls.key in tls.certificateRefs",
  },
  "listener-route-kinds": {
    severity: "error",
    what: "a listener's allowedRoutes.kinds names a kind of route that is not supported; without another it is not served",
    todo: "name UDPRoute of gateway.networking.k8s.io or of stunner.l7mp.io, or remove kinds",
  },
  "certificate-expires": {
    severity: "warning",
    what: "the certificate of a TLS or DTLS listener expires within 14 days",
    todo: "renew it, or see why cert-manager does not",
  },
  "object-name": {
    severity: "error",
    what: "Kubernetes does not take the Gateway's name for a Service or workload, which is not made",
    todo: "give the Gateway a name of at most 63 letters a-z, digits and hyphens that begins with a letter",
  },
  "listener-name": {
    severity: "error",
    what: "Kubernetes does not take a listener's name for a port of the Gateway's Service: the listener is not served",
    todo: "give the listener a name of its own of at most 63 letters a-z, digits and hyphens",
  },
  "target-port": {
    severity: "error",
    what: "the annotation stunner.l7mp.io/targetport gives a listener something that is not a port: the listener is not served",
    todo: "give it a port from 1 to 65535, or remove its entry",
  },
  "target-port-conflict": {
    severity: "error",
    what: "two listeners of a Gateway bind the same port of the same transport in the dataplane: the second is not served",
    todo: "give one of them another port in the annotation stunner.l7mp.io/targetport",
  },
  "listener-not-exposed": {
    severity: "warning",
    what: "a listener is not in the Gateway's Service: the first listener decides whether it is for UDP or for TCP",
    todo: 'annotate the Gateway with stunner.l7mp.io/enable-mixed-protocol-lb: "true" where the load balancer can do both, or make two Gateways',
  },
  "name-taken": {
    severity: "error",
    what: "a Service or workload of the Gateway's name is somebody else's: it is left alone, and nothing is made for the Gateway",
    todo: "give the Gateway another name",
  },
  "listener-without-routes": {
    severity: "warning",
    what: "no route is attached to a listener: its clients reach nobody",
    todo: "create a UDPRoute with a parentRef that names the Gateway",
  },
  "address-ignored": {
    severity: "warning",
    what: "an address in spec.addresses of a Gateway is neither an IP address nor a host name, and is ignored",
    todo: "correct the address, or remove it",
  },
  "annotation-unknown": {
    severity: "warning",
    what: "an annotation of stunner.l7mp.io/ is not known, and does nothing",
    todo: "look for a typing error",
  },
  "annotation-value": {
    severity: "warning",
    what: "an annotation's value is none of those that count, and does nothing",
    todo: "use one that the message names",
  },
  "annotation-listener": {
    severity: "warning",
    what: "an annotation names a listener that the Gateway has not",
    todo: "correct the name",
  },
  "node-port-range": {
    severity: "warning",
    what: "a NodePort is outside of the range that Kubernetes allows unless told otherwise: it refuses the whole Service",
    todo: "choose one from 30000 to 32767, or set --service-node-port-range",
  },
  "node-port-conflict": {
    severity: "error",
    what: "two listeners ask for the same NodePort: Kubernetes refuses the second Service",
    todo: "choose another",
  },
  "node-port-ignored": {
    severity: "warning",
    what: "NodePorts are asked for of a Service that has none",
    todo: "use service-type NodePort or LoadBalancer, or leave the annotation out",
  },
  "traffic-policy-ignored": {
    severity: "warning",
    what: "external-traffic-policy counts for NodePort and LoadBalancer Services alone",
    todo: "change service-type, or leave the annotation out",
  },
  "traffic-policy-local": {
    severity: "warning",
    what: "with external-traffic-policy: local, nodes without a dataplane pod drop what comes to them",
    todo: "run the dataplane as a DaemonSet (dataplaneResource of the Dataplane), or have the load balancer check node health",
  },
  "route-without-parent": {
    severity: "error",
    what: "a route has no parentRefs",
    todo: "add one that names a Gateway",
  },
  "route-parent-missing": {
    severity: "error",
    what: "a route's parent is not there",
    todo: "correct its name or namespace",
  },
  "route-not-accepted": {
    severity: "error",
    what: "no listener of a route's Gateway accepts it",
    todo: "correct sectionName, or let the route's namespace in by allowedRoutes",
  },
  "route-masked": {
    severity: "warning",
    what: "a Gateway API UDPRoute is ignored for the one of stunner.l7mp.io with the same name",
    todo: "remove one of them",
  },
  "route-rules": {
    severity: "warning",
    what: "only the first rule of a route counts",
    todo: "put all backends into the first one",
  },
  "route-without-backends": {
    severity: "warning",
    what: "a route has no backends: it lets nobody through",
    todo: "add backendRefs",
  },
  "backend-kind": {
    severity: "error",
    what: "a backend is neither a Service nor a StaticService",
    todo: "correct its group and kind",
  },
  "backend-missing": {
    severity: "error",
    what: "a backend is not there",
    todo: "create it, or correct its name or namespace",
  },
  "backend-unusable": {
    severity: "error",
    what: "a backend exists but cannot be reached: its Service has no endpoints by its type, or its ports match nothing",
    todo: "name a Service with endpoints or a StaticService; give port and endPort in ascending order",
  },
  "backend-without-endpoints": {
    severity: "warning",
    what: "a Service has neither a selector nor an EndpointSlice with addresses: nothing gives it endpoints",
    todo: "add a selector, or create an EndpointSlice with its addresses",
  },
  "backend-not-permitted": {
    severity: "error",
    what: "no ReferenceGrant lets a route refer to a Service of another namespace",
    todo: "create one in the namespace of the Service",
  },
  "backend-port": {
    severity: "warning",
    what: "a route's port is the pods' own, not the Service's, and no pod of this Service listens there",
    todo: "use the Service's targetPort, or leave port out for all of them",
  },
  "backend-malformed": {
    severity: "error",
    what: "a StaticService has what is no address and no prefix",
    todo: "correct it",
  },
  "backend-special": {
    severity: "warning",
    what: "a backend opens an address that is closed unless it is named: loopback, link-local, cloud metadata, multicast",
    todo: "leave it out, unless clients are to reach it",
  },
  "backend-everything": {
    severity: "warning",
    what: "a backend opens every address: clients may relay to anywhere, and into the cluster",
    todo: "name the prefixes that they need",
  },
} as const satisfies Record<string, { readonly severity: Severity; readonly what: string; readonly todo: string }>;

export type Severity = "error" | "warning" | "note";
export type FindingCode = keyof typeof findings;

export interface Finding {
  readonly code: FindingCode;
  readonly severity: Severity;
  /** `KIND/NAMESPACE/NAME`; of listeners with `/LISTENER` behind. */
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
