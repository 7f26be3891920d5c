{{/* The parts of spec.template that were given; empty when none was. */}}
{{- define "gryt-server.template" -}}
{{- $given := dict -}}
{{- with .Values.template.annotations }}{{ $_ := set $given "annotations" . }}{{ end -}}
{{- with .Values.template.nodeSelector }}{{ $_ := set $given "nodeSelector" . }}{{ end -}}
{{- with .Values.template.tolerations }}{{ $_ := set $given "tolerations" . }}{{ end -}}
{{- with .Values.template.topologySpreadConstraints }}{{ $_ := set $given "topologySpreadConstraints" . }}{{ end -}}
{{- with .Values.template.imagePullSecrets }}{{ $_ := set $given "imagePullSecrets" . }}{{ end -}}
{{- with .Values.template.resources }}{{ $_ := set $given "resources" . }}{{ end -}}
{{- if $given }}{{ toYaml $given }}{{ end -}}
{{- end -}}
