{{/* What is in no namespace. */}}
{{- define "turnpike.clusterRules" -}}
- apiGroups: [gateway.networking.k8s.io]
  resources: [gatewayclasses]
  verbs: [list, watch]
- apiGroups: [gateway.networking.k8s.io]
  resources: [gatewayclasses/status]
  verbs: [patch]
- apiGroups: [stunner.l7mp.io]
  resources: [dataplanes]
  verbs: [list, watch]
- apiGroups: [""]
  resources: [nodes]
  verbs: [list, watch]
- apiGroups: [""]
  resources: [namespaces]
  {{- with .Values.watchNamespaces }}
  resourceNames:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  verbs: [list, watch]
{{- end }}

{{/* Of all namespaces, or of each that is watched. */}}
{{- define "turnpike.namespaceRules" -}}
# What is read. Gateways, routes and what they refer to may be in any namespace, and so may Secrets with certificates.
- apiGroups: [gateway.networking.k8s.io]
  resources: [gateways, udproutes, referencegrants]
  verbs: [list, watch]
- apiGroups: [stunner.l7mp.io]
  resources: [gatewayconfigs, udproutes, staticservices]
  verbs: [list, watch]
- apiGroups: [""]
  resources: [secrets]
  verbs: [list, watch]
{{- if eq .Values.endpointSource "Endpoints" }}
- apiGroups: [""]
  resources: [endpoints]
  verbs: [list, watch]
{{- else }}
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [list, watch]
{{- end }}
# What is said of them.
- apiGroups: [gateway.networking.k8s.io]
  resources: [gateways/status, udproutes/status]
  verbs: [patch]
- apiGroups: [stunner.l7mp.io]
  resources: [udproutes/status]
  verbs: [patch]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
# What is made for Gateways, in their namespaces.
- apiGroups: [""]
  resources: [services{{ if eq .Values.dataplaneMode "legacy" }}, configmaps{{ end }}]
  verbs: [list, watch, get, create, patch, delete]
{{- if ne .Values.dataplaneMode "legacy" }}
- apiGroups: [apps]
  resources: [deployments, daemonsets]
  verbs: [list, watch, get, create, patch, delete]
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [list, watch, get, create, patch, delete]
{{- end }}
{{- if .Values.podDeletionCost }}
# The dataplanes' pods and their deletion cost.
- apiGroups: [""]
  resources: [pods]
  verbs: [list, patch]
{{- end }}
{{- end }}
