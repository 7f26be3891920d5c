//! The charts, checked by rendering them: they need a `helm` binary (`GRYT_HELM`, else the one in PATH), no cluster.
//! The checks of `cluster` do need one: `GRYT_KUBECONFIG=… cargo test -p gryt-tests --test charts -- --ignored`.
//! What is generated (golden renders, the tables of the READMEs, the CRDs in the chart, the schema's part that
//! the CRDs give) is written anew by `GRYT_UPDATE_GOLDEN=1 cargo test -p gryt-tests --test charts`.

#[cfg(test)]
mod chart;
#[cfg(test)]
mod cluster;
#[cfg(test)]
mod crds;
#[cfg(test)]
mod docs;
#[cfg(test)]
mod generated;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod helm;
#[cfg(test)]
mod objects;
#[cfg(test)]
mod openapi;
#[cfg(test)]
mod readme;
#[cfg(test)]
mod schema;
#[cfg(test)]
mod values;
