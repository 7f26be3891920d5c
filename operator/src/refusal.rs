//! Why a server is not built. A refusal is the user's text: a reason to match on and a sentence
//! that says what to do. It changes nothing: what ran before keeps running.

use std::fmt;

/// One thing that stands in the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What kind of thing.
    pub reason: Reason,
    /// A sentence that names the field or object and says what to do.
    pub message: String,
}

impl Refusal {
    pub(crate) fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
        }
    }
}

/// The kinds of refusals. `Display` is the reason of the conditions Ready and Stalled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The class has the data elsewhere than where the server's is.
    BackendsChanged,
    /// cert-manager is asked for a certificate and isn't installed.
    CertManagerMissing,
    /// The class that the server names or was pinned to doesn't exist.
    ClassNotFound,
    /// There are classes, none is the default and the server names none.
    ClassRequired,
    /// The back ends hold data of this server id that another object left behind.
    DataOfAnotherServer,
    /// More than one class is the default.
    DefaultClassAmbiguous,
    /// The class wants a Gateway and the Gateway API isn't installed.
    GatewayApiMissing,
    /// The class wants type Gateway and names none.
    GatewayRequired,
    /// The class doesn't allow the host name to the namespace.
    HostnameNotAllowed,
    /// Another server had the host name first.
    HostnameTaken,
    /// The server is to be reached by an Ingress and the cluster has no class for it.
    IngressClassMissing,
    /// A value that the schema refuses got past it.
    InvalidSpec,
    /// The class doesn't allow the namespace.
    NamespaceNotAllowed,
    /// Every port of the class's range is held by another server.
    NoFreePort,
    /// The class wants ports of the nodes and gives no range.
    PortRangeRequired,
    /// A Secret has not the key that is needed.
    SecretKeyMissing,
    /// A Secret that is named doesn't exist.
    SecretNotFound,
    /// The operator hasn't written `spec.serverId` yet.
    ServerIdPending,
    /// Another server had the server id first.
    ServerIdTaken,
    /// More than one signaling replica without shared back ends.
    SharedBackendsRequired,
    /// The volume would be larger than the class allows.
    StorageAboveLimit,
    /// The volume exists with another storage class.
    StorageClassFixed,
    /// The volume exists and is larger.
    StorageCannotShrink,
    /// The volume holds the data of another server.
    VolumeOfAnotherServer,
}

impl Reason {
    /// The reason as conditions and Events carry it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BackendsChanged => "BackendsChanged",
            Self::CertManagerMissing => "CertManagerMissing",
            Self::ClassNotFound => "ClassNotFound",
            Self::ClassRequired => "ClassRequired",
            Self::DataOfAnotherServer => "DataOfAnotherServer",
            Self::DefaultClassAmbiguous => "DefaultClassAmbiguous",
            Self::GatewayApiMissing => "GatewayApiMissing",
            Self::GatewayRequired => "GatewayRequired",
            Self::HostnameNotAllowed => "HostnameNotAllowed",
            Self::HostnameTaken => "HostnameTaken",
            Self::IngressClassMissing => "IngressClassMissing",
            Self::InvalidSpec => "InvalidSpec",
            Self::NamespaceNotAllowed => "NamespaceNotAllowed",
            Self::NoFreePort => "NoFreePort",
            Self::PortRangeRequired => "PortRangeRequired",
            Self::SecretKeyMissing => "SecretKeyMissing",
            Self::SecretNotFound => "SecretNotFound",
            Self::ServerIdPending => "ServerIdPending",
            Self::ServerIdTaken => "ServerIdTaken",
            Self::SharedBackendsRequired => "SharedBackendsRequired",
            Self::StorageAboveLimit => "StorageAboveLimit",
            Self::StorageClassFixed => "StorageClassFixed",
            Self::StorageCannotShrink => "StorageCannotShrink",
            Self::VolumeOfAnotherServer => "VolumeOfAnotherServer",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Everything that stands in the way, at least one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusals {
    first: Refusal,
    others: Vec<Refusal>,
}

impl Refusals {
    /// `None` where nothing stands in the way.
    #[must_use]
    pub fn of(refusals: Vec<Refusal>) -> Option<Self> {
        let mut refusals = refusals.into_iter();
        let first = refusals.next()?;
        Some(Self {
            first,
            others: refusals.collect(),
        })
    }

    /// The reason that the conditions carry: that of the first refusal.
    #[must_use]
    pub fn reason(&self) -> Reason {
        self.first.reason
    }

    /// All of them, the first first.
    pub fn iter(&self) -> impl Iterator<Item = &Refusal> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// All sentences.
    #[must_use]
    pub fn message(&self) -> String {
        let messages: Vec<_> = self
            .iter()
            .map(|refusal| refusal.message.as_str())
            .collect();
        messages.join(" ")
    }
}

impl From<Refusal> for Refusals {
    fn from(first: Refusal) -> Self {
        Self {
            first,
            others: Vec::new(),
        }
    }
}
