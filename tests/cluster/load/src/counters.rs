//! What the API server counted: requests by verb and resource, from its `/metrics`.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use http::Request;
use kube::Client;

/// Kinds that only the operator writes while nothing else runs. Leases and what the API server
/// writes for itself are not among them.
const CHILDREN: [&str; 11] = [
    "certificates",
    "configmaps",
    "deployments",
    "httproutes",
    "ingresses",
    "networkpolicies",
    "persistentvolumeclaims",
    "poddisruptionbudgets",
    "secrets",
    "serviceaccounts",
    "services",
];
const WRITING: [&str; 6] = [
    "APPLY",
    "DELETE",
    "DELETECOLLECTION",
    "PATCH",
    "POST",
    "PUT",
];

/// Writes since the API server's start, by "VERB resource/subresource".
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Writes(BTreeMap<String, u64>);

impl Writes {
    /// Reads the counters of the kinds that matter here.
    pub(crate) async fn read(client: &Client) -> Result<Self> {
        let request = Request::get("/metrics").body(Vec::new())?;
        let page = client.request_text(request).await;
        Ok(Self::parse(&page.context("read the API server's metrics")?))
    }

    fn parse(page: &str) -> Self {
        let mut writes = BTreeMap::new();
        for line in page.lines() {
            let Some(sample) = line.strip_prefix("apiserver_request_total{") else {
                continue;
            };
            let Some((labels, value)) = sample.rsplit_once("} ") else {
                continue;
            };
            let label = |name: &str| {
                let mut labels = labels.split(',');
                let found = labels.find_map(|label| label.strip_prefix(name)?.strip_prefix("=\""));
                found.map_or("", |value| value.trim_end_matches('"'))
            };
            let (verb, resource) = (label("verb"), label("resource"));
            let ours =
                CHILDREN.contains(&resource) || ["grytservers", "events"].contains(&resource);
            // A token for a ServiceAccount is no write of one.
            if !WRITING.contains(&verb) || !ours || label("subresource") == "token" {
                continue;
            }
            let subresource = match label("subresource") {
                "" => String::new(),
                name => format!("/{name}"),
            };
            // Large counts are printed as floats.
            let count = value.parse::<f64>().unwrap_or_default();
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a count is a whole number below 2^53"
            )]
            let count = count as u64;
            *writes
                .entry(format!("{verb} {resource}{subresource}"))
                .or_default() += count;
        }
        Self(writes)
    }

    /// What was counted after `before`.
    pub(crate) fn since(&self, before: &Self) -> Self {
        let counted = self.0.iter().filter_map(|(key, count)| {
            let new = count - before.0.get(key).unwrap_or(&0);
            (new > 0).then(|| (key.clone(), new))
        });
        Self(counted.collect())
    }

    /// One of them.
    pub(crate) fn of(&self, verb: &str, resource: &str) -> u64 {
        *self.0.get(&format!("{verb} {resource}")).unwrap_or(&0)
    }

    /// All writes of children.
    pub(crate) fn of_children(&self) -> u64 {
        self.sum(|resource| CHILDREN.contains(&resource))
    }

    /// All writes of a status.
    pub(crate) fn of_status(&self) -> u64 {
        self.sum(|resource| resource == "grytservers/status")
    }

    /// All writes of Events.
    pub(crate) fn of_events(&self) -> u64 {
        self.sum(|resource| resource == "events")
    }

    /// Everything but the tenants' own applies and Events.
    pub(crate) fn of_operator(&self) -> u64 {
        self.of_children() + self.of_status() + self.of("PATCH", "grytservers")
    }

    /// For the report.
    pub(crate) fn all(&self) -> &BTreeMap<String, u64> {
        &self.0
    }

    fn sum(&self, counts: impl Fn(&str) -> bool) -> u64 {
        let written = self.0.iter().filter(|(key, _)| {
            let resource = key.split_once(' ').map_or("", |(_, resource)| resource);
            counts(resource)
        });
        written.map(|(_, count)| count).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = r#"# TYPE apiserver_request_total counter
apiserver_request_total{code="201",component="apiserver",dry_run="",group="apps",resource="deployments",scope="resource",subresource="",verb="APPLY",version="v1"} 2
apiserver_request_total{code="200",component="apiserver",dry_run="",group="apps",resource="deployments",scope="resource",subresource="",verb="APPLY",version="v1"} 1e+06
apiserver_request_total{code="200",component="apiserver",dry_run="",group="apps",resource="deployments",scope="cluster",subresource="",verb="LIST",version="v1"} 7
apiserver_request_total{code="200",component="apiserver",dry_run="",group="gryt.chat",resource="grytservers",scope="resource",subresource="status",verb="APPLY",version="v1alpha1"} 5
apiserver_request_total{code="200",component="apiserver",dry_run="",group="coordination.k8s.io",resource="leases",scope="resource",subresource="",verb="PUT",version="v1"} 9
apiserver_request_total{code="201",component="apiserver",dry_run="",group="",resource="serviceaccounts",scope="resource",subresource="token",verb="POST",version="v1"} 1
"#;

    #[test]
    fn writes_are_added_up_over_codes_and_leases_are_left_out() {
        let writes = Writes::parse(PAGE);
        assert_eq!(writes.of_children(), 1_000_002);
        assert_eq!(writes.of_status(), 5);
        assert_eq!(writes.of_operator(), 1_000_007);
    }

    #[test]
    fn only_what_came_after_counts() {
        let before = Writes::parse(PAGE);
        let after = Writes::parse(&PAGE.replace(
            "APPLY\",version=\"v1alpha1\"} 5",
            "APPLY\",version=\"v1alpha1\"} 8",
        ));
        let new = after.since(&before);
        assert_eq!((new.of_status(), new.all().len()), (3, 1));
    }
}
