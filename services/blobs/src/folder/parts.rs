//! The parts of an upload: files named `<number>.<digest>`, so that a part is what its name says.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;

use super::disk::{Disk, found, unix_ms};
use crate::{Cause, Error, PartNumber, Sha256, Upload};

/// Its time of change is when the upload was begun.
const BEGUN: &str = "begun";

/// What a part is called once it has arrived.
pub(super) fn name(part: PartNumber, digest: &Sha256) -> String {
    format!("{part}.{}", HEXLOWER.encode(digest.as_bytes()))
}

pub(super) fn begin(disk: &Disk, upload: &Upload) -> Result<(), Error> {
    let folder = disk.upload(&upload.key);
    fs::create_dir_all(&folder)
        .and_then(|()| File::create(folder.join(BEGUN)))
        .map_err(|error| Error::Write(error.into()))?;
    Ok(())
}

pub(super) fn arrived(disk: &Disk, upload: &Upload) -> Result<Vec<PartNumber>, Error> {
    let read = |error: io::Error| Error::Read(error.into());
    let folder = disk.upload(&upload.key);
    let entries = found(fs::read_dir(&folder)).map_err(read)?;
    let mut parts = Vec::new();
    for entry in entries.ok_or(Error::UnknownUpload)? {
        let part = number(&entry.map_err(read)?.file_name());
        parts.extend(part.filter(|part| upload.plan.part_bytes(*part).is_some()));
    }
    parts.sort_unstable();
    parts.dedup();
    Ok(parts)
}

/// Removes what an earlier try left of the same part: one part never takes more room than planned.
pub(super) fn keep_only(folder: &Path, part: PartNumber, kept: &str) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        if number(&name) == Some(part) && name != OsStr::new(kept) {
            found(fs::remove_file(folder.join(name)))?;
        }
    }
    Ok(())
}

pub(super) fn complete(disk: &Disk, upload: &Upload, digests: &[Sha256]) -> Result<(), Error> {
    let write = |error: io::Error| Error::Write(Cause::from(error));
    let place = disk.blob(&upload.key);
    let folder = disk.upload(&upload.key);
    let stands = found(fs::metadata(&place)).map_err(write)?;
    if stands.is_some_and(|about| about.len() == upload.plan.size_bytes()) {
        return disk.remove_folder(&folder).map_err(write);
    }
    let have = arrived(disk, upload)?;
    let missing: Vec<_> = upload.plan.parts().filter(|p| !have.contains(p)).collect();
    if !missing.is_empty() {
        return Err(Error::MissingParts(missing));
    }
    let parts = announced(&folder, upload, digests)?;
    join(disk, &folder, &parts)
        .and_then(|whole| disk.put(&whole, &place))
        .and_then(|()| disk.remove_folder(&folder))
        .map_err(write)
}

/// The files of the parts, each of the size and digest that were announced.
fn announced(folder: &Path, upload: &Upload, digests: &[Sha256]) -> Result<Vec<PathBuf>, Error> {
    let mut paths = Vec::new();
    for part in upload.plan.parts() {
        let digest = digests.get(usize::from(part.get()) - 1);
        let path = folder.join(name(part, digest.ok_or(Error::OtherParts)?));
        let about = found(fs::metadata(&path)).map_err(|error| Error::Write(error.into()))?;
        let size = about.map(|about| about.len());
        if size.is_none() || size != upload.plan.part_bytes(part) {
            return Err(Error::OtherParts);
        }
        paths.push(path);
    }
    Ok(paths)
}

/// Makes one file of all parts; most uploads have one.
fn join(disk: &Disk, folder: &Path, parts: &[PathBuf]) -> io::Result<PathBuf> {
    if let [only] = parts {
        return Ok(only.clone());
    }
    let whole = disk.unfinished(folder);
    let mut file = File::create(&whole)?;
    for part in parts {
        io::copy(&mut File::open(part)?, &mut file)?;
    }
    file.sync_all()?;
    Ok(whole)
}

pub(super) fn abort_begun_before(disk: &Disk, limit_ms: u64) -> io::Result<usize> {
    let mut ended = 0;
    for entry in fs::read_dir(disk.uploads())? {
        let path = entry?.path();
        // Without the mark it is what a thumbnail or a crash left.
        let marked = found(fs::metadata(path.join(BEGUN)));
        let about = match marked {
            Ok(Some(about)) => about,
            Ok(None) => match found(fs::metadata(&path))? {
                Some(about) => about,
                None => continue,
            },
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => fs::metadata(&path)?,
            Err(error) => return Err(error),
        };
        if unix_ms(about.modified()?) >= limit_ms {
            continue;
        }
        if path.is_dir() {
            disk.remove_folder(&path)?;
            ended += 1;
        } else {
            disk.remove_file(&path)?;
        }
    }
    Ok(ended)
}

fn number(name: &OsStr) -> Option<PartNumber> {
    let (number, digest) = name.to_str()?.split_once('.')?;
    (digest.len() == 64).then_some(())?;
    PartNumber::new(number.parse().ok()?)
}
