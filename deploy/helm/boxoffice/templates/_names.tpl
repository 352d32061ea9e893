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
{{- $checkpoint := .Values.config.queue.checkpoint | default dict -}}
{{- if or (eq .Values.config.catalog.store "postgres") (eq ($checkpoint.store | default "none") "postgres") -}}
yes
{{- end -}}
{{- end }}
