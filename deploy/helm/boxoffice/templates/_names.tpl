{{- define "boxoffice.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: boxoffice
{{ include "boxoffice.selector" . }}
{{- end }}

{{- /* Selects the pods that serve. The pod of the migration has another component. */ -}}
{{- define "boxoffice.selector" -}}
app.kubernetes.io/name: boxoffice
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: server
{{- end }}

{{- define "boxoffice.migrateLabels" -}}
{{- include "boxoffice.labels" . | replace "component: server" "component: migrate" }}
{{- end }}

{{- define "boxoffice.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end }}

{{- /* "yes" if Postgres is used, otherwise empty. */ -}}
{{- define "boxoffice.postgres" -}}
{{- $checkpoint := (.Values.config.queue.checkpoint | default dict).store | default "none" -}}
{{- if has "postgres" (list .Values.config.catalog.store $checkpoint) -}}
yes
{{- end -}}
{{- end }}
