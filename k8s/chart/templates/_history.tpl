{{/* What gateways need for kept analyses. The reasons are in k8s/components/postgres and object-store. */}}

{{/* The settings of gateways alone. */}}
{{- define "chestxray.objectStore" -}}
{{- if not .Values.history.anonymous -}}
CHESTXRAY_ANONYMOUS: "False"
{{ end }}
{{- with .Values.history.objectStore -}}
CHESTXRAY_OBJECT_STORE: {{ .bucket | quote }}
AWS_REGION: {{ .region | quote }}
{{- if .endpoint }}
AWS_ENDPOINT_URL: {{ .endpoint | quote }}
{{- end }}
{{- end }}
{{- end }}

{{/* The init container that migrates the database. */}}
{{- define "chestxray.migration" -}}
{{- $patch := .Files.Get "files/components/postgres/gateway.yaml" | fromYaml }}
{{- $migration := first $patch.spec.template.spec.initContainers }}
{{- $_ := set $migration "image" (include "chestxray.image" (list . .Values.image)) }}
{{- $_ := set (first $migration.env).valueFrom.secretKeyRef "name" .Values.history.database.existingSecret }}
{{- list $migration | toYaml }}
{{- end }}

{{/* The gateway's variables from Secrets, those of the components with the names in the values. */}}
{{- define "chestxray.historySecrets" -}}
{{- $history := .Values.history }}
{{- $store := $history.objectStore.existingSecret }}
{{- $names := dict "chestxray-database" $history.database.existingSecret "chestxray-history" $history.existingSecret "chestxray-object-store" $store }}
{{- $files := list "files/components/postgres/gateway.yaml" }}
{{- if $store }}
{{- $files = prepend $files "files/components/object-store/credentials.yaml" }}
{{- end }}
{{- $variables := list }}
{{- range $files }}
{{- $patch := $.Files.Get . | fromYaml }}
{{- $variables = concat $variables (first $patch.spec.template.spec.containers).env }}
{{- end }}
{{- range $variables }}
{{- $reference := .valueFrom.secretKeyRef }}
{{- $_ := set $reference "name" (get $names $reference.name) }}
{{- end }}
{{- toYaml $variables }}
{{- end }}
