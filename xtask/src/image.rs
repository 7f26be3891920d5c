//! Container images of one program on an empty base, without docker and without a registry: a
//! `docker-archive`, as `ctr images import` and `podman load` read it. The same program gives the
//! same bytes.

use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::json;
use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};

/// Who runs in our images: no user of any host.
const USER: u32 = 65532;

/// One image to be made.
pub(crate) struct Image<'a> {
    /// Every name under which a cluster finds it.
    pub(crate) names: &'a [String],
    /// The static program; in the image it stands at the root under `program_name`.
    pub(crate) program: &'a Path,
    pub(crate) program_name: &'a str,
    /// Arguments that the image always gives to the program.
    pub(crate) args: &'a [&'a str],
}

/// Writes the archive.
///
/// # Errors
/// When the program can't be read or the archive can't be written.
pub(crate) fn write(image: &Image<'_>, archive: &Path) -> Result<()> {
    let program =
        fs::read(image.program).with_context(|| format!("read \"{}\"", image.program.display()))?;
    let layer = layer(image.program_name, &program)?;
    let config = config(image, &layer)?;
    let config_name = format!("{}.json", digest(&config));
    let manifest = serde_json::to_vec(&json!([{
        "Config": config_name,
        "RepoTags": image.names,
        "Layers": ["layer.tar"],
    }]))?;
    let partial = archive.with_extension("part");
    let file =
        fs::File::create(&partial).with_context(|| format!("create \"{}\"", partial.display()))?;
    let mut tar = Builder::new(file);
    add(&mut tar, &config_name, EntryType::Regular, 0o644, &config)?;
    add(&mut tar, "layer.tar", EntryType::Regular, 0o644, &layer)?;
    add(
        &mut tar,
        "manifest.json",
        EntryType::Regular,
        0o644,
        &manifest,
    )?;
    tar.into_inner()?.sync_all()?;
    fs::rename(&partial, archive).with_context(|| format!("write \"{}\"", archive.display()))
}

/// The whole file system of the image. Name look-ups need `nsswitch.conf`: without it glibc asks
/// DNS only where there is no `/etc/hosts`.
fn layer(program_name: &str, program: &[u8]) -> Result<Vec<u8>> {
    let passwd = format!("root:x:0:0::/:/\ngryt:x:{USER}:{USER}::/:/\n");
    let group = format!("root:x:0:\ngryt:x:{USER}:\n");
    let mut tar = Builder::new(Vec::new());
    add(&mut tar, "etc/", EntryType::Directory, 0o755, b"")?;
    add(
        &mut tar,
        "etc/passwd",
        EntryType::Regular,
        0o644,
        passwd.as_bytes(),
    )?;
    add(
        &mut tar,
        "etc/group",
        EntryType::Regular,
        0o644,
        group.as_bytes(),
    )?;
    add(
        &mut tar,
        "etc/nsswitch.conf",
        EntryType::Regular,
        0o644,
        b"hosts: files dns\n",
    )?;
    add(&mut tar, "tmp/", EntryType::Directory, 0o1777, b"")?;
    add(&mut tar, program_name, EntryType::Regular, 0o755, program)?;
    Ok(tar.into_inner()?)
}

fn config(image: &Image<'_>, layer: &[u8]) -> Result<Vec<u8>> {
    let mut entrypoint = vec![format!("/{}", image.program_name)];
    entrypoint.extend(image.args.iter().map(|&arg| arg.to_owned()));
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    Ok(serde_json::to_vec(&json!({
        "architecture": architecture,
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": {"Entrypoint": entrypoint, "User": format!("{USER}:{USER}"), "WorkingDir": "/"},
        "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{}", digest(layer))]},
    }))?)
}

fn add(
    tar: &mut Builder<impl Write>,
    path: &str,
    kind: EntryType,
    mode: u32,
    bytes: &[u8],
) -> Result<()> {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(bytes.len() as u64);
    tar.append_data(&mut header, path, bytes)
        .with_context(|| format!("add \"{path}\" to the image"))
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_program_gives_the_same_image() {
        let folder = std::env::temp_dir().join(format!("gryt-image-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let program = folder.join("program");
        fs::write(&program, b"not really a program").unwrap();
        let image = Image {
            names: &["localhost/gryt-thing:test".to_owned()],
            program: &program,
            program_name: "gryt-thing",
            args: &[],
        };
        let archives = [folder.join("one.tar"), folder.join("two.tar")];
        for archive in &archives {
            write(&image, archive).unwrap();
        }
        let [one, two] = archives.map(|archive| fs::read(archive).unwrap());
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(one, two);
    }

    #[test]
    fn the_program_is_the_entrypoint_of_a_user_without_rights() {
        let image = Image {
            names: &[],
            program: Path::new("/nowhere"),
            program_name: "gryt-thing",
            args: &["run"],
        };
        let config = config(&image, b"layer").unwrap();
        let config: serde_json::Value = serde_json::from_slice(&config).unwrap();
        assert_eq!(
            config["config"]["Entrypoint"],
            json!(["/gryt-thing", "run"])
        );
        assert_eq!(config["config"]["User"], "65532:65532");
    }
}
