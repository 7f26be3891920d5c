//! What a configuration of issuers may say, and what each refusal says.

use super::*;

const HOME: &str = r#"{"name": "home", "issuer": "https://id.example.org/realms/home"}"#;

fn server() -> ServerId {
    "aaaaaaaaaaaaaaaaaaaaaaaaaa".parse().unwrap()
}

fn with(fields: &str) -> String {
    let fields = fields.trim_end_matches(',');
    format!(r#"[{{"name": "home", "issuer": "https://id.example.org/realms/home", {fields}}}]"#)
}

#[test]
fn name_and_address_are_enough() {
    let elsewhere: IssuersElsewhere = format!("[{HOME}]").parse().unwrap();
    let issuers = Issuers::elsewhere(elsewhere, Beside::Nothing);

    let [check] = &issuers.checks(&server()).unwrap()[..] else {
        panic!("one issuer was named");
    };
    assert_eq!(&*check.name, "home");
    assert_eq!(check.audience, server().to_string());
    assert_eq!(check.authorized_parties, ["gryt-web"]);
    assert_eq!(check.leeway, Duration::from_secs(30));
    assert_eq!(check.algorithms, [Algorithm::Rs256, Algorithm::Es256]);
    let discovery = "https://id.example.org/realms/home/.well-known/openid-configuration";
    assert_eq!(check.keys, KeySource::Discovery(discovery.parse().unwrap()));

    let [offer] = &issuers.offers("/issuer".to_owned())[..] else {
        panic!("one issuer was named");
    };
    assert_eq!(offer.label, "id.example.org");
    assert_eq!(offer.client_id, "gryt-web");
}

#[test]
fn keys_are_asked_for_at_an_inner_address() {
    let inner = |field: &str| {
        let text = with(&format!(r#""{field}": "http://keycloak:8080/keys""#));
        let issuers = Issuers::elsewhere(text.parse().unwrap(), Beside::Nothing);
        let [offer] = &issuers.offers("/issuer".to_owned())[..] else {
            panic!("one issuer was named");
        };
        assert_eq!(offer.url, "https://id.example.org/realms/home");
        issuers.checks(&server()).unwrap().remove(0).keys
    };
    let url: Url = "http://keycloak:8080/keys".parse().unwrap();
    assert_eq!(inner("jwks_url"), KeySource::Jwks(url.clone()));
    assert_eq!(inner("discovery_url"), KeySource::Discovery(url));
}

#[test]
fn own_accounts_come_first_where_they_stay() {
    let names = |issuers: &Issuers| -> Vec<String> {
        let offers = issuers.offers("/issuer".to_owned());
        offers.into_iter().map(|offer| offer.name).collect()
    };
    let elsewhere: IssuersElsewhere = format!("[{HOME}]").parse().unwrap();
    assert_eq!(names(&Issuers::default()), ["local"]);
    assert_eq!(
        names(&Issuers::elsewhere(elsewhere.clone(), Beside::Nothing)),
        ["home"]
    );
    assert_eq!(
        names(&Issuers::elsewhere(elsewhere, Beside::Own)),
        ["local", "home"]
    );
}

#[test]
fn bad_values_are_refused_with_what_was_expected() {
    let long = "x".repeat(256);
    let cases = [
        ("".to_owned(), "expected a JSON list of issuers"),
        ("{}".to_owned(), "expected a JSON list of issuers"),
        ("[]".to_owned(), "expected 1 to 8 issuers"),
        (
            format!("[{}]", [HOME; 9].join(",")),
            "expected 1 to 8 issuers",
        ),
        (
            format!("[{HOME},{HOME}]"),
            "issuer \"home\" stands there twice",
        ),
        (
            format!("[{HOME},{}]", HOME.replace(r#": "home""#, r#": "away""#)),
            "issuer \"away\" stands there twice",
        ),
        (
            HOME.replace("https", "ftp"),
            "expected a JSON list of issuers",
        ),
        (
            format!("[{}]", HOME.replace("https", "ftp")),
            "issuer: expected an http",
        ),
        (
            format!("[{}]", HOME.replace("/home", "/home?a=b")),
            "issuer: expected an http",
        ),
        (
            format!("[{}]", HOME.replace("id.", "me@id.")),
            "issuer: expected an http",
        ),
        (
            format!("[{}]", HOME.replace(r#": "home""#, r#": "local""#)),
            "name: expected",
        ),
        (
            format!("[{}]", HOME.replace(r#": "home""#, r#": "My home""#)),
            "name: expected",
        ),
        (
            format!("[{}]", HOME.replace(r#": "home""#, r#": "-home""#)),
            "name: expected",
        ),
        (with(r#""label": """#), "label: expected 1 to 64 characters"),
        (with(r#""client_id": """#), "client_id: expected"),
        (
            with(&format!(r#""audience": "{long}""#)),
            "audience: expected",
        ),
        (
            with(r#""authorized_parties": []"#),
            "authorized_parties: expected 1 to 16",
        ),
        (
            with(r#""jwks_url": "http://a/b", "discovery_url": "http://a/b""#),
            "one of jwks_url and discovery_url",
        ),
        (
            with(r#""jwks_url": "file:///etc/passwd""#),
            "expected an http",
        ),
        (with(r#""jwks_url": "keys""#), "relative URL"),
        (
            with(r#""algorithms": []"#),
            "algorithms: expected at least one",
        ),
        (with(r#""algorithms": ["none"]"#), "unknown variant `none`"),
        (
            with(r#""algorithms": ["HS256"]"#),
            "unknown variant `HS256`",
        ),
        (
            with(r#""leeway_seconds": 301"#),
            "leeway_seconds: expected 0 to 300",
        ),
        (
            with(r#""leeway_seconds": -1"#),
            "expected a JSON list of issuers",
        ),
        (
            with(r#""jwks_uri": "https://a/b""#),
            "unknown field `jwks_uri`",
        ),
    ];
    for (text, expected) in cases {
        let error = text.parse::<IssuersElsewhere>().unwrap_err().to_string();
        assert!(error.contains(expected), "{text}\n{error}");
    }
}

#[test]
fn files_that_are_of_no_use_are_named() {
    let chain = |error: &dyn std::error::Error| {
        let source = error.source().map(ToString::to_string).unwrap_or_default();
        format!("{error}: {source}")
    };
    let missing = IssuersElsewhere::read(Path::new("/nowhere/issuers.json")).unwrap_err();
    assert!(chain(&missing).starts_with("read the issuers \"/nowhere/issuers.json\": No such"));

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("issuers.json");
    std::fs::write(&file, "[]").unwrap();
    let useless = IssuersElsewhere::read(&file).unwrap_err();
    assert!(chain(&useless).contains("issuers.json\": expected 1 to 8 issuers"));

    let no_pem = folder.path().join("ca.crt");
    std::fs::write(&no_pem, "no certificate").unwrap();
    for path in ["/nowhere/ca.crt", &no_pem.to_string_lossy()] {
        let text = with(&format!(r#""ca_file": "{path}""#));
        let issuers = Issuers::elsewhere(text.parse().unwrap(), Beside::Nothing);
        let error = issuers.checks(&server()).unwrap_err();
        assert!(chain(&error).starts_with("use issuer \"home\""), "{error}");
        assert!(chain(&error).contains(path), "{error}");
    }
}
