//! The loop that the operator's rate is compared with: for each server the tenant's apply, the
//! patch of its id, one server-side apply per child and one of its status, one after the other,
//! as many servers at a time as the operator takes, with the operator's own rights. Requests are
//! rendered before the clock starts, and answers are read but not understood.

use std::time::Duration;

use anyhow::{Context as _, Result};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use gryt_operator::crd::GrytServerClass;
use kube::Client;
use kube::api::{Api, ListParams};
use tokio::time::Instant;

use crate::AT_ONCE;
use crate::rendered::{Platform, Rendered};
use crate::servers::Tenants;

/// Who writes.
#[derive(Clone)]
pub(crate) struct Writers {
    /// Applies the GrytServers.
    pub(crate) tenants: Client,
    /// Writes everything else.
    pub(crate) operator: Client,
}

/// What the loop did.
pub(crate) struct Done {
    pub(crate) took: Duration,
    pub(crate) writes: usize,
}

/// Writes everything of all servers; deletes the GrytServers again, so that nobody serves them.
pub(crate) async fn run(writers: &Writers, tenants: &Tenants) -> Result<Done> {
    let classes: Api<GrytServerClass> = Api::all(writers.tenants.clone());
    let classes = classes.list(&ListParams::default()).await?.items;
    let platform = Platform::new(classes)?;
    let rendered: Vec<Rendered> = tenants
        .wishes()
        .map(|wish| platform.render(&wish))
        .collect::<Result<_>>()?;
    let writes = rendered.iter().map(|server| 1 + server.answer.len()).sum();

    let begun = Instant::now();
    stream::iter(rendered)
        .map(|server| tokio::spawn(write(writers.clone(), server)))
        .buffer_unordered(AT_ONCE)
        .map(|ended| ended.context("the loop broke off")?)
        .try_collect::<()>()
        .await?;
    let took = begun.elapsed();
    tenants.delete(&writers.tenants).await?;
    Ok(Done { took, writes })
}

async fn write(writers: Writers, server: Rendered) -> Result<()> {
    writers.tenants.request_text(server.wish).await?;
    for request in server.answer {
        let uri = request.uri().to_string();
        let written = writers.operator.request_text(request).await;
        written.with_context(|| format!("write {uri}"))?;
    }
    Ok(())
}
