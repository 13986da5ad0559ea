{{/* What gateways need for quotas, the audit file and a portal. The reasons are in k8s/components/redis, audit and
portal. */}}

{{/* The gateway's container in a component's patch: (list $ component). */}}
{{- define "chestxray.patched" -}}
{{- $patch := (first .).Files.Get (printf "files/components/%s/gateway.yaml" (last .)) | fromYaml }}
{{- first $patch.spec.template.spec.containers | toYaml }}
{{- end }}

{{/* The volume of a portal's folder. */}}
{{- define "chestxray.portalVolume" -}}
{{- $patch := .Files.Get "files/components/portal/gateway.yaml" | fromYaml }}
{{- range (first $patch.spec.template.spec.volumes).projected.sources }}
{{- $_ := set .configMap "name" $.Values.portal.existingConfigMap }}
{{- end }}
{{- $patch.spec.template.spec.volumes | toYaml }}
{{- end }}

{{/* The gateway's variables for all of these. */}}
{{- define "chestxray.callerVariables" -}}
{{- if .Values.portal.enabled }}
{{- (include "chestxray.patched" (list . "portal") | fromYaml).env | toYaml }}
{{ end }}
{{- if .Values.audit.enabled }}
{{- (include "chestxray.patched" (list . "audit") | fromYaml).env | toYaml }}
{{ end }}
{{- if .Values.quotas.enabled }}
{{- $variables := (include "chestxray.patched" (list . "redis") | fromYaml).env }}
{{- $_ := set (first $variables).valueFrom.secretKeyRef "name" .Values.quotas.existingSecret }}
{{- toYaml $variables }}
{{- end }}
{{- end }}
