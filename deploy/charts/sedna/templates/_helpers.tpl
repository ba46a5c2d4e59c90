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
app.kubernetes.io/name: {{ include "sedna.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/component: service
{{- end -}}

{{- define "sedna.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/name: {{ include "sedna.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: sedna
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The labels of the chart and some of one object, which win over commonLabels; each name once. root, labels */}}
{{- define "sedna.labelsWith" -}}
{{- toYaml (merge (deepCopy (default dict .labels)) (include "sedna.labels" .root | fromYaml)) -}}
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
- name: {{ . | quote }}
{{- end }}
{{- end -}}

{{- define "sedna.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "sedna.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* The account of a hook: one of its own, unless accounts are somebody else's business. Empty = there is none that may do its work.
     root, name, needsRights */}}
{{- define "sedna.hookAccount" -}}
{{- with .root.Values -}}
{{- if .hooks.serviceAccountName -}}
{{- .hooks.serviceAccountName -}}
{{- else if and (not .rbac.create) $.needsRights -}}
{{- if not .serviceAccount.create }}{{ include "sedna.serviceAccount" $.root }}{{ end -}}
{{- else if .serviceAccount.create -}}
{{- $.name -}}
{{- else -}}
{{- include "sedna.serviceAccount" $.root -}}
{{- end -}}
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
valueFrom: {secretKeyRef: {name: {{ .name | quote }}, key: {{ .key | quote }}}}
{{- end -}}
