//! Which class is found, and for whom it is.

use super::*;
use crate::crd::{AllowedHostnames, GrytServerStatus};
use crate::fixture::{class, server};

fn find(server: &GrytServer, classes: &[GrytServerClass]) -> Result<Option<String>, Reason> {
    let classes: Vec<_> = classes.iter().cloned().map(Arc::new).collect();
    let found = resolve(server, &classes);
    found
        .map(|class| class.name)
        .map_err(|refusal| refusal.reason)
}

fn default(name: &str) -> GrytServerClass {
    let mut class = class(name);
    class.spec.default = true;
    class
}

fn named(name: &str) -> GrytServer {
    let mut server = server("chat");
    server.spec.class_name = Some(name.to_owned());
    server
}

fn pinned_to(name: &str) -> GrytServer {
    let mut server = server("chat");
    server.status = Some(GrytServerStatus {
        class_name: Some(name.to_owned()),
        ..GrytServerStatus::default()
    });
    server
}

fn some(name: &str) -> Result<Option<String>, Reason> {
    Ok(Some(name.to_owned()))
}

#[test]
fn a_cluster_without_classes_serves_by_the_operators_own_settings() {
    let found = resolve(&server("chat"), &[]).unwrap();
    assert_eq!(found.name, None);
    assert_eq!(found.spec, GrytServerClassSpec::default());
    assert_eq!(found.spec.rollout.max_concurrent, 5);
}

#[test]
fn the_named_class_wins_over_pin_and_default() {
    let mut server = pinned_to("a");
    server.spec.class_name = Some("b".to_owned());
    assert_eq!(
        find(&server, &[class("a"), class("b"), default("c")]),
        some("b")
    );
}

#[test]
fn the_pin_wins_over_a_new_default() {
    assert_eq!(
        find(&pinned_to("a"), &[class("a"), default("c")]),
        some("a")
    );
    assert_eq!(
        find(&server("chat"), &[class("a"), default("c")]),
        some("c")
    );
}

#[test]
fn a_class_that_is_gone_is_not_replaced_by_another() {
    assert_eq!(
        find(&pinned_to("a"), &[default("c")]),
        Err(Reason::ClassNotFound)
    );
    assert_eq!(find(&pinned_to("a"), &[]), Err(Reason::ClassNotFound));
    assert_eq!(
        find(&named("a"), &[default("c")]),
        Err(Reason::ClassNotFound)
    );
}

#[test]
fn without_a_clear_default_the_server_has_to_name_one() {
    let both = [default("a"), default("b")];
    assert_eq!(
        find(&server("chat"), &both),
        Err(Reason::DefaultClassAmbiguous)
    );
    assert_eq!(find(&named("b"), &both), some("b"));
    assert_eq!(
        find(&server("chat"), &[class("a")]),
        Err(Reason::ClassRequired)
    );

    let both: Vec<_> = both.into_iter().rev().map(Arc::new).collect();
    let message = resolve(&server("chat"), &both).unwrap_err().message;
    assert!(
        message.contains("(a, b)"),
        "the order is always the same: {message}"
    );
}

#[test]
fn a_tenant_is_told_which_classes_he_may_name_and_whom_to_ask() {
    let told = |server: &GrytServer, names: &[&str]| {
        let mut classes: Vec<_> = names.iter().map(|name| class(name)).collect();
        let mut theirs = class("theirs");
        theirs.spec.allowed_namespaces = vec!["team-b".to_owned()];
        classes.push(theirs);
        let classes: Vec<_> = classes.into_iter().map(Arc::new).collect();
        resolve(server, &classes).unwrap_err().message
    };
    for server in [named("gone"), pinned_to("gone")] {
        let message = told(&server, &["b", "a"]);
        assert!(message.contains("(there are: a, b)"), "{message}");
        assert!(message.contains("ask who runs the cluster"), "{message}");
        let message = told(&server, &["g", "f", "e", "d", "c", "b", "a"]);
        assert!(message.contains("a, b, c, d, e and 2 more)"), "{message}");
        let message = told(&server, &[]);
        assert!(message.contains("(there is none for this"), "{message}");
        assert!(!message.contains("theirs"), "{message}");
    }
}

fn check(change: impl FnOnce(&mut GrytServerClassSpec)) -> Vec<Reason> {
    let mut class = ResolvedClass::of(&class("shared"));
    change(&mut class.spec);
    let hostname = "chat.a.example.org".parse().unwrap();
    let refusals = check_allowed(&class, "team-a", &hostname);
    refusals.iter().map(|refusal| refusal.reason).collect()
}

fn hostnames(namespace: &str, suffix: &str) -> AllowedHostnames {
    AllowedHostnames {
        namespace: namespace.to_owned(),
        suffixes: vec!["other.org".to_owned(), suffix.to_owned()],
    }
}

#[test]
fn a_class_says_which_namespaces_it_is_for() {
    assert_eq!(check(|_| {}), []);
    assert_eq!(
        check(|spec| spec.allowed_namespaces = vec!["team-a".to_owned()]),
        []
    );
    assert_eq!(
        check(|spec| spec.allowed_namespaces = vec!["team".to_owned()]),
        [Reason::NamespaceNotAllowed]
    );
}

#[test]
fn a_class_says_which_host_names_a_namespace_may_take() {
    for (rules, expected) in [
        (vec![hostnames("team-a", "a.example.org")], vec![]),
        (vec![hostnames("team-a", "chat.a.example.org")], vec![]),
        (
            vec![hostnames("team-b", "b.org"), hostnames("team-a", "org")],
            vec![],
        ),
        (
            vec![hostnames("team-a", "t.a.example.org")],
            vec![Reason::HostnameNotAllowed],
        ),
        (
            vec![hostnames("team-b", "a.example.org")],
            vec![Reason::HostnameNotAllowed],
        ),
    ] {
        let title = format!("{rules:?}");
        assert_eq!(
            check(|spec| spec.allowed_hostnames = rules),
            expected,
            "{title}"
        );
    }
}
