//! A small OIDC issuer for local accounts: authorization code with PKCE, signing keys, JWKS.
