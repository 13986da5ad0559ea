{{/* What gateways need for quotas and the audit file. The reasons are in k8s/components/redis and audit. */}}

{{/* The gateway's container in a component's patch: (list $ component). */}}
{{- define "chestxray.patched" -}}
{{- $patch := (first .).Files.Get (printf "files/components/%s/gateway.yaml" (last .)) | fromYaml }}
{{- first $patch.spec.template.spec.containers | toYaml }}
{{- end }}

{{/* The gateway's variables for both. */}}
{{- define "chestxray.callerVariables" -}}
{{- if .Values.audit.enabled }}
{{- (include "chestxray.patched" (list . "audit") | fromYaml).env | toYaml }}
{{ end }}
{{- if .Values.quotas.enabled }}
{{- $variables := (include "chestxray.patched" (list . "redis") | fromYaml).env }}
{{- $_ := set (first $variables).valueFrom.secretKeyRef "name" .Values.quotas.existingSecret }}
{{- toYaml $variables }}
{{- end }}
{{- end }}
