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
{{- include "sedna.checkDatabase" . -}}
{{- include "sedna.checkNames" . -}}
{{- include "sedna.checkLabels" . -}}
{{- include "sedna.checkEnv" . -}}
{{- include "sedna.checkMounts" . -}}
{{- include "sedna.checkNetwork" . -}}
{{- end -}}

{{- define "sedna.checkDatabase" -}}
{{- with .Values.database.url -}}
{{- if or (not (regexMatch "^[a-z+]+://([^:/@?]*@)?[^@]*$" .)) (regexMatch "(?i)[?&](ssl)?password=" .) (regexMatch "[?&][^=&]*%[^=&]*=" .) -}}
{{- fail "database.url holds a password, or an @ in the wrong place: Pods and manifests would show it. Leave it away (postgresql://user@host:5432/name) and put it into a Secret that database.passwordSecret.name names, or the whole address into one for database.urlSecret.name" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "sedna.checkNames" -}}
{{- $name := include "sedna.fullname" . -}}
{{- if not (regexMatch "^[a-z]([-a-z0-9]*[a-z0-9])?$" $name) -}}
{{- fail (printf "the Service cannot have the name %q, which comes from the release %q: it begins with a letter and has a-z, 0-9 and - only. Set fullnameOverride" $name .Release.Name) -}}
{{- end -}}
{{- end -}}

{{- define "sedna.checkLabels" -}}
{{- $own := list "helm.sh/chart" "app.kubernetes.io/name" "app.kubernetes.io/instance" "app.kubernetes.io/version" "app.kubernetes.io/part-of" "app.kubernetes.io/managed-by" "app.kubernetes.io/component" -}}
{{- $given := dict "commonLabels" .Values.commonLabels "podLabels" .Values.podLabels "metrics.serviceMonitor.labels" .Values.metrics.serviceMonitor.labels "metrics.dashboard.labels" .Values.metrics.dashboard.labels -}}
{{- range $where, $labels := $given -}}
{{- range $label, $_ := $labels -}}
{{- if has $label $own -}}
{{- fail (printf "%s: %s is set by the chart, which finds its objects by it; use another label" $where $label) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The service does not mind the case of its variables. */}}
{{- define "sedna.checkEnv" -}}
{{- $taken := dict -}}
{{- range (include "sedna.ownEnv" . | fromYamlArray) }}{{ $_ := set $taken (lower .name) true }}{{ end -}}
{{- range .Values.extraEnv -}}
{{- if hasKey $taken (lower .name) -}}
{{- fail (printf "extraEnv: %s is set twice, or has a value of its own in values.yaml" .name) -}}
{{- end -}}
{{- $_ := set $taken (lower .name) true -}}
{{- if has (lower .name) (list "sedna__db_url" "pgpassword" "sedna__s3__secret_key" "sedna__s3__access_key") -}}
{{- if hasKey . "value" -}}
{{- fail (printf "extraEnv: %s belongs into a Secret: database.passwordSecret, database.urlSecret and s3.credentialsSecret name one" .name) -}}
{{- end -}}
{{- end -}}
{{- if regexMatch "^sedna__(kubernetes|s3|db|engine)$" (lower .name) -}}
{{- fail (printf "extraEnv: %s sets all of a part, over what values.yaml says of it; set single ones (%s__...)" .name .name) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "sedna.checkMounts" -}}
{{- $names := list "data" "tmp" "database-ca" "s3-ca" -}}
{{- $paths := list "/var/lib/sedna" "/tmp" "/etc/sedna/database-ca" "/etc/sedna/s3-ca" -}}
{{- range .Values.dataMounts -}}
{{- if has .name $names -}}
{{- fail (printf "dataMounts: %s is a volume of the chart, or there twice; use another name" .name) -}}
{{- end -}}
{{- if has (clean .mountPath) $paths -}}
{{- fail (printf "dataMounts: %s is mounted at %s, where another volume is; use another path" .name .mountPath) -}}
{{- end -}}
{{- $names = append $names .name -}}
{{- $paths = append $paths (clean .mountPath) -}}
{{- end -}}
{{- end -}}

{{- define "sedna.checkNetwork" -}}
{{- if and .Values.service.nodePort (eq .Values.service.type "ClusterIP") -}}
{{- fail (printf "service.nodePort is %v, and a Service of type ClusterIP has none: set service.type to NodePort or LoadBalancer, or leave it away" .Values.service.nodePort) -}}
{{- end -}}
{{- if and .Values.ingress.enabled (not .Values.ingress.hosts) -}}
{{- fail "ingress.hosts is needed: the names under which the service is reached" -}}
{{- end -}}
{{- $egress := .Values.networkPolicy.egress -}}
{{- if $egress.enabled -}}
{{- if not .Values.networkPolicy.enabled -}}
{{- fail "networkPolicy.egress.enabled has no effect without networkPolicy.enabled: set both, or none" -}}
{{- end -}}
{{- if not $egress.apiServer.cidrs -}}
{{- fail "networkPolicy.egress.apiServer.cidrs is needed: the operator would not reach the API server" -}}
{{- end -}}
{{- if not .Values.storage.embedded -}}
{{- range $what := list "database" "s3" -}}
{{- if not (get $egress $what).cidrs -}}
{{- fail (printf "networkPolicy.egress.%s.cidrs is needed: empty lets nobody through, and the service would not reach it. 0.0.0.0/0 is every address" $what) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
