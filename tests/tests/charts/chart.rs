//! Where a chart's files are and how they are read. Knows nothing of what they should say.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::Deserialize as _;
use serde_json::Value;

/// A chart of this repository.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chart {
    pub(crate) name: &'static str,
    /// The release that the checks install it as.
    pub(crate) release: &'static str,
    pub(crate) namespace: &'static str,
}

pub(crate) const OPERATOR: Chart = Chart {
    name: "gryt-operator",
    release: "gryt-operator",
    namespace: "gryt-system",
};

pub(crate) const SERVER: Chart = Chart {
    name: "gryt-server",
    release: "friends",
    namespace: "default",
};

pub(crate) const CHARTS: [Chart; 2] = [OPERATOR, SERVER];

impl Chart {
    pub(crate) fn folder(&self) -> PathBuf {
        repository().join("charts").join(self.name)
    }

    pub(crate) fn read(&self, file: &str) -> Result<String> {
        read(&self.folder().join(file))
    }

    pub(crate) fn values(&self) -> Result<Value> {
        yaml(&self.read("values.yaml")?)
    }

    pub(crate) fn schema(&self) -> Result<Value> {
        Ok(serde_json::from_str(&self.read("values.schema.json")?)?)
    }

    /// The value sets of `ci/`, by name.
    pub(crate) fn sets(&self) -> Result<Vec<Set>> {
        let mut sets = Vec::new();
        for path in files(&self.folder().join("ci"))? {
            let file = path.file_name().unwrap_or_default().to_string_lossy();
            let name = file
                .strip_suffix("-values.yaml")
                .with_context(|| format!("\"ci/{file}\" does not end in -values.yaml"))?
                .to_owned();
            sets.push(Set { name, path });
        }
        Ok(sets)
    }

    /// The text of every template, helpers and notes among them, by file name.
    pub(crate) fn templates(&self) -> Result<Vec<(String, String)>> {
        let files = files(&self.folder().join("templates"))?;
        files
            .iter()
            .map(|path| {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                Ok((name.into_owned(), read(path)?))
            })
            .collect()
    }
}

/// One file of values with which a chart is rendered.
#[derive(Debug)]
pub(crate) struct Set {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
}

pub(crate) fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

pub(crate) fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))
}

/// The files of a folder, sorted by name.
pub(crate) fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries =
        std::fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))?;
    let mut files = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>>>()?;
    files.retain(|path| path.is_file());
    files.sort();
    Ok(files)
}

/// The only document of a YAML text.
pub(crate) fn yaml(text: &str) -> Result<Value> {
    serde_yaml_ng::from_str(text).with_context(|| format!("read as YAML: {text}"))
}

/// Every document of a YAML text that is not empty.
pub(crate) fn documents(text: &str) -> Result<Vec<Value>> {
    let mut documents = Vec::new();
    for document in serde_yaml_ng::Deserializer::from_str(text) {
        let value = Value::deserialize(document)?;
        if !value.is_null() {
            documents.push(value);
        }
    }
    Ok(documents)
}

/// `Kind/name` of an object.
pub(crate) fn title(object: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    format!(
        "{}/{}",
        text(&object["kind"]),
        text(&object["metadata"]["name"])
    )
}
