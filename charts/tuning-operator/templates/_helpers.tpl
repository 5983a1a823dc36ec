{{- define "tuning-operator.name" -}}
{{ default .Chart.Name .Values.nameOverride | trunc 50 | trimSuffix "-" }}
{{- end }}

{{/* Ends at 50 characters, for suffixes follow and a Service's name has 63. */}}
{{- define "tuning-operator.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{ .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else if contains $name .Release.Name -}}
{{ .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else -}}
{{ printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" }}
{{- end -}}
{{- end }}

{{/*
The name of a cluster-scoped object, from a list of the root context and a suffix: the release's name and its namespace,
so that neither two releases of one namespace nor one name in two namespaces collide.
*/}}
{{- define "tuning-operator.clusterName" -}}
{{- $root := index . 0 -}}
{{ include "tuning-operator.fullname" $root }}{{ index . 1 }}.{{ $root.Release.Namespace }}
{{- end }}

{{- define "tuning-operator.selectorLabels" -}}
app.kubernetes.io/name: {{ include "tuning-operator.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "tuning-operator.labels" -}}
{{ include "tuning-operator.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: tuning-operator
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "tuning-operator.serviceAccountName" -}}
{{ default (include "tuning-operator.fullname" .) .Values.serviceAccount.name }}
{{- end }}

{{- define "tuning-operator.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ default $.Chart.AppVersion .tag }}
{{- end -}}
{{- end -}}
{{- end }}

{{/* Non-empty when the history is an SQLite file on a claim. */}}
{{- define "tuning-operator.claimName" -}}
{{- if and .Values.persistence.enabled (not .Values.database.existingSecret) -}}
{{ default (printf "%s-history" (include "tuning-operator.fullname" .)) .Values.persistence.existingClaim }}
{{- end -}}
{{- end }}

{{- define "tuning-operator.reportScheme" -}}
{{ ternary "https" "http" (ne .Values.reports.tls.secretName "") }}
{{- end }}

{{- define "tuning-operator.environment" -}}
- name: TUNING_OPERATOR_STORAGE_URL
{{- if .Values.database.existingSecret }}
  valueFrom:
    secretKeyRef: {{ dict "name" .Values.database.existingSecret "key" .Values.database.key | toJson }}
{{- else }}
  value: sqlite:////data/tuning.db
{{- end }}
- name: TUNING_OPERATOR_NAMESPACES
  value: {{ join "," .Values.watchNamespaces | quote }}
- name: TUNING_OPERATOR_LEASE_NAME
  value: {{ include "tuning-operator.fullname" . }}
- name: TUNING_OPERATOR_LEASE_NAMESPACE
  valueFrom:
    fieldRef: {fieldPath: metadata.namespace}
- name: TUNING_OPERATOR_IDENTITY
  valueFrom:
    fieldRef: {fieldPath: metadata.name}
{{- if .Values.database.existingSecret }}
- name: TUNING_OPERATOR_POD_IP
  valueFrom:
    fieldRef: {fieldPath: status.podIP}
{{- end }}
- name: TUNING_OPERATOR_REPORT_PORT
  value: "8080"
- name: TUNING_OPERATOR_REPORT_URL
  value: {{ include "tuning-operator.reportScheme" . }}://{{ include "tuning-operator.fullname" . }}.{{ .Release.Namespace }}.svc:8080
- name: TUNING_OPERATOR_REPORT_AUTHENTICATION
  value: {{ .Values.reports.authentication }}
{{- if .Values.reports.tls.secretName }}
- name: TUNING_OPERATOR_REPORT_CERTIFICATE_FOLDER
  value: /etc/tuning/report-certificate
{{- end }}
- name: TUNING_OPERATOR_PROBE_PORT
  value: "8081"
{{- range $name, $value := .Values.settings }}
{{- if not (kindIs "invalid" $value) }}
- name: TUNING_OPERATOR_{{ $name | snakecase | upper }}
  value: {{ $value | quote }}
{{- end }}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}
