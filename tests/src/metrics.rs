//! Reads `/metrics`.

use anyhow::{Context as _, Result};
use url::Url;

use crate::way::Way;

/// One scrape.
#[derive(Debug, Clone)]
pub struct Scrape(String);

impl Scrape {
    /// Takes a scrape of the product at `url`.
    ///
    /// # Errors
    /// When the product does not serve one.
    pub async fn take(url: &Url) -> Result<Self> {
        let http = Way::default().http(url)?;
        let response = http.get(url.join("/metrics")?).send().await?;
        Ok(Self(response.error_for_status()?.text().await?))
    }

    /// The value of a sample, by its name and labels as they stand on the page.
    ///
    /// # Errors
    /// When the page does not have it.
    pub fn value(&self, sample: &str) -> Result<u64> {
        let found = self
            .0
            .lines()
            .find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
        let value = found.with_context(|| format!("no \"{sample}\" in\n{}", self.0))?;
        Ok(value.parse()?)
    }

    /// As [`Self::value`], with 0 for a sample that is not there: a label is born with its first
    /// count.
    #[must_use]
    pub fn value_or_zero(&self, sample: &str) -> u64 {
        self.value(sample).unwrap_or(0)
    }

    /// The discards of the SFU for one reason.
    ///
    /// # Errors
    /// When the page does not have them.
    pub fn discarded(&self, reason: &str) -> Result<u64> {
        self.value(&format!(
            "gryt_sfu_discarded_packets_total{{reason=\"{reason}\"}}"
        ))
    }
}
