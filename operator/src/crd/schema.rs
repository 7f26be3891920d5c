//! The CRDs as the API server gets them: the derived schemas, made smooth, and their YAML.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::{CustomResourceExt, ResourceExt};
use serde_yaml_ng::Value;

use super::{GrytServer, GrytServerClass, QUANTITY};

/// The CRDs can't be written as YAML.
#[derive(Debug, thiserror::Error)]
pub enum YamlError {
    /// Serializing one CRD.
    #[error("can't write the CRD \"{name}\" as YAML")]
    Serialize {
        /// The CRD's name.
        name: String,
        /// What the YAML writer said.
        #[source]
        source: serde_yaml_ng::Error,
    },
}

/// The CRD of `GrytServer`.
#[must_use]
pub fn server_crd() -> CustomResourceDefinition {
    smooth(GrytServer::crd())
}

/// The CRD of `GrytServerClass`.
#[must_use]
pub fn server_class_crd() -> CustomResourceDefinition {
    smooth(GrytServerClass::crd())
}

/// Both CRDs as one YAML stream, as `gryt-operator crd` prints it.
///
/// # Errors
/// When a CRD can't be serialized.
pub fn yaml() -> Result<String, YamlError> {
    let mut text = String::new();
    for crd in [server_class_crd(), server_crd()] {
        text.push_str("---\n");
        text.push_str(&document(&crd)?);
    }
    Ok(text)
}

/// One CRD as a YAML document.
///
/// # Errors
/// When the CRD can't be serialized.
pub(super) fn document(crd: &CustomResourceDefinition) -> Result<String, YamlError> {
    let error = |source| YamlError::Serialize {
        name: crd.name_any(),
        source,
    };
    let mut value = serde_yaml_ng::to_value(crd).map_err(error)?;
    write_whole_numbers(&mut value);
    serde_yaml_ng::to_string(&value).map_err(error)
}

/// Bounds are floats in the CRD's own schema: `1024.0` for what everybody else writes `1024`.
fn write_whole_numbers(value: &mut Value) {
    match value {
        Value::Number(number) if number.is_f64() => {
            if let Some(whole) = number
                .as_f64()
                .and_then(|bound| format!("{bound}").parse().ok())
            {
                let whole: i64 = whole;
                *value = Value::Number(whole.into());
            }
        }
        Value::Sequence(items) => items.iter_mut().for_each(write_whole_numbers),
        Value::Mapping(fields) => fields.values_mut().for_each(write_whole_numbers),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Tagged(_) => {}
    }
}

fn smooth(mut crd: CustomResourceDefinition) -> CustomResourceDefinition {
    for version in &mut crd.spec.versions {
        let schema = version.schema.as_mut();
        if let Some(schema) = schema.and_then(|s| s.open_api_v3_schema.as_mut()) {
            smooth_schema(schema);
        }
    }
    crd
}

/// Joins the lines of descriptions, which wrap where Rust wraps, and drops `nullable`: the API
/// server then treats an explicit null as absent, so every rule sees one kind of "not there".
fn smooth_schema(schema: &mut JSONSchemaProps) {
    schema.nullable = None;
    let text = schema.description.as_deref();
    if text.is_some_and(|text| text.starts_with("Quantity is ")) {
        // Kubernetes' own type: a page of text, and no word about what may stand there.
        schema.description = Some("An amount, for example 500m or 256Mi.".to_owned());
        schema.pattern = Some(QUANTITY.to_owned());
    }
    if let Some(text) = &mut schema.description {
        *text = text
            .replace("\n\n", "\u{0}")
            .replace('\n', " ")
            .replace('\u{0}', "\n\n");
    }
    for property in schema.properties.iter_mut().flat_map(|p| p.values_mut()) {
        smooth_schema(property);
    }
    match &mut schema.items {
        Some(JSONSchemaPropsOrArray::Schema(item)) => smooth_schema(item),
        Some(JSONSchemaPropsOrArray::Schemas(items)) => items.iter_mut().for_each(smooth_schema),
        None => {}
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &mut schema.additional_properties {
        smooth_schema(values);
    }
}
