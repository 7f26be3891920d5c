//! A copy of the data folder while the server runs.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use gryt_signaling::data_dir::{DataDir, make_private};

use crate::place;

/// Copies everything that a server needs to go on elsewhere. The log from which sessions resume
/// stays out: a server that was put back begins a new one, so that its clients ask for the whole
/// state instead of going on from events that never happened there.
pub(crate) fn run(data: &DataDir, destination: &Path) -> anyhow::Result<()> {
    data.existing_issuer_db()?;
    let shown = destination.display();
    if destination.symlink_metadata().is_ok() {
        bail!("\"{shown}\" exists already, and a backup overwrites nothing: name a new folder");
    }
    if is_inside(destination, data.path()) {
        bail!(
            "\"{shown}\" is inside the data folder, and would be lost with it: name a folder \
             elsewhere"
        );
    }
    // Filled beside and renamed at the end: a folder of that name is a whole backup.
    let partial = beside(destination);
    make_private(&partial).with_context(|| format!("make the folder \"{}\"", partial.display()))?;
    let copied = copy(data, &partial).and_then(|()| {
        fs::rename(&partial, destination).with_context(|| format!("make the folder \"{shown}\""))
    });
    if copied.is_err() {
        let _ = fs::remove_dir_all(&partial);
    }
    copied?;
    writeln!(
        std::io::stdout(),
        "Copied to {shown}\nStart a server on the copy with: gryt --data-dir {shown}"
    )?;
    Ok(())
}

fn copy(data: &DataDir, to: &Path) -> anyhow::Result<()> {
    // Accounts last: a person who signed up in between is missing as a member, and made again at
    // the next sign-in. The other way round a member would have no account.
    for source in [data.server_db(), data.issuer_db()] {
        let name = source.file_name().context("name a copy")?;
        gryt_store::sqlite::backup(&source, &to.join(name))
            .with_context(|| format!("copy \"{}\"", source.display()))?;
    }
    // After the messages that name them; a file never changes once it is complete.
    copy_files(&data.files(), &to.join("files")).context("copy the files")?;
    let certificate = place::certificate(data);
    match fs::copy(&certificate, to.join("certificate.pem")) {
        Ok(_) => Ok(()),
        // Only `--lan` makes one.
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(|| format!("copy \"{}\"", certificate.display())),
    }
}

/// Copies `<server>/<kind>/<file>`, but for uploads that are under way. Files that are deleted
/// meanwhile are left out.
fn copy_files(from: &Path, to: &Path) -> std::io::Result<()> {
    let listed = match fs::read_dir(from) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        listed => listed?,
    };
    make_private(to)?;
    for entry in listed {
        let entry = entry?;
        let (source, copy) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            if entry.file_name() != "uploads" {
                copy_files(&source, &copy)?;
            }
            continue;
        }
        match fs::copy(&source, &copy) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            copied => copied.map(drop)?,
        }
    }
    Ok(())
}

/// Whether a path that is not there yet would lead into the folder.
fn is_inside(path: &Path, folder: &Path) -> bool {
    let (Ok(path), Ok(folder)) = (std::path::absolute(path), folder.canonicalize()) else {
        return false;
    };
    path.ancestors()
        .find_map(|above| above.canonicalize().ok())
        .is_some_and(|above| above.starts_with(folder))
}

fn beside(destination: &Path) -> PathBuf {
    let mut name = destination.as_os_str().to_owned();
    name.push(format!(".partial-{}", std::process::id()));
    name.into()
}
