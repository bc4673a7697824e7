{{/* Of a list of a map, a key and a value: puts the value there, a map into the map that is there, as Helm does. */}}
{{- define "turnpike.put" -}}
{{- $map := index . 0 }}{{ $key := index . 1 }}{{ $value := index . 2 }}
{{- if and (kindIs "map" $value) (kindIs "map" (get $map $key)) }}
  {{- $_ := mergeOverwrite (get $map $key) (deepCopy $value) }}
{{- else }}
  {{- $_ := set $map $key $value }}
{{- end }}
{{- end }}

{{/*
Values of STUNner's chart take the place of ours, where they mean the same; every template that reads values begins with
this. What is left is listed in `.Values.stunnerLeft`, for NOTES.
*/}}
{{- define "turnpike.prepare" -}}
{{- if not (hasKey .Values "stunnerLeft") }}
{{- $values := .Values }}
{{- $left := list }}
{{- $operator := default dict $values.stunnerGatewayOperator }}
{{- range $key, $value := default dict $operator.deployment }}
  {{- if has $key (list "replicas" "podLabels" "tolerations" "nodeSelector" "imagePullSecrets") }}
    {{- include "turnpike.put" (list $values $key $value) }}
  {{- else if eq $key "container" }}
    {{- range $inner, $what := default dict (dig "manager" dict $value) }}
      {{- if eq $inner "resources" }}
        {{- include "turnpike.put" (list $values $inner $what) }}
      {{- else }}
        {{- $left = append $left (printf "stunnerGatewayOperator.deployment.container.manager.%s" $inner) }}
      {{- end }}
    {{- end }}
  {{- else }}
    {{- $left = append $left (printf "stunnerGatewayOperator.deployment.%s" $key) }}
  {{- end }}
{{- end }}
{{- range $key, $value := default dict $operator.dataplane }}
  {{- if eq $key "mode" }}
    {{- $_ := set $values "dataplaneMode" $value }}
  {{- else if eq $key "spec" }}
    {{- range $field, $what := $value }}
      {{- if eq $field "image" }}
        {{- $left = append $left "stunnerGatewayOperator.dataplane.spec.image" }}
      {{- else }}
        {{- include "turnpike.put" (list $values.dataplane.spec $field $what) }}
      {{- end }}
    {{- end }}
  {{- else }}
    {{- $left = append $left (printf "stunnerGatewayOperator.dataplane.%s" $key) }}
  {{- end }}
{{- end }}
{{- range $key := without (keys $operator | sortAlpha) "deployment" "dataplane" "enabled" }}
  {{- $left = append $left (printf "stunnerGatewayOperator.%s" $key) }}
{{- end }}
{{- if eq (toString (dig "enabled" true $operator)) "false" }}
  {{- fail "stunnerGatewayOperator.enabled: false installs nothing; leave the release out" }}
{{- end }}
{{- $auth := default dict $values.stunnerAuthService }}
{{- if hasKey $auth "enabled" }}
  {{- $_ := set $values.authService "enabled" $auth.enabled }}
{{- end }}
{{- range $key, $value := default dict $auth.deployment }}
  {{- if eq $key "replicas" }}
    {{- $_ := set $values.authService "replicas" $value }}
  {{- else }}
    {{- $left = append $left (printf "stunnerAuthService.deployment.%s" $key) }}
  {{- end }}
{{- end }}
{{- range $key := without (keys $auth | sortAlpha) "deployment" "enabled" }}
  {{- $left = append $left (printf "stunnerAuthService.%s" $key) }}
{{- end }}
{{- if and $auth.enabled (not $values.authService.service.name) }}
  {{- $_ := set $values.authService.service "name" "stunner-auth" }}
{{- end }}
{{- $_ := set $values "stunnerLeft" $left }}
{{- end }}
{{- end }}
