{{/* What gateways and classifiers have in common. The reason of each number is in k8s/base/deployment.yaml. */}}

{{/* How a Deployment is rolled out, and which pods are its own: its name. */}}
{{- define "chestxray.rollout" -}}
# Readiness is probed every two seconds; after ten, everyone knows the new pod before an old one stops.
minReadySeconds: 10
selector:
  matchLabels:
    app.kubernetes.io/name: {{ . }}
{{- end }}

{{- define "chestxray.podMetadata" -}}
labels:
  app.kubernetes.io/name: {{ .name }}
  app.kubernetes.io/part-of: chestxray
annotations:
  # A change of the settings rolls the pods.
  checksum/settings: {{ include "chestxray.settings" .root | sha256sum }}
{{- end }}

{{- define "chestxray.pod" -}}
serviceAccountName: {{ .name }}
automountServiceAccountToken: false
enableServiceLinks: false
# Drain delay (up to 10 s), drain timeout (60 s), process shutdown (10 s), and a margin.
terminationGracePeriodSeconds: 90
{{- if .root.Values.priority.enabled }}
priorityClassName: chestxray-serving
{{- end }}
{{- with include "chestxray.nodeAffinity" .root }}
affinity:
  {{- . | nindent 2 }}
{{- end }}
topologySpreadConstraints:
  {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        app.kubernetes.io/name: {{ $.name }}
    matchLabelKeys:
      - pod-template-hash
  {{- end }}
securityContext:
  {{- include "chestxray.podSecurity" .root | nindent 2 }}
volumes:
  {{- if and (eq .name "gateway") .root.Values.portal.enabled }}
  {{- include "chestxray.portalVolume" .root | nindent 2 }}
  {{- end }}
  {{- if and (eq .name "gateway") .root.Values.audit.enabled }}
  {{- $patch := .root.Files.Get "files/components/audit/gateway.yaml" | fromYaml }}
  {{- toYaml $patch.spec.template.spec.volumes | nindent 2 }}
  {{- end }}
  # Sockets and metrics files; in memory, to avoid disk latency.
  - name: tmp
    emptyDir:
      medium: Memory
      sizeLimit: 64Mi
  - name: bentoml
    emptyDir:
      sizeLimit: 64Mi
{{- end }}

{{- define "chestxray.podSecurity" -}}
runAsNonRoot: true
{{- if not .Values.openshift }}
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
{{- end }}
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "chestxray.nodeAffinity" -}}
{{- with .Values.architectures -}}
nodeAffinity:
  requiredDuringSchedulingIgnoredDuringExecution:
    nodeSelectorTerms:
      - matchExpressions:
          - key: kubernetes.io/arch
            operator: In
            values:
              {{- toYaml . | nindent 14 }}
{{- end }}
{{- end }}

{{/* All of a container but its image, variables and resources. */}}
{{- define "chestxray.container" -}}
command:
  - chestxray
args:
  - {{ .verb }}
  - --host
  - "::"
  - --port
  - {{ .port | quote }}
envFrom:
  - configMapRef:
      name: settings
  {{- if .objectStore }}
  - configMapRef:
      name: object-store
  {{- end }}
  {{- if .signIn }}
  - configMapRef:
      name: sign-in
  {{- end }}
ports:
  - name: http
    containerPort: {{ .port }}
# 180 s, for imports and weights on a slow machine; 3 to 8 s is typical.
startupProbe:
  httpGet:
    path: /livez
    port: http
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: 90
readinessProbe:
  httpGet:
    path: /readyz
    port: http
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: 2
# A minute: before that, the supervisor in the container restarts a process that hangs.
livenessProbe:
  httpGet:
    path: /livez
    port: http
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
lifecycle:
  preStop:
    exec:
      command:
        - chestxray
        - drain
        - --port
        - {{ .port | quote }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop:
      - ALL
volumeMounts:
  {{- if .portal }}
  {{- (include "chestxray.patched" (list .root "portal") | fromYaml).volumeMounts | toYaml | nindent 2 }}
  {{- end }}
  {{- if .audit }}
  {{- (include "chestxray.patched" (list .root "audit") | fromYaml).volumeMounts | toYaml | nindent 2 }}
  {{- end }}
  - name: tmp
    mountPath: /tmp
  - name: bentoml
    mountPath: /var/lib/bentoml
{{- end }}

{{/* The limit itself: a sandbox such as gVisor or Kata may hide its quota from the container. */}}
{{- define "chestxray.threads" -}}
- name: CHESTXRAY_MODEL_THREADS
  valueFrom:
    resourceFieldRef:
      resource: limits.cpu
      divisor: "1"
{{- end }}

{{- define "chestxray.podToken" -}}
- name: CHESTXRAY_POD_TOKEN
  valueFrom:
    secretKeyRef:
      name: {{ .Values.podToken.existingSecret }}
      key: token
{{- end }}
