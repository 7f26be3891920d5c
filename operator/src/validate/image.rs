//! Which images run.

use crate::class::{Defaults, ResolvedClass};
use crate::valid::ValidImages;
use crate::version::version;

pub(super) fn resolve(class: &ResolvedClass, defaults: &Defaults) -> ValidImages {
    let images = &class.spec.images;
    let registry = images.registry.as_ref().unwrap_or(&defaults.image_registry);
    let tag = images.tag.as_ref().unwrap_or(&defaults.image_tag);
    let reference = |whole: &Option<String>, name: &str| {
        whole
            .clone()
            .unwrap_or_else(|| format!("{registry}/{name}:{tag}"))
    };
    let signaling = reference(&images.signaling, "gryt-signaling");
    ValidImages {
        version: version(&signaling),
        sfu: reference(&images.sfu, "gryt-sfu"),
        pull_policy: images.pull_policy,
        signaling,
    }
}
