{{- /*
The configuration as TOML, a key a line: a dict of values and prefix. JSON writes every kind of
value that occurs as TOML does. toToml would write whole numbers as 10.0. A null leaves the default,
as Helm does for its own.
*/ -}}
{{- define "boxoffice.toml" -}}
{{- range $key, $value := .values }}
{{- if kindIs "map" $value }}
{{- include "boxoffice.toml" (dict "values" $value "prefix" (printf "%s%s." $.prefix $key)) }}
{{- else if not (kindIs "invalid" $value) }}
{{ $.prefix }}{{ $key }} = {{ toRawJson $value }}
{{- end }}
{{- end }}
{{- end }}

{{- /* What the chart decides. The schema refuses these keys in the values. */ -}}
{{- define "boxoffice.config" -}}
{{- $http := dict
  "bind" "0.0.0.0:8081"
  "drain_delay" (printf "%ds" (int .Values.drain.delay))
  "shutdown_timeout" (printf "%ds" (int .Values.drain.shutdown)) -}}
{{- $own := dict "http" $http "ops" (dict "bind" "0.0.0.0:9081") -}}
{{- $all := mergeOverwrite (deepCopy .Values.config) $own -}}
{{- include "boxoffice.toml" (dict "values" $all "prefix" "") | trim -}}
{{- end }}
