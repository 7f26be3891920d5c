//! A stored object must stay valid, and a client's field must keep its meaning: compared with the
//! last release, schemas only grow. `crds/released/` holds that release's files; a release copies
//! `crds/*.yaml` there.

use std::collections::BTreeMap;

use super::*;

/// Patterns that a field may gain. They repeat what the API server asks of the object that the
/// field ends up in, so a stored object that breaks one has never become a server; unchanged
/// fields of stored objects aren't checked again (ratcheting).
const NEVER_WORKED_WITHOUT: [&str; 3] = [OBJECT_NAME, LABEL, QUANTITY];

/// What of `new` would refuse or lose an object that `old` takes.
fn breaks(old: &CustomResourceDefinition, new: &CustomResourceDefinition) -> Vec<String> {
    let mut found = Vec::new();
    for released in old.spec.versions.iter().filter(|version| version.served) {
        let kept = new
            .spec
            .versions
            .iter()
            .find(|version| version.name == released.name);
        let Some(kept) = kept.filter(|version| version.served) else {
            found.push(format!("version {} is gone", released.name));
            continue;
        };
        let schema_of = |version: &k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinitionVersion| {
            version.schema.clone().unwrap().open_api_v3_schema.unwrap()
        };
        let (old, new) = (schema_of(released), schema_of(kept));
        let kept: BTreeMap<_, _> = nodes("", &new).into_iter().collect();
        for (path, old) in nodes("", &old) {
            match kept.get(&path) {
                Some(new) => found.extend(node_breaks(&path, old, new)),
                None => found.push(format!("{path} is gone")),
            }
        }
    }
    if old.spec.names != new.spec.names {
        found.push("names changed".to_owned());
    }
    if old.spec.scope != new.spec.scope {
        found.push("scope changed".to_owned());
    }
    found
}

fn node_breaks(path: &str, old: &JSONSchemaProps, new: &JSONSchemaProps) -> Vec<String> {
    let mut found = Vec::new();
    let mut say = |broken: bool, what: &str| {
        if broken {
            found.push(format!("{path}: {what}"));
        }
    };
    let above = |old: Option<i64>, new: Option<i64>| match (old, new) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(old), Some(new)) => new > old,
    };
    let below = |old: Option<i64>, new: Option<i64>| match (old, new) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(old), Some(new)) => new < old,
    };
    let whole = |bound: Option<f64>| bound.map(|bound| format!("{bound:.0}").parse().unwrap());
    say(old.type_ != new.type_, "type changed");
    let only_refuses_nonsense = old.pattern.is_none()
        && new
            .pattern
            .as_deref()
            .is_some_and(|new| NEVER_WORKED_WITHOUT.contains(&new));
    say(
        old.pattern != new.pattern && !only_refuses_nonsense,
        "pattern changed",
    );
    say(
        old.default.is_some() && old.default != new.default,
        "default changed",
    );
    say(
        old.x_kubernetes_list_type != new.x_kubernetes_list_type
            || old.x_kubernetes_list_map_keys != new.x_kubernetes_list_map_keys,
        "list type changed",
    );
    say(above(old.min_length, new.min_length), "minLength rose");
    say(below(old.max_length, new.max_length), "maxLength fell");
    say(above(old.min_items, new.min_items), "minItems rose");
    say(below(old.max_items, new.max_items), "maxItems fell");
    say(
        below(old.max_properties, new.max_properties),
        "maxProperties fell",
    );
    say(
        above(whole(old.minimum), whole(new.minimum)),
        "minimum rose",
    );
    say(
        below(whole(old.maximum), whole(new.maximum)),
        "maximum fell",
    );
    for field in new.required.iter().flatten() {
        let was = old.required.iter().flatten().any(|was| was == field);
        say(!was, &format!("{field} became required"));
    }
    for value in old.enum_.iter().flatten() {
        let kept = new
            .enum_
            .as_ref()
            .is_none_or(|values| values.contains(value));
        say(!kept, &format!("{} is no choice any more", value.0));
    }
    say(
        old.enum_.is_none() && new.enum_.is_some(),
        "became a choice",
    );
    for rule in new.x_kubernetes_validations.iter().flatten() {
        let mut known = old.x_kubernetes_validations.iter().flatten();
        say(
            known.all(|known| known.rule != rule.rule),
            &format!("a rule that stored objects may break: {}", rule.rule),
        );
    }
    found
}

#[test]
fn schemas_only_grow_since_the_last_release() {
    for (file, crd) in crds() {
        let released = std::fs::read_to_string(format!("{FOLDER}/released/{file}")).unwrap();
        let released: CustomResourceDefinition = serde_yaml_ng::from_str(&released).unwrap();
        assert_eq!(breaks(&released, &crd), Vec::<String>::new(), "{file}");
    }
}

#[test]
fn a_change_that_is_not_additive_is_found() {
    let change = |change: fn(&mut JSONSchemaProps)| {
        let old = server_crd();
        let mut new = old.clone();
        let schema = new.spec.versions[0].schema.as_mut().unwrap();
        let root = schema.open_api_v3_schema.as_mut().unwrap();
        change(root.properties.as_mut().unwrap().get_mut("spec").unwrap());
        breaks(&old, &new)
    };
    assert_eq!(change(|_| {}), Vec::<String>::new());
    assert_eq!(
        change(|spec| {
            let text = JSONSchemaProps {
                type_: Some("string".to_owned()),
                ..JSONSchemaProps::default()
            };
            spec.properties
                .as_mut()
                .unwrap()
                .insert("motd".to_owned(), text);
        }),
        Vec::<String>::new(),
        "a new field is no break"
    );
    assert_eq!(
        change(|spec| {
            let properties = spec.properties.as_mut().unwrap();
            properties.get_mut("displayName").unwrap().pattern = Some(OBJECT_NAME.to_owned());
        }),
        Vec::<String>::new(),
        "what never worked may be refused earlier"
    );
    let broken: [fn(&mut JSONSchemaProps); 7] = [
        |spec| {
            let properties = spec.properties.as_mut().unwrap();
            properties.get_mut("displayName").unwrap().pattern = Some("^a".to_owned());
        },
        |spec| {
            spec.properties.as_mut().unwrap().remove("suspend");
        },
        |spec| spec.required.as_mut().unwrap().push("serverId".to_owned()),
        |spec| {
            let properties = spec.properties.as_mut().unwrap();
            properties.get_mut("displayName").unwrap().max_length = Some(10);
        },
        |spec| {
            let properties = spec.properties.as_mut().unwrap();
            properties.get_mut("suspend").unwrap().type_ = Some("string".to_owned());
        },
        |spec| {
            let properties = spec.properties.as_mut().unwrap();
            let replicas = properties.get_mut("signaling").unwrap();
            let properties = replicas.properties.as_mut().unwrap();
            properties.get_mut("replicas").unwrap().minimum = Some(2.0);
        },
        |spec| {
            let rule = spec.x_kubernetes_validations.clone().unwrap();
            let properties = spec.properties.as_mut().unwrap();
            properties
                .get_mut("suspend")
                .unwrap()
                .x_kubernetes_validations = Some(rule);
        },
    ];
    for (number, breaking) in broken.into_iter().enumerate() {
        assert_eq!(change(breaking).len(), 1, "change {number}");
    }
}
