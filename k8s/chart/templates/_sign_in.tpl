{{/* What gateways need where people sign in. The reasons are in k8s/components/sign-in. */}}

{{/* The settings of gateways alone. */}}
{{- define "chestxray.signIn" -}}
{{- with .Values.signIn -}}
CHESTXRAY_OIDC_ISSUER: {{ .issuer | quote }}
CHESTXRAY_OIDC_CLIENT_ID: {{ .clientId | quote }}
CHESTXRAY_PUBLIC_URL: {{ .publicUrl | quote }}
{{- if .rolesClaim }}
CHESTXRAY_OIDC_ROLES_CLAIM: {{ .rolesClaim | quote }}
CHESTXRAY_OIDC_ROLES: {{ .roles | toJson | quote }}
{{- end }}
{{- if .withoutRole }}
CHESTXRAY_OIDC_WITHOUT_ROLE: "True"
{{- end }}
{{- with .scopes }}
CHESTXRAY_OIDC_SCOPES: {{ . | quote }}
{{- end }}
{{- end }}
{{- end }}

{{/* The gateway's variable from the Secret. */}}
{{- define "chestxray.signInSecret" -}}
{{- $patch := .Files.Get "files/components/sign-in/credentials.yaml" | fromYaml }}
{{- $variables := (first $patch.spec.template.spec.containers).env }}
{{- $_ := set (first $variables).valueFrom.secretKeyRef "name" .Values.signIn.existingSecret }}
{{- toYaml $variables }}
{{- end }}
