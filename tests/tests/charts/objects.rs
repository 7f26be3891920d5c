//! Rules that every rendered object of every value set keeps, whatever the golden files say.

use anyhow::{Result, anyhow};
use serde_json::{Value, json};

use crate::chart::{CHARTS, OPERATOR, documents, title};
use crate::helm;

/// Every object of every value set of the operator's chart.
fn operator_objects() -> Result<Vec<Value>> {
    let mut objects = Vec::new();
    for set in OPERATOR.sets()? {
        let text = helm::template(&OPERATOR, &[&set.path])?.map_err(|said| anyhow!(said))?;
        objects.extend(documents(&text)?);
    }
    Ok(objects)
}

fn of_kind<'a>(objects: &'a [Value], kind: &str) -> Vec<&'a Value> {
    let found: Vec<&Value> = objects
        .iter()
        .filter(|object| object["kind"] == kind)
        .collect();
    assert!(!found.is_empty(), "no {kind} was rendered");
    found
}

#[test]
fn every_object_carries_the_labels() -> Result<()> {
    let names = ["name", "instance", "part-of", "managed-by"];
    for chart in &CHARTS {
        for set in chart.sets()? {
            let text = helm::template(chart, &[&set.path])?.map_err(|said| anyhow!(said))?;
            for object in documents(&text)? {
                for name in names {
                    let label = &object["metadata"]["labels"][format!("app.kubernetes.io/{name}")];
                    assert!(
                        label.is_string(),
                        "{} lacks the label {name}",
                        title(&object)
                    );
                }
            }
        }
    }
    Ok(())
}

#[test]
fn pods_are_restricted_and_bounded() -> Result<()> {
    let objects = operator_objects()?;
    for deployment in of_kind(&objects, "Deployment") {
        let pod = &deployment["spec"]["template"]["spec"];
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
        assert_eq!(
            pod["securityContext"]["seccompProfile"]["type"],
            "RuntimeDefault"
        );
        for name in ["hostNetwork", "hostPID", "hostIPC", "volumes"] {
            assert!(pod[name].is_null(), "{name}");
        }
        let container = &pod["containers"][0];
        let security = &container["securityContext"];
        assert_eq!(security["allowPrivilegeEscalation"], false);
        assert_eq!(security["readOnlyRootFilesystem"], true);
        assert_eq!(security["capabilities"]["drop"], json!(["ALL"]));
        assert!(container["resources"]["requests"]["memory"].is_string());
        assert!(container["resources"]["limits"]["memory"].is_string());
    }
    Ok(())
}

#[test]
fn a_selector_never_holds_a_version() -> Result<()> {
    let objects = operator_objects()?;
    for object in &objects {
        let selectors = [
            &object["spec"]["selector"]["matchLabels"],
            &object["spec"]["podSelector"]["matchLabels"],
        ];
        for selector in selectors.into_iter().filter_map(Value::as_object) {
            let names: Vec<&str> = selector.keys().map(String::as_str).collect();
            let of_release = ["component", "instance", "name"];
            // The Jobs are the operator's, and of any server.
            let of_jobs = ["component", "managed-by"];
            let mut names = names;
            names.sort_unstable();
            let is = |wanted: &[&str]| {
                let wanted = wanted.iter().map(|n| format!("app.kubernetes.io/{n}"));
                wanted.eq(names.iter().map(|name| (*name).to_owned()))
            };
            let known = is(&of_release) || is(&of_jobs);
            assert!(known, "{}: {names:?}", title(object));
        }
    }
    Ok(())
}

#[test]
fn no_role_has_a_wildcard_or_grants_roles() -> Result<()> {
    let objects = operator_objects()?;
    let mut rules = Vec::new();
    for kind in ["Role", "ClusterRole"] {
        for role in of_kind(&objects, kind) {
            rules.extend(role["rules"].as_array().cloned().unwrap_or_default());
        }
    }
    for rule in &rules {
        let text = rule.to_string();
        assert!(!text.contains('*'), "{text}");
        assert_ne!(
            rule["apiGroups"],
            json!(["rbac.authorization.k8s.io"]),
            "{text}"
        );
        for verb in ["escalate", "bind", "impersonate"] {
            assert!(!text.contains(verb), "{text}");
        }
    }
    Ok(())
}

#[test]
fn kinds_and_class_outlive_the_release() -> Result<()> {
    let objects = operator_objects()?;
    for kind in ["CustomResourceDefinition", "GrytServerClass"] {
        for object in of_kind(&objects, kind) {
            let policy = &object["metadata"]["annotations"]["helm.sh/resource-policy"];
            assert_eq!(policy, "keep", "{}", title(object));
        }
    }
    Ok(())
}

#[test]
fn the_class_is_a_hook_only_where_its_kind_is_unknown() -> Result<()> {
    let set = &OPERATOR.sets()?[0].path;
    let unknown = helm::template(&OPERATOR, &[set])?.map_err(|said| anyhow!(said))?;
    let known = helm::template_knowing(&OPERATOR, set, "gryt.chat/v1alpha1/GrytServerClass")?
        .map_err(|said| anyhow!(said))?;
    for (text, hook) in [(unknown, json!("post-install")), (known, Value::Null)] {
        let objects = documents(&text)?;
        let class = of_kind(&objects, "GrytServerClass")[0];
        assert_eq!(class["metadata"]["annotations"]["helm.sh/hook"], hook);
    }
    Ok(())
}
