//! What the administrator of a Keycloak does, by its REST API.

use gryt_backends::keycloak::{ADMINISTRATOR, Keycloak, REALM};
use reqwest::{Method, Response, header};
use serde_json::{Value, json};

pub(crate) struct Administrator {
    http: reqwest::Client,
    realm: String,
    token: String,
}

/// A key that no longer signs.
pub(crate) struct Replaced(Value);

impl Administrator {
    pub(crate) async fn sign_in(keycloak: &Keycloak) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let fields = [
            ("grant_type", "password"),
            ("client_id", "admin-cli"),
            ("username", ADMINISTRATOR),
            ("password", ADMINISTRATOR),
        ];
        let url = format!(
            "{}/protocol/openid-connect/token",
            keycloak.issuer("master")
        );
        let answer = http.post(url).form(&fields).send().await.unwrap();
        let answer: Value = answer.error_for_status().unwrap().json().await.unwrap();
        Self {
            http,
            realm: format!("{}/admin/realms/{REALM}", keycloak.url()),
            token: answer["access_token"].as_str().unwrap().to_owned(),
        }
    }

    /// Makes a client like the web client, whose access tokens are for `audience`.
    pub(crate) async fn make_client(&self, client_id: &str, audience: &str) {
        let client = json!({
            "clientId": client_id,
            "publicClient": true,
            "fullScopeAllowed": false,
            "redirectUris": ["http://localhost:8080/signed-in"],
            "protocolMappers": [{
                "name": "audience",
                "protocol": "openid-connect",
                "protocolMapper": "oidc-audience-mapper",
                "config": {
                    "included.custom.audience": audience,
                    "access.token.claim": "true",
                },
            }],
        });
        self.send(Method::POST, "/clients", Some(&client)).await;
    }

    /// Makes a key that signs from here on; gives the one that did.
    pub(crate) async fn rotate_key(&self) -> Replaced {
        let signing = "/components?type=org.keycloak.keys.KeyProvider";
        let providers = self.send(Method::GET, signing, None).await;
        let providers: Vec<Value> = providers.json().await.unwrap();
        let replaced = providers
            .into_iter()
            .find(|provider| provider["providerId"] == "rsa-generated")
            .unwrap();
        let key = json!({
            "name": "rotated",
            "providerId": "rsa-generated",
            "providerType": "org.keycloak.keys.KeyProvider",
            "parentId": replaced["parentId"],
            "config": { "priority": ["200"], "enabled": ["true"], "active": ["true"] },
        });
        self.send(Method::POST, "/components", Some(&key)).await;
        Replaced(replaced)
    }

    /// Takes a key out of the published set.
    pub(crate) async fn withdraw(&self, Replaced(key): &Replaced) {
        let mut key = key.clone();
        key["config"]["active"] = json!(["false"]);
        key["config"]["enabled"] = json!(["false"]);
        let path = format!("/components/{}", key["id"].as_str().unwrap());
        self.send(Method::PUT, &path, Some(&key)).await;
    }

    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Response {
        let mut request = self
            .http
            .request(method, format!("{}{path}", self.realm))
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token));
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.unwrap();
        answer.error_for_status().unwrap()
    }
}
