//! Volumes: a folder of this machine for each claim, grown when asked, removed with the claim.
//! Both nodes see the folder, since they are namespaces of one machine.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt as _};
use serde_json::json;
use tracing::info;

use crate::Seen;

const CLASS: &str = "standard";
const PROVISIONER: &str = "gryt.test/folder";
const PROVISIONED_BY: &str = "pv.kubernetes.io/provisioned-by";

pub(crate) struct Volumes {
    client: Client,
    folder: PathBuf,
}

impl Volumes {
    pub(crate) fn new(client: Client, folder: PathBuf) -> Self {
        Self { client, folder }
    }

    /// Makes, grows and removes volumes until they are as the claims ask.
    pub(crate) async fn reconcile(&self, seen: &Seen) -> Result<()> {
        let volumes: BTreeMap<String, _> = seen
            .volumes
            .state()
            .into_iter()
            .map(|volume| (volume.name_any(), volume))
            .collect();
        for claim in seen.claims.state() {
            let spec = claim.spec.clone().unwrap_or_default();
            if spec.storage_class_name.as_deref() != Some(CLASS) {
                continue;
            }
            match volumes.get(&volume_name(&claim)) {
                None if spec.volume_name.is_none() => self.provision(&claim).await?,
                Some(volume) => self.grow(&claim, volume).await?,
                None => {}
            }
        }
        for volume in volumes.values().filter(|volume| is_ours(volume)) {
            let phase = volume.status.as_ref().and_then(|s| s.phase.as_deref());
            if matches!(phase, Some("Released" | "Failed")) && deletes(volume) {
                self.remove(&volume.name_any()).await?;
            }
        }
        Ok(())
    }

    async fn provision(&self, claim: &PersistentVolumeClaim) -> Result<()> {
        let name = volume_name(claim);
        let path = self.folder.join(&name);
        fs::create_dir_all(&path).context("make the volume's folder")?;
        // The kubelet gives a folder of the host no group of the pod's: everybody may write.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o777))
            .context("open the volume's folder")?;
        let spec = claim.spec.clone().unwrap_or_default();
        let volume = serde_json::from_value(json!({
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": name, "annotations": {PROVISIONED_BY: PROVISIONER}},
            "spec": {
                "accessModes": spec.access_modes,
                "capacity": {"storage": requested(claim)},
                "claimRef": {
                    "apiVersion": "v1",
                    "kind": "PersistentVolumeClaim",
                    "namespace": claim.namespace(),
                    "name": claim.name_any(),
                    "uid": claim.uid(),
                },
                "hostPath": {"path": path, "type": "Directory"},
                "persistentVolumeReclaimPolicy": "Delete",
                "storageClassName": CLASS,
            },
        }))
        .context("build the volume")?;
        match self.volumes().create(&PostParams::default(), &volume).await {
            Ok(_) => info!(volume = name, "provisioned"),
            // Made a moment ago, and not yet seen.
            Err(kube::Error::Api(status)) if status.is_already_exists() => {}
            Err(error) => return Err(error).context("create the volume"),
        }
        Ok(())
    }

    async fn grow(&self, claim: &PersistentVolumeClaim, volume: &PersistentVolume) -> Result<()> {
        let has = volume.spec.as_ref().and_then(|s| s.capacity.as_ref());
        let bound = claim.status.as_ref().and_then(|s| s.capacity.as_ref());
        let storage = |from: Option<&BTreeMap<String, Quantity>>| from?.get("storage").cloned();
        let wanted = requested(claim);
        if bound.is_none() || (storage(has) == wanted && storage(bound) == wanted) {
            return Ok(());
        }
        let patch = json!({"spec": {"capacity": {"storage": wanted}}});
        let params = PatchParams::default();
        self.volumes()
            .patch(&volume.name_any(), &params, &Patch::Merge(&patch))
            .await
            .context("grow the volume")?;
        let claims: Api<PersistentVolumeClaim> =
            Api::namespaced(self.client.clone(), &claim.namespace().unwrap_or_default());
        let patch = json!({"status": {"capacity": {"storage": wanted}, "conditions": null}});
        claims
            .patch_status(&claim.name_any(), &params, &Patch::Merge(&patch))
            .await
            .context("tell the claim that its volume has grown")?;
        info!(volume = volume.name_any(), "grown");
        Ok(())
    }

    async fn remove(&self, name: &str) -> Result<()> {
        let path = self.folder.join(name);
        if path.exists() {
            fs::remove_dir_all(&path).context("remove the volume's folder")?;
        }
        match self.volumes().delete(name, &DeleteParams::default()).await {
            Ok(_) => info!(volume = name, "removed"),
            Err(kube::Error::Api(status)) if status.is_not_found() => {}
            Err(error) => return Err(error).context("delete the volume"),
        }
        Ok(())
    }

    fn volumes(&self) -> Api<PersistentVolume> {
        Api::all(self.client.clone())
    }
}

fn volume_name(claim: &PersistentVolumeClaim) -> String {
    format!("pvc-{}", claim.uid().unwrap_or_default())
}

fn requested(claim: &PersistentVolumeClaim) -> Option<Quantity> {
    let resources = claim.spec.as_ref()?.resources.as_ref()?;
    resources.requests.as_ref()?.get("storage").cloned()
}

fn is_ours(volume: &PersistentVolume) -> bool {
    volume.annotations().get(PROVISIONED_BY).map(String::as_str) == Some(PROVISIONER)
}

fn deletes(volume: &PersistentVolume) -> bool {
    let spec = volume.spec.as_ref();
    spec.and_then(|s| s.persistent_volume_reclaim_policy.as_deref()) == Some("Delete")
}
