/**
 * What `turnpike doctor` finds in addition to the findings of lint: every code once. The documentation is generated from
 * it.
 */
import type { Finding, Severity } from "../lint/finding.ts";

export const problems = {
  "api-unreachable": {
    severity: "error",
    what: "the API server does not answer, or rejects the credentials of the kubeconfig",
    todo: "correct the kubeconfig, or choose another with --kubeconfig or --context; 'kubectl version' shows the same error",
  },
  "read-forbidden": {
    severity: "error",
    what: "the user of the kubeconfig may not list objects that the checks need",
    todo: "allow the user to list them in all namespaces, or use the kubeconfig of an administrator",
  },
  "read-limited": {
    severity: "warning",
    what: "the user of the kubeconfig may not list objects that some checks use: they know less",
    todo: "nothing, or allow the user to list them",
  },
  "gateway-api-missing": {
    severity: "error",
    what: "a CRD of Gateway API is not installed",
    todo: "kubectl apply --server-side -f https://github.com/kubernetes-sigs/gateway-api/releases/download/v1.6.0/standard-install.yaml",
  },
  "crd-missing": {
    severity: "error",
    what: "a CRD of stunner.l7mp.io is not installed",
    todo: "kubectl apply --server-side -f deploy/crds",
  },
  "crd-not-established": {
    severity: "error",
    what: "the API server does not serve a CRD, although it is installed",
    todo: "'kubectl describe crd NAME' shows why; usually its names conflict with another CRD",
  },
  "crd-version": {
    severity: "error",
    what: "a CRD serves none of the versions that Turnpike reads",
    todo: "install a newer release of the CRD (see the installation guide, Upgrades)",
  },
  "operator-missing": {
    severity: "error",
    what: "the cluster has no operator for this controller name, and no GatewayClass that one has accepted",
    todo: "helm install turnpike deploy/helm/turnpike --namespace turnpike-system --create-namespace; of another controller name: --controller-name",
  },
  "operator-outside": {
    severity: "warning",
    what: "a GatewayClass is accepted, but no Deployment of the operator is in the cluster",
    todo: "nothing, if the operator runs outside the cluster or is STUNner's; otherwise an operator was removed: install one",
  },
  "operator-not-ready": {
    severity: "error",
    what: "the Deployment of the operator has no ready pod",
    todo: "'kubectl describe pod' and 'kubectl logs' of the pod show why",
  },
  "lease-unheld": {
    severity: "warning",
    what: "no operator holds the Lease: nothing is written until one does",
    todo: "wait 15 s and run the command again; then see the log of the operator for Leases that it may not write",
  },
  "no-class": {
    severity: "error",
    what: "the cluster has no GatewayClass",
    todo: "create one with this controllerName, and with a GatewayConfig in parametersRef",
  },
  "class-invalid": {
    severity: "error",
    what: "an object that a GatewayClass needs does not exist: its Gateways are not served",
    todo: "create the object that the message names, or refer to another",
  },
  "class-not-accepted": {
    severity: "error",
    what: "the operator has not accepted a GatewayClass",
    todo: "run the command again in a few seconds; then see the log of the operator",
  },
  "no-gateway": {
    severity: "error",
    what: "the cluster has no Gateway of a GatewayClass of this controller, or not the one that --gateway names",
    todo: "create one, or correct gatewayClassName or --gateway",
  },
  "gateway-not-processed": {
    severity: "error",
    what: "the operator has not written a status for the current generation of a Gateway",
    todo: "run the command again in a few seconds; then see the log of the operator, and whether watchNamespaces has the namespace",
  },
  "gateway-not-accepted": {
    severity: "error",
    what: "the condition Accepted of a Gateway is not True",
    todo: "correct what the message names",
  },
  "gateway-not-programmed": {
    severity: "error",
    what: "the condition Programmed of a Gateway is not True",
    todo: "correct what the message names; an address comes from a load balancer, from the ExternalIP of a node, or from spec.addresses",
  },
  "address-pending": {
    severity: "error",
    what: "the Service of a Gateway is of type LoadBalancer, and has no address",
    todo: "install a load balancer controller, or set the annotation stunner.l7mp.io/service-type to NodePort (see the guides for load balancers and node ports)",
  },
  "no-route": {
    severity: "error",
    what: "no UDPRoute is attached to a Gateway: clients cannot reach any peer",
    todo: "create a UDPRoute with the Gateway in parentRefs",
  },
  "route-status": {
    severity: "error",
    what: "the operator reports a problem of a route that its objects do not show",
    todo: "correct what the message names; with --require-reference-grants the operator needs a ReferenceGrant for other namespaces",
  },
  "no-endpoint": {
    severity: "error",
    what: "the routes of a Gateway lead to no endpoint",
    todo: "start pods that the Services of the routes select, and see whether they are ready",
  },
  "dataplane-missing": {
    severity: "error",
    what: "a Gateway has no dataplane pod",
    todo: "the Deployment or DaemonSet with the Gateway's name ('kubectl describe') shows why no pod is created",
  },
  "dataplane-not-ready": {
    severity: "error",
    what: "no dataplane pod of a Gateway is ready",
    todo: "'kubectl describe pod' and 'kubectl logs' of the pod show why",
  },
  "dataplane-partly-ready": {
    severity: "warning",
    what: "a dataplane pod is not ready; others of its Gateway are",
    todo: "wait, if it is being rolled; otherwise 'kubectl describe pod' shows why",
  },
  "dataplane-config-differs": {
    severity: "error",
    what: "a dataplane pod runs with another config than the objects in the cluster lead to",
    todo: "run the command again in a few seconds; then see the logs of the pod and of the operator for config discovery (port 13478, NetworkPolicies)",
  },
  "dataplane-silent": {
    severity: "warning",
    what: "a dataplane pod does not answer, although others do",
    todo: "see its log",
  },
  "call-unanswered": {
    severity: "error",
    what: "a listener does not answer, or cannot be reached",
    todo: "run the command where clients are; then look for a firewall, and for the health checks of the load balancer; --no-call leaves the call out",
  },
  "call-certificate": {
    severity: "error",
    what: "the certificate of a listener is not valid for the address, or its authority is unknown here",
    todo: "set the hostname of the listener or --sni, and --ca-file for a private authority; --insecure accepts any",
  },
  "call-refused": {
    severity: "error",
    what: "a listener rejects an allocation or a permission",
    todo: "see the reasons reference for the error code; 'turnpike explain' shows why a peer is denied",
  },
} as const satisfies Record<string, { readonly severity: Severity; readonly what: string; readonly todo: string }>;

export type ProblemCode = keyof typeof problems;

/** A finding of lint, or one of the table. */
export type Problem = Finding | (Omit<Finding, "code"> & { readonly code: ProblemCode });

export const problem = (code: ProblemCode, object: string, says: string): Problem => ({
  code,
  severity: problems[code].severity,
  object,
  says,
  todo: problems[code].todo,
});
