{{/* What the schema cannot say well: which values go together. */}}
{{- define "sedna.check" -}}
{{- if .Values.storage.embedded -}}
{{- if or .Values.database.url .Values.database.urlSecret.name .Values.s3.url -}}
{{- fail "storage.embedded keeps everything in one volume: leave database and s3 away, or set storage.embedded=false" -}}
{{- end -}}
{{- else -}}
{{- if not (or .Values.database.url .Values.database.urlSecret.name) -}}
{{- fail "a database is needed: set database.url (postgresql://user@host/name) or database.urlSecret.name; for a trial, storage.embedded=true" -}}
{{- end -}}
{{- if and .Values.database.url .Values.database.urlSecret.name -}}
{{- fail "database.url and database.urlSecret both name the database: set one" -}}
{{- end -}}
{{- if not .Values.s3.url -}}
{{- fail "an object store is needed: set s3.url (s3://bucket/prefix); for a trial, storage.embedded=true" -}}
{{- end -}}
{{- end -}}
{{- $taken := dict -}}
{{- range (include "sedna.ownEnv" . | fromYamlArray) }}{{ $_ := set $taken .name true }}{{ end -}}
{{- range .Values.extraEnv -}}
{{- if hasKey $taken .name -}}
{{- fail (printf "extraEnv: %s is set twice, or has a value of its own in values.yaml" .name) -}}
{{- end -}}
{{- $_ := set $taken .name true -}}
{{- end -}}
{{- range .Values.dataMounts -}}
{{- if has .name (list "data" "tmp" "database-ca" "s3-ca") -}}
{{- fail (printf "dataMounts: %s is a volume of the chart; use another name" .name) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.ingress.enabled (not .Values.ingress.hosts) -}}
{{- fail "ingress.hosts is needed: the names under which the service is reached" -}}
{{- end -}}
{{- if and .Values.networkPolicy.egress.enabled (not .Values.networkPolicy.egress.apiServer.cidrs) -}}
{{- fail "networkPolicy.egress.apiServer.cidrs is needed: the operator would not reach the API server" -}}
{{- end -}}
{{- end -}}
