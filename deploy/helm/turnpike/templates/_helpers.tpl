{{- define "turnpike.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* Room for the longest suffix, -discovery, in a name of 63 characters. */}}
{{- define "turnpike.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 53 | trimSuffix "-" }}
{{- else }}
{{- $name := include "turnpike.name" . }}
{{- if contains $name .Release.Name }}
{{- .Release.Name | trunc 53 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 53 | trimSuffix "-" }}
{{- end }}
{{- end }}
{{- end }}

{{- define "turnpike.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride }}
{{- end }}

{{/* Of what is the cluster's: no namespace and no name has a colon, so no two releases have the same. */}}
{{- define "turnpike.clusterName" -}}
{{- printf "%s:%s" (include "turnpike.namespace" .) (include "turnpike.fullname" .) }}
{{- end }}

{{- define "turnpike.selectorLabels" -}}
app.kubernetes.io/name: {{ include "turnpike.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "turnpike.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "turnpike.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: turnpike
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "turnpike.metadata" -}}
name: {{ include "turnpike.fullname" . }}
namespace: {{ include "turnpike.namespace" . }}
labels:
  {{- include "turnpike.labels" . | nindent 2 }}
{{- end }}

{{- define "turnpike.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "turnpike.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "turnpike.image" -}}
{{- with .Values.image }}
{{- if .digest }}{{ printf "%s@%s" .repository .digest }}{{ else }}{{ printf "%s:%s" .repository (default $.Chart.AppVersion .tag) }}{{ end }}
{{- end }}
{{- end }}

{{/* Arguments of the operator, and of the Job that removes what it has made. */}}
{{- define "turnpike.args" -}}
- operator
- --controller-name={{ .Values.controllerName }}
- --dataplane-mode={{ .Values.dataplaneMode }}
- --endpoint-discovery={{ .Values.endpointDiscovery }}
- --cluster-domain={{ .Values.clusterDomain }}
{{- if eq .Values.endpointSource "Endpoints" }}
- --disable-endpointslice-controller
{{- end }}
{{- if .Values.embedded }}
- --embedded
- --embedded-selector=app.kubernetes.io/name={{ include "turnpike.name" . }},app.kubernetes.io/instance={{ .Release.Name }},app.kubernetes.io/component=operator
{{- end }}
{{- with .Values.watchNamespaces }}
- --watch-namespaces={{ join "," . }}
{{- end }}
{{- if .Values.requireReferenceGrants }}
- --require-reference-grants
{{- end }}
{{- if .Values.podDeletionCost }}
- --pod-deletion-cost
{{- end }}
- --leader-elect
- --leader-election-id={{ include "turnpike.fullname" . }}
- --config-discovery-address=:13478
- --journal=/var/lib/turnpike
- --zap-log-level={{ .Values.logLevel }}
{{- with .Values.extraArgs }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "turnpike.env" -}}
- name: POD_NAMESPACE
  valueFrom:
    fieldRef: { fieldPath: metadata.namespace }
- name: STUNNER_GATEWAY_OPERATOR_ADDRESS
{{- if .Values.discovery.address }}
  value: {{ .Values.discovery.address | quote }}
{{- else if or .Values.dataplane.spec.hostNetwork .Values.embedded }}
  valueFrom:
    fieldRef: { fieldPath: status.podIP }
{{- else }}
  value: {{ include "turnpike.fullname" . }}-discovery.{{ include "turnpike.namespace" . }}.svc
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Out at once, in slowly: a pod that ends serves its calls as long as they last. */}}
{{- define "turnpike.scalingBehavior" -}}
scaleUp:
  stabilizationWindowSeconds: 0
scaleDown:
  stabilizationWindowSeconds: {{ .scaleIn.stabilizationWindowSeconds }}
  policies:
    - { type: Pods, value: {{ .scaleIn.pods }}, periodSeconds: {{ .scaleIn.periodSeconds }} }
{{- end }}

{{/* What all pods of the chart have in common. */}}
{{- define "turnpike.podPlacement" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.podSecurityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* And what the operator's and the Job's have. */}}
{{- define "turnpike.podSettings" -}}
serviceAccountName: {{ include "turnpike.serviceAccountName" . }}
automountServiceAccountToken: true
{{- with include "turnpike.podPlacement" . }}
{{ trim . }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end }}

{{- define "turnpike.container" -}}
image: {{ include "turnpike.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
command: [turnpike]
{{- with .Values.securityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
volumeMounts:
  - name: journal
    mountPath: /var/lib/turnpike
  {{- with .Values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
