//! The data folder: where it is, what is in it, and that one process alone has it.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};

use crate::config::Place;

/// A folder, made or not.
#[derive(Debug)]
pub(crate) struct DataDir {
    path: PathBuf,
}

/// Held while a server runs. The system gives it back when the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct Locked {
    _file: File,
}

impl DataDir {
    /// The folder that was named, else the platform's.
    pub(crate) fn choose(place: Place) -> anyhow::Result<Self> {
        let Place {
            data_dir,
            xdg_data_home,
        } = place;
        // The XDG specification says that relative paths are to be ignored.
        let of_platform = || {
            xdg_data_home
                .filter(|path| path.is_absolute())
                .or_else(|| std::env::home_dir().map(|home| home.join(".local/share")))
                .map(|path| path.join("gryt"))
        };
        let path = data_dir
            .or_else(of_platform)
            .ok_or_else(|| anyhow!("there is no home folder: name a folder with --data-dir"))?;
        Ok(Self { path })
    }

    /// Makes the folder for its owner alone, and takes it.
    pub(crate) fn lock(&self) -> anyhow::Result<Locked> {
        let shown = self.path.display();
        make_private(&self.path).with_context(|| format!("make the data folder \"{shown}\""))?;
        let file = File::create(self.path.join("lock"))
            .with_context(|| format!("write in the data folder \"{shown}\""))?;
        match file.try_lock() {
            Ok(()) => Ok(Locked { _file: file }),
            Err(TryLockError::WouldBlock) => bail!(
                "the data folder \"{shown}\" is in use by another gryt: stop that one, or choose \
                 another folder with --data-dir"
            ),
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("lock the data folder \"{shown}\""))
            }
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Members, channels and messages.
    pub(crate) fn server_db(&self) -> PathBuf {
        self.path.join("server.db")
    }

    /// The log from which sessions resume.
    pub(crate) fn events_db(&self) -> PathBuf {
        self.path.join("events.db")
    }

    /// Accounts and keys.
    pub(crate) fn issuer_db(&self) -> PathBuf {
        self.path.join("issuer.db")
    }

    /// The certificate of `--lan` and its key.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.path.join("certificate.pem")
    }

    /// The issuer's file, which a command must not make.
    pub(crate) fn existing_issuer_db(&self) -> anyhow::Result<PathBuf> {
        let path = self.issuer_db();
        if !path.exists() {
            bail!(
                "there is no Gryt server in \"{}\": name its folder with --data-dir",
                self.path.display()
            );
        }
        Ok(path)
    }
}

/// Makes a folder that only its owner can look into. One that is there stays as it is.
pub(crate) fn make_private(path: &Path) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_folder_wins_over_the_platforms() {
        let choose = |data_dir: Option<&str>, xdg: Option<&str>| {
            DataDir::choose(Place {
                data_dir: data_dir.map(Into::into),
                xdg_data_home: xdg.map(Into::into),
            })
            .unwrap()
            .path
        };
        assert_eq!(choose(Some("here"), Some("/xdg")), Path::new("here"));
        assert_eq!(choose(None, Some("/xdg")), Path::new("/xdg/gryt"));
        assert!(choose(None, Some("relative")).ends_with(".local/share/gryt"));
    }

    #[test]
    fn folder_is_taken_by_one_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir {
            path: dir.path().join("new/gryt"),
        };
        let first = data.lock().unwrap();
        assert!(data.lock().unwrap_err().to_string().contains("in use"));
        drop(first);
        assert!(data.lock().is_ok());
    }
}
