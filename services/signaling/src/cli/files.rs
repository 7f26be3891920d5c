//! Where files of messages are, and how large they may be. Secrets come from files.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use gryt_blobs::s3::{Addressing, Authorities, Credentials, SecretKey, Settings};
use url::Url;

use super::named_file::{NamedFileError, authorities, secret};
use crate::Files;
use crate::files::{FileStorage, FilesConfig, InvalidFileKey};

const MIB: u64 = 1024 * 1024;

/// Files of messages: in the data folder, or in S3-compatible storage.
#[derive(Debug, Clone, Args)]
pub struct FilesArgs {
    /// Largest file of a message, in MiB, up to 8,192. Lower it where room is scarce.
    #[arg(
        long,
        env = "GRYT_SIGNALING_FILES_LIMIT_MIB",
        default_value_t = Files::LIMIT_BYTES / MIB,
        value_parser = clap::value_parser!(u64).range(1..=Files::MOST_BYTES / MIB)
    )]
    pub files_limit_mib: u64,

    /// File with the secret behind upload tickets: 64 hexadecimal digits. Needed where a server has
    /// several processes, the same for all; left out: the data folder keeps one.
    #[arg(long, env = "GRYT_SIGNALING_FILES_KEY_FILE")]
    pub files_key_file: Option<PathBuf>,

    /// Where the files are.
    #[command(flatten)]
    pub s3: S3Args,
}

/// A bucket of S3-compatible storage, and who we are to it.
#[derive(Debug, Clone, Args)]
pub struct S3Args {
    /// Address of S3-compatible storage as this process reaches it. Left out: files stay in the data
    /// folder.
    #[arg(
        long,
        env = "GRYT_SIGNALING_S3_ENDPOINT",
        requires_all = ["s3_bucket", "s3_access_key_file", "s3_secret_key_file"]
    )]
    pub s3_endpoint: Option<Url>,

    /// Address of the same storage as browsers reach it, if that is another one.
    #[arg(
        long,
        env = "GRYT_SIGNALING_S3_PUBLIC_ENDPOINT",
        requires = "s3_endpoint"
    )]
    pub s3_public_endpoint: Option<Url>,

    /// Region that requests are signed for; storage of one's own often takes any.
    #[arg(long, env = "GRYT_SIGNALING_S3_REGION", default_value = "us-east-1")]
    pub s3_region: String,

    /// Bucket; servers may share one. `gryt-signaling provision-files` makes it.
    #[arg(long, env = "GRYT_SIGNALING_S3_BUCKET", requires = "s3_endpoint")]
    pub s3_bucket: Option<String>,

    /// What all names in the bucket begin with, ending with a slash. The server's id follows.
    #[arg(
        long,
        env = "GRYT_SIGNALING_S3_PREFIX",
        default_value = "",
        value_parser = prefix
    )]
    pub s3_prefix: String,

    /// How the bucket is named in addresses: storage of one's own speaks `path`, AWS prefers
    /// `virtual-host`.
    #[arg(long, env = "GRYT_SIGNALING_S3_ADDRESSING", default_value = "path")]
    pub s3_addressing: AddressingArg,

    /// File with the name of the access key.
    #[arg(
        long,
        env = "GRYT_SIGNALING_S3_ACCESS_KEY_FILE",
        requires = "s3_endpoint"
    )]
    pub s3_access_key_file: Option<PathBuf>,

    /// File with the access key's secret.
    #[arg(
        long,
        env = "GRYT_SIGNALING_S3_SECRET_KEY_FILE",
        requires = "s3_endpoint"
    )]
    pub s3_secret_key_file: Option<PathBuf>,

    /// File with the authorities of the storage's certificates, PEM. Left out: the public ones.
    #[arg(long, env = "GRYT_SIGNALING_S3_CA_FILE", requires = "s3_endpoint")]
    pub s3_ca_file: Option<PathBuf>,
}

/// How a bucket is named in addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AddressingArg {
    /// `https://host/bucket/key`.
    Path,
    /// `https://bucket.host/key`.
    VirtualHost,
}

/// Files are not described so that they could ever be kept.
#[derive(Debug, thiserror::Error)]
pub enum FilesArgsError {
    /// A file that is named is of no use.
    #[error("read what the files need")]
    File(#[from] NamedFileError),
    /// The secret behind tickets is none.
    #[error("read the secret behind upload tickets")]
    Key(#[source] InvalidFileKey),
}

impl FilesArgs {
    /// Where files are, with the secrets as they are now.
    ///
    /// # Errors
    /// A file that is of no use.
    pub fn place(&self) -> Result<FilesConfig, FilesArgsError> {
        let key = match &self.files_key_file {
            Some(file) => Some(
                secret(file)?
                    .expose()
                    .parse()
                    .map_err(FilesArgsError::Key)?,
            ),
            None => None,
        };
        Ok(FilesConfig {
            storage: match self.s3.settings()? {
                Some(settings) => FileStorage::S3(Box::new(settings)),
                None => FileStorage::Folder,
            },
            key,
            limit_bytes: self.files_limit_mib * MIB,
        })
    }
}

impl S3Args {
    /// Where the bucket is; `None` if there is none.
    ///
    /// # Errors
    /// A file that is of no use.
    pub fn settings(&self) -> Result<Option<Settings>, FilesArgsError> {
        // The command line has all three or none.
        let (Some(endpoint), Some(bucket), Some(access_key), Some(secret_key)) = (
            &self.s3_endpoint,
            &self.s3_bucket,
            &self.s3_access_key_file,
            &self.s3_secret_key_file,
        ) else {
            return Ok(None);
        };
        let pem = self.s3_ca_file.as_deref().map(authorities).transpose()?;
        Ok(Some(Settings {
            endpoint: endpoint.clone(),
            public_endpoint: self.s3_public_endpoint.clone(),
            region: self.s3_region.as_str().into(),
            bucket: bucket.as_str().into(),
            prefix: self.s3_prefix.as_str().into(),
            addressing: match self.s3_addressing {
                AddressingArg::Path => Addressing::Path,
                AddressingArg::VirtualHost => Addressing::VirtualHost,
            },
            credentials: Credentials {
                access_key: secret(access_key)?.expose().into(),
                secret_key: SecretKey::new(secret(secret_key)?.expose()),
            },
            authorities: pem.map(|pem| Authorities::from_pem(&pem)),
        }))
    }
}

fn prefix(text: &str) -> Result<String, String> {
    let good = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    let ok = text.is_empty() || (text.ends_with('/') && !text.starts_with('/'));
    if ok && text.chars().all(good) && !text.contains("..") && !text.contains("//") {
        Ok(text.to_owned())
    } else {
        Err("expected nothing, or letters and digits that end with a slash".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_folders_of_a_bucket() {
        for good in ["", "gryt/", "a/b-c/"] {
            assert_eq!(prefix(good).as_deref(), Ok(good));
        }
        for bad in ["gryt", "/", "/gryt/", "../", "a//", "a b/", "ä/"] {
            assert!(prefix(bad).is_err(), "{bad:?}");
        }
    }
}
