{{- define "sedna.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 48 | trimSuffix "-" -}}
{{- end -}}

{{- define "sedna.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 48 | trimSuffix "-" -}}
{{- else if contains (include "sedna.name" .) .Release.Name -}}
{{- .Release.Name | trunc 48 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "sedna.name" .) | trunc 48 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Of objects without a namespace: two releases must not share them. */}}
{{- define "sedna.clusterName" -}}
{{- printf "%s:%s" .Release.Namespace (include "sedna.fullname" .) -}}
{{- end -}}

{{- define "sedna.selectorLabels" -}}
app.kubernetes.io/name: {{ include "sedna.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: service
{{- end -}}

{{- define "sedna.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/name: {{ include "sedna.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: sedna
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "sedna.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ default $.Chart.AppVersion .tag }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "sedna.pullSecrets" -}}
{{- range .Values.image.pullSecrets }}
- name: {{ . }}
{{- end }}
{{- end -}}

{{- define "sedna.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "sedna.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* Empty = the default account of the job's namespace. */}}
{{- define "sedna.workerServiceAccount" -}}
{{- if .Values.workers.serviceAccount.name -}}
{{- .Values.workers.serviceAccount.name -}}
{{- else if and .Values.workers.serviceAccount.create .Values.watchNamespaces -}}
{{- include "sedna.fullname" . }}-worker
{{- end -}}
{{- end -}}

{{- define "sedna.replicas" -}}
{{- if .Values.storage.embedded -}}1{{- else if kindIs "invalid" .Values.replicas -}}2{{- else -}}{{ int .Values.replicas }}{{- end -}}
{{- end -}}

{{- define "sedna.adminSecret" -}}
{{- default (printf "%s-admin" (include "sedna.fullname" .)) .Values.auth.adminTokenSecret -}}
{{- end -}}

{{- define "sedna.url" -}}
http://{{ include "sedna.fullname" . }}.{{ .Release.Namespace }}.svc:{{ .Values.service.port }}
{{- end -}}

{{- define "sedna.fromSecret" -}}
valueFrom: {secretKeyRef: {name: {{ .name }}, key: {{ .key }}}}
{{- end -}}
