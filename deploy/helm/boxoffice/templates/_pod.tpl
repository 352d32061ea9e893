{{- /* What the pods that serve and the pod of the migration have in common. */ -}}
{{- define "boxoffice.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
seccompProfile: { type: RuntimeDefault }
{{- end }}

{{- define "boxoffice.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end }}

{{- define "boxoffice.placement" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{ toJson . }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{ toJson . }}
{{- end }}
{{- end }}

{{- /* A variable of the program from the Secret: a list of root, variable and key of the values. */ -}}
{{- define "boxoffice.secretVariable" -}}
{{- $secret := (index . 0).Values.secret -}}
- name: BOXOFFICE__{{ index . 1 }}
  valueFrom:
    secretKeyRef: { name: {{ $secret.name }}, key: {{ get $secret.keys (index . 2) }} }
{{- end }}
