{{/* What the service asks of the API server; a test compares it with the requests of the code. */}}
{{- define "sedna.rules" -}}
- apiGroups: [sedna.io]
  resources: [incrementallearningjobs]
  verbs: [get, list, watch, patch]
- apiGroups: [sedna.io]
  resources: [datasets, models]
  verbs: [get, list, watch]
- apiGroups: [sedna.io]
  resources: [incrementallearningjobs/status, datasets/status, models/status]
  verbs: [patch]
# blockOwnerDeletion of what a job owns needs it where OwnerReferencesPermissionEnforcement is on (OpenShift).
- apiGroups: [sedna.io]
  resources: [incrementallearningjobs/finalizers]
  verbs: [update]
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch, create, delete]
- apiGroups: [""]
  resources: [pods/log]
  verbs: [get]
- apiGroups: [""]
  resources: [events]
  verbs: [create, patch]
# One by its name, which a Model or Dataset gives (credentialName).
- apiGroups: [""]
  resources: [secrets]
  verbs: [get]
# Edges of a job, and where the Pods of a distributed training meet.
- apiGroups: [""]
  resources: [services]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [apps]
  resources: [deployments, daemonsets]
  verbs: [get, list, watch, create, patch, delete]
{{- end -}}

{{/* What remains to be done when the service is gone. */}}
{{- define "sedna.cleanupRules" -}}
- apiGroups: [sedna.io]
  resources: [incrementallearningjobs]
  verbs: [get, list, patch]
- apiGroups: [""]
  resources: [pods]
  verbs: [list, delete]
{{- end -}}

{{/* A Role for some namespaces or a ClusterRole for all, bound to an account of this release.
     root, name, account, rules (a template), annotations (YAML or "") */}}
{{- define "sedna.grant" -}}
{{- $root := .root }}
{{- $given := . }}
{{- $namespaces := $root.Values.watchNamespaces }}
{{- $all := not $namespaces }}
{{- range $namespace := ($all | ternary (list "") $namespaces) }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $all | ternary "ClusterRole" "Role" }}
metadata:
  name: {{ $all | ternary (printf "%s:%s" $root.Release.Namespace $given.name) $given.name | quote }}
  {{- if not $all }}
  namespace: {{ $namespace | quote }}
  {{- end }}
  labels:
    {{- include "sedna.labels" $root | nindent 4 }}
  {{- with $given.annotations }}
  annotations:
    {{- . | nindent 4 }}
  {{- end }}
rules:
  {{- include $given.rules $root | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $all | ternary "ClusterRoleBinding" "RoleBinding" }}
metadata:
  name: {{ $all | ternary (printf "%s:%s" $root.Release.Namespace $given.name) $given.name | quote }}
  {{- if not $all }}
  namespace: {{ $namespace | quote }}
  {{- end }}
  labels:
    {{- include "sedna.labels" $root | nindent 4 }}
  {{- with $given.annotations }}
  annotations:
    {{- . | nindent 4 }}
  {{- end }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ $all | ternary "ClusterRole" "Role" }}
  name: {{ $all | ternary (printf "%s:%s" $root.Release.Namespace $given.name) $given.name | quote }}
subjects:
  - {kind: ServiceAccount, name: {{ $given.account | quote }}, namespace: {{ $root.Release.Namespace | quote }}}
{{- end }}
{{- end -}}
