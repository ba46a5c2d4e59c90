{{/* Settings of the service (globalmanager.service.settings). Each name once: two of a name are an error of server-side apply. */}}
{{- define "sedna.ownEnv" -}}
- name: HOME
  value: /tmp
- name: MPLCONFIGDIR
  value: /tmp/matplotlib
- name: SEDNA__LOG_FORMAT
  value: {{ .Values.log.format }}
- name: SEDNA__ADMIN_TOKEN
  {{- include "sedna.fromSecret" (dict "name" (include "sedna.adminSecret" .) "key" .Values.auth.adminTokenKey) | nindent 2 }}
{{- include "sedna.storageEnv" . }}
{{- include "sedna.clusterEnv" . }}
{{- end -}}

{{- define "sedna.storageEnv" -}}
{{- if not .Values.storage.embedded }}
- name: SEDNA__ENGINE__STANDBY
  value: "true"
{{- with .Values.database }}
{{- if .urlSecret.name }}
- name: SEDNA__DB_URL
  {{- include "sedna.fromSecret" .urlSecret | nindent 2 }}
{{- else }}
- name: SEDNA__DB_URL
  value: {{ .url | quote }}
{{- end }}
{{- if .passwordSecret.name }}
- name: PGPASSWORD
  {{- include "sedna.fromSecret" .passwordSecret | nindent 2 }}
{{- end }}
{{- if .caSecret.name }}
- name: PGSSLROOTCERT
  value: /etc/sedna/database-ca/ca.crt
{{- end }}
{{- if not (kindIs "invalid" .poolSize) }}
- name: SEDNA__DB__POOL_SIZE
  value: {{ int .poolSize | quote }}
{{- end }}
{{- end }}
{{- if not .Values.s3.reachableByEdges }}
- name: SEDNA__API__REDIRECT_MODELS
  value: "false"
{{- end }}
{{- include "sedna.s3Env" . }}
{{- end }}
{{- end -}}

{{- define "sedna.s3Env" -}}
{{- with .Values.s3 }}
- name: SEDNA__STORE_URL
  value: {{ .url | quote }}
{{- if .endpoint }}
- name: SEDNA__S3__ENDPOINT
  value: {{ .endpoint | quote }}
{{- end }}
{{- if .region }}
- name: SEDNA__S3__REGION
  value: {{ .region | quote }}
{{- end }}
{{- if not (kindIs "invalid" .pathStyle) }}
- name: SEDNA__S3__PATH_STYLE
  value: {{ .pathStyle | quote }}
{{- end }}
{{- with .credentialsSecret }}
{{- if .name }}
- name: SEDNA__S3__ACCESS_KEY
  {{- include "sedna.fromSecret" (dict "name" .name "key" .accessKey) | nindent 2 }}
- name: SEDNA__S3__SECRET_KEY
  {{- include "sedna.fromSecret" (dict "name" .name "key" .secretKey) | nindent 2 }}
{{- end }}
{{- end }}
{{- if .caSecret.name }}
- name: SEDNA__S3__CA_BUNDLE
  value: /etc/sedna/s3-ca/ca.crt
{{- end }}
{{- end }}
{{- end -}}

{{- define "sedna.clusterEnv" }}
- name: SEDNA__KUBERNETES__NAMESPACE
  valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
- name: SEDNA__KUBERNETES__RELEASE
  value: {{ .Release.Name | quote }}
{{- with .Values.watchNamespaces }}
- name: SEDNA__KUBERNETES__WATCH_NAMESPACES
  value: {{ toJson . | quote }}
{{- end }}
- name: SEDNA__KUBERNETES__OPERATOR
  value: {{ .Values.operator.enabled | quote }}
- name: SEDNA__KUBERNETES__RUNTIME
  value: {{ .Values.workers.runtime }}
- name: SEDNA__KUBERNETES__SERVICE_URL
  value: {{ include "sedna.url" . | quote }}
- name: SEDNA__KUBERNETES__IMAGE
  value: {{ include "sedna.image" . | quote }}
- name: SEDNA__KUBERNETES__IMAGE_PULL_POLICY
  value: {{ .Values.image.pullPolicy }}
{{- with .Values.image.pullSecrets }}
- name: SEDNA__KUBERNETES__IMAGE_PULL_SECRETS
  value: {{ toJson . | quote }}
{{- end }}
{{- with include "sedna.workerServiceAccount" . }}
- name: SEDNA__KUBERNETES__WORKER_SERVICE_ACCOUNT
  value: {{ . | quote }}
{{- end }}
- name: SEDNA__KUBERNETES__AUDIENCE
  value: {{ .Values.workers.audience | quote }}
{{- with .Values.workers.podTemplate }}
- name: SEDNA__KUBERNETES__WORKER_TEMPLATE
  value: {{ toJson . | quote }}
{{- end }}
{{- if .Values.workers.nativeSidecars }}
- name: SEDNA__KUBERNETES__NATIVE_SIDECARS
  value: "true"
{{- end }}
{{- end -}}
