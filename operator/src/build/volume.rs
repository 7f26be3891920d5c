//! PersistentVolumeClaim: messages and uploads.

use k8s_openapi::api::core::v1::{
    PersistentVolumeClaim, PersistentVolumeClaimSpec, VolumeResourceRequirements,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::metadata::{Of, annotated};
use crate::crd::SERVER_ID_ANNOTATION;
use crate::observed::Component;
use crate::valid::ValidServer;

pub(super) fn build(server: &ValidServer) -> PersistentVolumeClaim {
    let size = Quantity(server.storage.size.clone());
    PersistentVolumeClaim {
        metadata: annotated(
            server,
            server.name.data(),
            Of::Component(Component::Signaling),
            &[(SERVER_ID_ANNOTATION.to_owned(), server.id.to_string())].into(),
        ),
        spec: Some(PersistentVolumeClaimSpec {
            access_modes: Some(vec!["ReadWriteOnce".to_owned()]),
            resources: Some(VolumeResourceRequirements {
                requests: Some([("storage".to_owned(), size)].into()),
                limits: None,
            }),
            storage_class_name: server.storage.storage_class_name.clone(),
            ..PersistentVolumeClaimSpec::default()
        }),
        status: None,
    }
}
