//! Where the data folder is, and what only `gryt` keeps in it.

use std::path::PathBuf;

use anyhow::anyhow;
use gryt_signaling::data_dir::DataDir;

use crate::config::Place;

/// The folder that was named, else the platform's.
pub(crate) fn choose(place: Place) -> anyhow::Result<DataDir> {
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
    Ok(DataDir::at(path))
}

/// The certificate of `--lan` and its key.
pub(crate) fn certificate(data: &DataDir) -> PathBuf {
    data.path().join("certificate.pem")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn named_folder_wins_over_the_platforms() {
        let choose = |data_dir: Option<&str>, xdg: Option<&str>| {
            let chosen = choose(Place {
                data_dir: data_dir.map(Into::into),
                xdg_data_home: xdg.map(Into::into),
            });
            chosen.unwrap().path().to_owned()
        };
        assert_eq!(choose(Some("here"), Some("/xdg")), Path::new("here"));
        assert_eq!(choose(None, Some("/xdg")), Path::new("/xdg/gryt"));
        assert!(choose(None, Some("relative")).ends_with(".local/share/gryt"));
    }
}
