{{/* Namespace and labels of an object, for below `metadata`. */}}
{{- define "chestxray.metadata" -}}
namespace: {{ .Release.Namespace }}
labels:
  {{- include "chestxray.labels" . | nindent 2 }}
{{- end }}

{{- define "chestxray.labels" -}}
app.kubernetes.io/part-of: chestxray
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{/* An object, read from a file, with its namespace and labels: (list $ object). */}}
{{- define "chestxray.object" -}}
{{- $root := first . }}
{{- $object := last . }}
{{- $_ := set $object "metadata" (merge (include "chestxray.metadata" $root | fromYaml) $object.metadata) }}
{{- toYaml $object }}
{{- end }}

{{/* A file of the kustomize tree as it is: (list $ path). */}}
{{- define "chestxray.file" -}}
{{- $root := first . }}
{{- include "chestxray.object" (list $root ($root.Files.Get (last .) | fromYaml)) }}
{{- end }}

{{/* A network policy: (list $ path). OpenShift's DNS is added where pods may ask DNS, and the places of kept analyses
and of quotas, and the provider of the sign-in where gateways have them. */}}
{{- define "chestxray.policy" -}}
{{- $root := first . }}
{{- $policy := $root.Files.Get (last .) | fromYaml }}
{{- if and $root.Values.openshift (has $policy.metadata.name (list "dns" "loadtest")) }}
{{- $added := $root.Files.Get "files/components/openshift/dns.yaml" | fromYamlArray | first }}
{{- $_ := set $policy.spec "egress" (append $policy.spec.egress $added.value) }}
{{- end }}
{{- if eq $policy.metadata.name "gateway" }}
{{- $ports := list }}
{{- with $root.Values.history }}
{{- $ports = ternary (list .database.port .objectStore.port) $ports .enabled }}
{{- end }}
{{- with $root.Values.quotas }}
{{- $ports = ternary (append $ports .port) $ports .enabled }}
{{- end }}
{{- range $ports }}
{{- $rule := dict "ports" (list (dict "port" (int .))) }}
{{- $_ := set $policy.spec "egress" (append $policy.spec.egress $rule) }}
{{- end }}
{{- end }}
{{- if and $root.Values.webhooks.enabled (eq $policy.metadata.name "gateway") }}
{{- $added := $root.Files.Get "files/components/webhooks/egress.yaml" | fromYamlArray | first }}
{{- $_ := set $policy.spec "egress" (append $policy.spec.egress $added.value) }}
{{- end }}
{{- if and $root.Values.signIn.enabled (eq $policy.metadata.name "gateway") }}
{{- $rule := dict "ports" (list (dict "port" (int $root.Values.signIn.port))) }}
{{- $_ := set $policy.spec "egress" (append $policy.spec.egress $rule) }}
{{- end }}
{{- include "chestxray.object" (list $root $policy) }}
{{- end }}

{{/* The reference of an image: (list $ image). */}}
{{- define "chestxray.image" -}}
{{- $root := first . }}
{{- with last . }}
{{- if .digest }}
{{- .repository }}@{{ .digest }}
{{- else }}
{{- .repository }}:{{ .tag | default $root.Chart.AppVersion }}
{{- end }}
{{- end }}
{{- end }}

{{/* Every setting: the defaults, what a gateway behind a proxy and the DICOM node need, and the values. */}}
{{- define "chestxray.settings" -}}
{{- $lines := .Files.Get "files/base/settings.env" | splitList "\n" }}
{{- if or .Values.gatewayApi.enabled .Values.ingress.enabled }}
{{- $proxied := .Files.Get "files/components/behind-proxy/kustomization.yaml" | fromYaml }}
{{- $lines = concat $lines (first $proxied.configMapGenerator).literals }}
{{- end }}
{{- if .Values.dicom.enabled }}
{{- $node := .Files.Get "files/components/dicom/kustomization.yaml" | fromYaml }}
{{- $lines = concat $lines (first $node.configMapGenerator).literals }}
{{- end }}
{{- if .Values.webhooks.enabled }}
{{- $sending := .Files.Get "files/components/webhooks/kustomization.yaml" | fromYaml }}
{{- $lines = concat $lines (first $sending.configMapGenerator).literals }}
{{- end }}
{{- $settings := dict }}
{{- range $lines }}
{{- if hasPrefix "CHESTXRAY_" . }}
{{- $parts := splitn "=" 2 . }}
{{- $_ := set $settings $parts._0 $parts._1 }}
{{- end }}
{{- end }}
{{- range $name, $value := .Values.settings }}
{{- if not (hasKey $settings $name) }}
{{- fail (printf "settings: %s is no setting; files/base/settings.env has all" $name) }}
{{- end }}
{{- with get (dict "CHESTXRAY_OBJECT_STORE" "history.objectStore.bucket" "CHESTXRAY_ANONYMOUS" "history.anonymous" "CHESTXRAY_OIDC_ISSUER" "signIn.issuer" "CHESTXRAY_OIDC_CLIENT_ID" "signIn.clientId") $name }}
{{- fail (printf "settings: pods that keep no analyses refuse %s; set %s instead" $name .) }}
{{- end }}
{{- $_ := set $settings $name $value }}
{{- end }}
{{- toYaml $settings }}
{{- end }}
