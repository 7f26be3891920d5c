//! What a server's data and events stand on: files of one process in its folder, or back ends that
//! several processes share. A back end that cannot be used is waited for: it is tried again, and the
//! log says what is wrong.

use std::path::PathBuf;
use std::sync::Arc;

use gryt_bus::{Bus, LocalBus, LogEpoch, Presence, Quotas};
use gryt_model::ServerId;
use gryt_store::{FirstOpen, Server, SqliteStore, Store};

use crate::data_dir::DataDir;
use crate::entropy;

#[cfg(feature = "back-ends")]
mod shared;

#[cfg(feature = "back-ends")]
pub use shared::BackEnds;

/// Where messages, events and presence are.
#[derive(Debug)]
pub struct Foundation {
    /// Messages and members.
    pub store: Arc<dyn Store>,
    /// Events.
    pub bus: Arc<dyn Bus>,
    /// Who is online.
    pub presence: Presence,
    /// Limits.
    pub quotas: Quotas,
}

/// Who decides what the server is called.
#[derive(Debug, Clone)]
pub enum Naming {
    /// The folder; this name is for a new one. The id is drawn.
    Folder(String),
    /// Whoever starts it. A folder with another id is refused.
    Given(ServerId, String),
}

/// A folder's files could not be used.
#[derive(Debug, thiserror::Error)]
pub enum FoundationError {
    /// The names of the first channels are none.
    #[error("name the first channels")]
    NameChannels(#[source] gryt_model::InvalidId),
    /// The messages' file.
    #[error("open the server's data")]
    OpenStore(#[source] gryt_store::Error),
    /// The folder belongs to somebody else: a volume of another server was mounted.
    #[error(
        "the data in \"{}\" is of server {found}, not of {wanted}: mount that server's own volume",
        path.display()
    )]
    OtherServer {
        /// The file.
        path: PathBuf,
        /// Whose data it is.
        found: ServerId,
        /// Who we are.
        wanted: ServerId,
    },
    /// The log's file.
    #[error("open the event log")]
    OpenLog(#[source] gryt_bus::Error),
}

impl Foundation {
    /// All of it in the folder, which is this process's alone.
    ///
    /// # Errors
    /// A file that cannot be used, or one of another server.
    pub async fn in_folder(data: &DataDir, naming: &Naming) -> Result<Self, FoundationError> {
        let store = store_in_folder(data, naming).await?;
        Ok(Self {
            store: Arc::new(store),
            bus: Arc::new(bus_in_folder(data)?),
            presence: Presence::local(),
            quotas: Quotas::local(),
        })
    }
}

fn bus_in_folder(data: &DataDir) -> Result<LocalBus, FoundationError> {
    let epoch = LogEpoch::from_random(entropy::bits());
    LocalBus::open(&data.events_db(), &epoch).map_err(FoundationError::OpenLog)
}

async fn store_in_folder(data: &DataDir, naming: &Naming) -> Result<SqliteStore, FoundationError> {
    let (id, name) = match naming {
        Naming::Folder(name) => (ServerId::from_random(entropy::bits()), name),
        Naming::Given(id, name) => (id.clone(), name),
    };
    let path = data.server_db();
    let first = first_open(id, name)?;
    let mut store = SqliteStore::open(&path, first).map_err(FoundationError::OpenStore)?;
    if let Naming::Given(wanted, name) = naming {
        let found = store.server().id.clone();
        if found != *wanted {
            let wanted = wanted.clone();
            return Err(FoundationError::OtherServer {
                path,
                found,
                wanted,
            });
        }
        store
            .rename_server(name)
            .await
            .map_err(FoundationError::OpenStore)?;
    }
    Ok(store)
}

fn first_open(id: ServerId, name: &str) -> Result<FirstOpen, FoundationError> {
    Ok(FirstOpen {
        server: Server {
            id,
            name: name.into(),
        },
        channels: crate::first_channels().map_err(FoundationError::NameChannels)?,
    })
}
